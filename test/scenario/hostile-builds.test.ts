import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/cli/program.ts';
import { blobKey, type Objects } from '../../src/ports/objects.ts';
import { parseResult } from '../../src/roles/effects.ts';
import { judgeBuilds } from '../../src/roles/verifying.ts';
import { type FakeRegistry, startFakeRegistry } from '../fakes/registry.ts';
import {
  createSmallDistribution,
  fetchedRecipe,
  recipe,
  type SmallDistribution,
  type SmallDistributionOptions,
} from './support/small-distribution.ts';

let box: SmallDistribution | undefined;
let registry: FakeRegistry | undefined;
afterEach(async () => {
  await box?.close();
  await registry?.close();
  box = undefined;
  registry = undefined;
});

async function begin(options: SmallDistributionOptions): Promise<SmallDistribution> {
  box = await createSmallDistribution(options);
  return box;
}

/** A recipe whose one step is a script. */
function script(name: string, ...lines: string[]): string {
  return recipe(name, { pipeline: `  - runs: |\n${lines.map((line) => `      ${line}\n`).join('')}` });
}

/** Lines of the log, warnings or worse, that name a package or an image and a code. */
function logged(distribution: SmallDistribution, name: string, code: string): number {
  return distribution.lines.filter(
    (line) => Number(line['level']) >= 40 && [line['package'], line['image']].includes(name) && line['code'] === code,
  ).length;
}

/** Kinds of the events that name a package or an image and a code. */
async function told(distribution: SmallDistribution, name: string, code: string): Promise<readonly string[]> {
  return (await distribution.events()).flatMap(({ kind, package: about, facts }) =>
    [about, facts['image']].includes(name) && facts['code'] === code ? [kind] : [],
  );
}

/** Changes one byte of an object, where it lies. */
function damage(distribution: SmallDistribution, key: string): void {
  const path = join(distribution.directory, 'state/objects', key);
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 1, bytes.length - 20);
  writeFileSync(path, bytes);
}

const destdir = '${{targets.destdir}}';
/** Name, code, recipe. */
const hostile: readonly (readonly [string, string, string])[] = [
  ['writes-outside', 'build.step-failed', script('writes-outside', 'touch /usr/share/outside')],
  ['writes-beside', 'build.output-unsafe', script('writes-beside', 'touch "${{targets.outdir}}/stray"')],
  [
    'links-out',
    'build.output-unsafe',
    script('links-out', `mkdir -p "${destdir}/etc"`, `ln -s ../../../../etc/shadow "${destdir}/etc/x"`),
  ],
  ['setuid', 'build.output-unsafe', script('setuid', `install -D -m 4755 /bin/true "${destdir}/usr/bin/setuid"`)],
  ['fork-bomb', 'build.process-limit', script('fork-bomb', 'bomb() { bomb | bomb & }; bomb; sleep 60')],
  ['endless-log', 'build.log-limit', script('endless-log', 'yes')],
  [
    'takes-a-name',
    'build.output-unsafe',
    script('takes-a-name', 'mkdir -p "${{targets.outdir}}/good/usr"', 'touch "${{targets.outdir}}/good/usr/x"'),
  ],
  ['tampered', 'source.hash-mismatch', fetchedRecipe('tampered', '0'.repeat(64))],
];

/** Milliseconds; much of it is the patience of `until`. */
const slow = { timeout: 120_000 };

describe('recipes that are out to harm', slow, () => {
  it('each fails with its code, is logged, and nothing of it is published; what is good is', async () => {
    const distribution = await begin({
      files: {
        'good.yaml': recipe('good'),
        ...Object.fromEntries(hostile.map(([name, , text]) => [`${name}.yaml`, text])),
      },
      prepare: async (small) => {
        await small.project('tampered');
        return {};
      },
      config: { build: { stepTimeout: 50, outputLimit: 300_000, processLimit: 80 } },
    });
    const failing = async (name: string) => (await distribution.explain(name)).state === 'failing';
    await distribution.until('good', async () => 'good-1.0-r0' in (await distribution.published()), 90_000);
    for (const [name] of hostile) await distribution.until(`${name} has failed`, () => failing(name), 90_000);
    for (const [name, code] of hostile) {
      expect([name, (await distribution.explain(name)).blocker]).toEqual([
        name,
        expect.objectContaining({ kind: 'build-failed', code }),
      ]);
      expect([name, await told(distribution, name, code)]).toEqual([name, ['build-failed']]);
      expect([name, logged(distribution, name, code)]).toEqual([name, 1]);
    }
    expect(Object.keys(await distribution.published())).toEqual(['good-1.0-r0']);
    const objects = await distribution.objects();
    const packages = (await objects.list('staging/')).filter((key) => key.endsWith('.apk'));
    expect(packages.map((key) => key.split('/').at(-1))).toEqual(['good-1.0-r0.apk']);
  });

  it('a recipe that makes a package of another one is not built, until it does so no more', async () => {
    const taker = (name: string) =>
      `${recipe('taker', { version: '9.0' })}\nsubpackages:\n  - name: ${name}\n    pipeline:\n      - runs: |\n          mkdir -p "\${{targets.subpkgdir}}/usr/share/taken"\n`;
    const distribution = await begin({ files: { 'good.yaml': recipe('good'), 'taker.yaml': taker('good') } });
    await distribution.until('good', async () => 'good-1.0-r0' in (await distribution.published()));
    const code = 'package.name-taken';
    expect((await distribution.explain('taker')).blocker).toMatchObject({ code });
    expect((await distribution.explain('taker')).blocker.text).toContain('and so does the recipe good');
    expect(await told(distribution, 'taker', code)).not.toEqual([]);
    expect(logged(distribution, 'taker', code)).toBe(1);
    expect(Object.keys(await distribution.published())).toEqual(['good-1.0-r0']);

    await distribution.push({ 'taker.yaml': taker('taker-doc') });
    await distribution.until('taker', async () => 'taker-doc-9.0-r0' in (await distribution.published()));
    expect(await distribution.problems()).toEqual([]);
  });
});

describe('a package that is corrupted in the object store', slow, () => {
  it('before it is published: it is refused, and what was published stays', async () => {
    let corrupt = false;
    /** What builders leave is other bytes than they say. */
    const wrapObjects = (objects: Objects): Objects => ({
      ...objects,
      put: (key, bytes, ...rest) => {
        if (!corrupt || !/^staging\/.*\/good-.*\.apk$/.test(key)) return objects.put(key, bytes, ...rest);
        const other = Buffer.from(bytes);
        other.writeUInt8(other.readUInt8(other.length - 20) ^ 1, other.length - 20);
        return objects.put(key, other, ...rest);
      },
    });
    const distribution = await begin({
      files: { 'good.yaml': recipe('good'), 'fine.yaml': recipe('fine') },
      daemon: { wrapObjects },
    });
    await distribution.until('both', async () => Object.keys(await distribution.published()).length === 2);
    const before = await distribution.published();
    corrupt = true;
    await distribution.push({
      'good.yaml': recipe('good', { version: '1.1' }),
      'fine.yaml': recipe('fine', { version: '1.1' }),
    });
    await distribution.until('fine 1.1', async () => 'fine-1.1-r0' in (await distribution.published()));
    await distribution.until('the verdict', async () => (await distribution.explain('good')).state === 'failing');
    const code = 'verify.gate-failed';
    const { blocker } = await distribution.explain('good');
    expect(blocker).toMatchObject({ kind: 'gate-failed', code });
    expect(blocker.text).toContain('its data is not what the datahash in .PKGINFO says');
    expect(await told(distribution, 'good', code)).toEqual(['gate-failed']);
    expect(logged(distribution, 'good', code)).toBe(1);
    expect(await distribution.published()).toMatchObject(before);
    expect(Object.keys(await distribution.published())).not.toContain('good-1.1-r0');
  });

  it('after that: nothing is built with it, and no image is made of it', async () => {
    const distribution = await begin({ files: { 'good.yaml': recipe('good') } });
    await distribution.until('good', async () => 'good-1.0-r0' in (await distribution.published()));
    const before = await distribution.published();
    damage(distribution, blobKey(before['good-1.0-r0'] ?? ''));
    await distribution.push({
      'user.yaml': recipe('user').replace('      - busybox\n', '      - busybox\n      - good\n'),
      'images/made.yaml': 'contents:\n  packages:\n    - good\n',
      'fine.yaml': recipe('fine'),
    });
    await distribution.until('fine', async () => 'fine-1.0-r0' in (await distribution.published()));
    await distribution.until('the failure', async () => (await distribution.explain('user')).state === 'failing');
    await distribution.until('the failure of the image', async () => (await distribution.problems()).length > 0);
    const code = 'repository.corrupt';
    expect((await distribution.explain('user')).blocker).toMatchObject({ kind: 'build-failed', code });
    expect(await told(distribution, 'user', code)).toEqual(['build-failed']);
    expect(logged(distribution, 'user', code)).toBe(1);
    expect(await distribution.problems()).toMatchObject([{ area: 'image', name: 'made:latest', code }]);
    expect(await told(distribution, 'made:latest', code)).toEqual(['problem']);
    expect(logged(distribution, 'made:latest', code)).toBe(1);
    expect(Object.keys(await distribution.published())).toEqual(['fine-1.0-r0', 'good-1.0-r0']);
    expect(await distribution.images()).toEqual({});
  });
});

describe('a verdict that somebody writes into the object store', slow, () => {
  it('publishes nothing, however often it comes; what is good is published, and the rest when it is judged', async () => {
    let forges = true;
    let forged = 0;
    /** What was refused is passed by the time anybody reads it. */
    const wrapObjects = (objects: Objects): Objects => ({
      ...objects,
      put: (key, bytes, ...rest) => {
        if (/^staging\/.*\/bad-.*\.apk$/.test(key)) {
          const other = Buffer.from(bytes);
          other.writeUInt8(other.readUInt8(other.length - 20) ^ 1, other.length - 20);
          return objects.put(key, other, ...rest);
        }
        const result = key.startsWith('results/verify-') && forges ? parseResult(bytes) : undefined;
        if (result?.kind !== 'verified' || result.verdicts.every(({ passed }) => passed))
          return objects.put(key, bytes, ...rest);
        forged += 1;
        const verdicts = result.verdicts.map((one) => ({
          ...one,
          passed: true,
          gates: one.gates.map((gate) => ({ ...gate, outcome: 'passed' as const })),
        }));
        return objects.put(key, Buffer.from(JSON.stringify({ ...result, verdicts })), ...rest);
      },
    });
    const distribution = await begin({
      files: { 'bad.yaml': recipe('bad'), 'good.yaml': recipe('good') },
      daemon: { wrapObjects },
    });
    await distribution.until('good', async () => 'good-1.0-r0' in (await distribution.published()));
    const code = 'verify.verdict-unproven';
    // By the publisher each time, and once by the conductor, as a problem.
    await distribution.until('the second refusal', () => logged(distribution, 'bad', code) === 3);
    expect((await distribution.explain('bad')).blocker).toMatchObject({ code });
    expect(await distribution.problems()).toMatchObject([{ area: 'publish', name: 'bad', code }]);
    expect(await told(distribution, 'bad', code)).toEqual(['problem']);
    expect(forged).toBeGreaterThan(1);
    const objects = await distribution.objects();
    const signed = (await objects.list('blobs/')).length;
    forges = false;
    const blocker = async () => (await distribution.explain('bad')).blocker;
    await distribution.until('the verdict', async () => (await blocker()).kind === 'gate-failed');
    await distribution.until('no problem', async () => (await distribution.problems()).length === 0);
    expect(await blocker()).toMatchObject({ code: 'verify.gate-failed' });
    expect(Object.keys(await distribution.published())).toEqual(['good-1.0-r0']);
    expect((await objects.list('blobs/')).length).toBe(signed);
  });
});

describe('a build that takes long to judge', slow, () => {
  it('keeps nothing else from being published or taken back, and is in a queue of its own', async () => {
    let finish: () => void = () => undefined;
    const judged = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let begun = false;
    const distribution = await begin({
      files: { 'good.yaml': recipe('good'), 'fine.yaml': recipe('fine') },
      daemon: {
        async verify(request) {
          const { clock, objects } = distribution;
          if (request.packages.includes('slow')) {
            begun = true;
            await judged;
          }
          return judgeBuilds(await objects(), request, clock.now().toISOString());
        },
      },
    });
    await distribution.until('both', async () => Object.keys(await distribution.published()).length === 2);
    await distribution.push({ 'slow.yaml': recipe('slow') });
    await distribution.until('the verifier', () => begun);
    const order = ['withdraw', 'good-1.0-r0', '--reason', 'x', '--server', distribution.daemon().url ?? ''];
    const nowhere = { write: () => undefined };
    expect(await runProgram(order, { stdout: nowhere, stderr: nowhere, version: '0.0.0' })).toBe(0);
    const left = async () => Object.keys(await distribution.published()).join();
    await distribution.until('the withdrawal', async () => (await left()) === 'fine-1.0-r0');
    const { body } = await distribution.get('/v1/queue');
    expect(body).toMatchObject({ queues: { verify: { active: 1 } } });
    finish();
    await distribution.until('slow', async () => 'slow-1.0-r0' in (await distribution.published()));
  });
});

describe('a registry that lies about a digest', slow, () => {
  it('gets no tag: it is a problem of the image with its code, logged, until it tells the truth', async () => {
    registry = await startFakeRegistry();
    let lies = true;
    registry.faults.push(({ method, path }, response) => {
      if (!lies || method !== 'PUT' || !path.includes('/manifests/')) return false;
      response.writeHead(201, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }).end();
      return true;
    });
    const distribution = await begin({
      files: { 'good.yaml': recipe('good'), 'images/made.yaml': 'contents:\n  packages:\n    - good\n' },
      config: { images: { push: [{ registry: registry.address }] } },
    });
    await distribution.until('the image', async () => 'made:latest' in (await distribution.images()));
    await distribution.until('the problem', async () => (await distribution.problems()).length > 0);
    const code = 'registry.digest-mismatch';
    expect(await distribution.problems()).toMatchObject([{ area: 'image', name: 'made:latest', code }]);
    expect(await told(distribution, 'made:latest', code)).toEqual(['problem']);
    expect(logged(distribution, 'made:latest', code)).toBe(1);
    expect((await distribution.events()).filter(({ kind }) => kind === 'image-pushed')).toEqual([]);
    expect(registry.asked.filter(({ method, path }) => method === 'PUT' && path.endsWith('/latest'))).toEqual([]);
    expect([...registry.manifests.keys()]).toEqual([]);
    lies = false;
    await distribution.until('no problem', async () => (await distribution.problems()).length === 0);
    await distribution.until('the push', async () => registry?.manifests.has('made latest') === true);
  });
});
