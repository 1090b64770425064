import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { RegrowError } from '../../src/errors.ts';
import type { Objects } from '../../src/ports/objects.ts';
import {
  createSmallDistribution,
  fetchedRecipe,
  owner,
  recipe,
  type SmallDistribution,
  type SmallDistributionOptions,
} from './support/small-distribution.ts';

/** Milliseconds of what has to wait for connections and retries. */
const slow = 90_000;

let box: SmallDistribution | undefined;
afterEach(async () => {
  await box?.close();
  box = undefined;
});

async function begin(options: SmallDistributionOptions): Promise<SmallDistribution> {
  box = await createSmallDistribution(options);
  return box;
}

/** Every published package is whole: the bytes are those of the index. */
async function wholePackages(distribution: SmallDistribution): Promise<readonly string[]> {
  const objects = await distribution.objects();
  const names: string[] = [];
  for (const [name, digest] of Object.entries(await distribution.published())) {
    const blob = await objects.get(`blobs/sha256/${digest.slice(0, 2)}/${digest}`);
    if (blob?.etag === digest) names.push(name);
  }
  return names;
}

describe('a full disk', () => {
  /** Objects on a disk without space while `isFull` says so. */
  function diskOf(isFull: (key: string) => boolean) {
    const refuse = (key: string): void => {
      if (isFull(key)) throw new RegrowError('storage.full', `no space left for ${key}`, { file: key, retry: 'later' });
    };
    return (objects: Objects): Objects => ({
      ...objects,
      async put(key, bytes) {
        refuse(key);
        return objects.put(key, bytes);
      },
      async swap(key, bytes, expected, guard) {
        refuse(key);
        return objects.swap(key, bytes, expected, guard);
      },
    });
  }

  it.each([
    ['of the builder’s packages', /^staging\//],
    ['of results', /^results\//],
    ['of what the publisher writes', /^(blobs|repository\/(current|generations))/],
    ['of everything', /^/],
  ])('%s: says storage.full, loses nothing, and goes on by itself when there is space', async (_what, keys) => {
    let full = false;
    const distribution = await begin({
      files: { 'good.yaml': recipe('good') },
      daemon: { wrapObjects: diskOf((key) => full && keys.test(key)) },
    });
    await distribution.until('the start', async () => 'good-1.0-r0' in (await distribution.published()));
    const before = await distribution.published();

    full = true;
    await distribution.push({ 'good.yaml': recipe('good', { version: '1.1' }), 'other.yaml': recipe('other') });
    const refused = () => distribution.lines.some((line) => line['code'] === 'storage.full');
    await distribution.until('storage.full', refused);
    expect(await distribution.published()).toEqual(before);

    full = false;
    await distribution.until('both', async () => Object.keys(await distribution.published()).length === 3);
    expect(await wholePackages(distribution)).toEqual(Object.keys(await distribution.published()));
    expect(await distribution.published()).toMatchObject(before);
    await distribution.until('no problem', async () => (await distribution.problems()).length === 0);
  });

  it('of the ledger: the daemon lives on, and another one with space goes on where it was', async () => {
    const many = Array.from({ length: 14 }, (_, number) => `package-${number}`);
    const distribution = await begin({
      files: Object.fromEntries(many.map((name) => [`${name}.yaml`, recipe(name)])),
      daemon: { ledgerLimit: 110_000 },
    });
    const refused = () => distribution.lines.some((line) => line['code'] === 'storage.full');
    await distribution.until('storage.full', refused);
    expect((await distribution.get('/healthz')).status).toBe(200);
    await distribution.daemon().stop(1000);
    await distribution.start({ ledgerLimit: 1_000_000_000 });
    await distribution.until('all', async () => Object.keys(await distribution.published()).length === many.length);
    expect((await wholePackages(distribution)).length).toBe(many.length);
  });
});

describe('a Redis that refuses', () => {
  it('at the start: the command says queue.unreachable with what to do, and ends with 3', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'regrow-refused-'));
    try {
      const file = join(directory, 'regrow.yaml');
      const redis = { url: `unix://${join(directory, 'none.sock')}` };
      writeFileSync(file, stringify({ stateDirectory: join(directory, 'state'), redis, api: { port: 0 } }));
      const { code, stderr } = await runProgram(['run', '--config', file]);
      expect(code).toBe(3);
      expect(stderr).toContain('queue.unreachable');
      expect(stderr).toContain('none.sock');
      expect(stderr).toContain('redis.url');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it(
    'in the middle: the daemon lives on, says so once, and carries on when Redis is back',
    async () => {
      const distribution = await begin({
        files: {},
        prepare: async (small) => ({
          'good.yaml': fetchedRecipe('good', await small.project('good')),
          'steady.yaml': recipe('steady', {
            pipeline: '  - runs: install -D -m 644 /dev/null "${{targets.destdir}}/usr/share/steady/data"\n',
          }),
        }),
      });
      await distribution.until('a publication', async () => 'good-1.0-r0' in (await distribution.published()));
      const before = await distribution.published();
      await distribution.redis.crash();
      await distribution.release('good', '1.1');
      await distribution.until('the daemon to notice', () =>
        distribution.lines.some((line) => line['code'] === 'queue.unreachable'),
      );
      expect((await distribution.get('/v1/packages/good')).status).toBe(200);
      expect(await distribution.published()).toMatchObject(before);
      await distribution.redis.start();
      await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()));
      await distribution.until('steady', async () => 'steady-1.0-r0' in (await distribution.published()));
      expect(distribution.os.pulls().length).toBe(1);
    },
    slow,
  );
});

describe('a forge that does not do what it is asked', () => {
  it.each([
    ['fails', { kind: 'status', status: 500 }, 'upstream.unreachable'],
    ['refuses the token', { kind: 'status', status: 403 }, 'forge.unauthorized'],
    ['answers a page', { kind: 'html' }, 'upstream.answer-invalid'],
  ] as const)(
    '%s for a while: main goes on, proposals wait',
    async (_what, does, code) => {
      const distribution = await begin({
        files: {},
        prepare: async (small) => ({
          'good.yaml': fetchedRecipe('good', await small.project('good')),
          'other.yaml': recipe('other'),
        }),
      });
      await distribution.until('the start', async () => Object.keys(await distribution.published()).length === 2);
      const before = await distribution.published();
      distribution.github.faults.add({ path: `/repos/${owner}/os/`, times: Infinity, does });
      await distribution.release('good', '1.1');
      await distribution.push({ 'other.yaml': recipe('other', { version: '1.1' }) });
      // A server that fails is asked three times, seconds apart, in each round.
      await distribution.until('other 1.1', async () => 'other-1.1-r0' in (await distribution.published()), slow);
      const said = (await distribution.events()).filter(({ facts }) => facts['source'] === 'forge');
      expect(said).toMatchObject([{ kind: 'source-failed', facts: { code } }]);
      const { body } = await distribution.get('/v1/status');
      expect(body).toMatchObject({
        sources: { failing: [{ source: 'forge', message: expect.stringContaining(code) }] },
      });
      expect(await distribution.published()).toMatchObject(before);
      expect(distribution.os.pulls()).toEqual([]);

      distribution.github.faults.clear();
      await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()), slow);
      await distribution.until('nothing fails', async () => {
        const { body: now } = await distribution.get('/v1/status');
        return (now as { sources: { failing: unknown[] } }).sources.failing.length === 0;
      });
      expect(distribution.os.pulls().length).toBe(1);
      await distribution.until('no problem', async () => (await distribution.problems()).length === 0);
    },
    slow * 2,
  );
});

describe('a branch that someone else pushed to', () => {
  /** A release that does not build, so that its pull request stays open. */
  async function openPull(): Promise<SmallDistribution> {
    const distribution = await begin({
      files: {},
      prepare: async (small) => ({ 'good.yaml': stubborn(await small.project('good')) }),
    });
    await distribution.until('the start', async () => 'good-1.0-r0' in (await distribution.published()));
    await distribution.release('good', '1.1');
    await distribution.until('a red pull request', () => statusOf(distribution) === 'failure');
    return distribution;
  }

  /** Refuses to be built at 1.1. */
  function stubborn(sha256: string): string {
    return fetchedRecipe('good', sha256).replace('install -D', 'grep -q 1.0 data.txt && install -D');
  }

  function statusOf(distribution: SmallDistribution): string | undefined {
    const pull = distribution.os.pulls()[0];
    if (pull === undefined) return undefined;
    return distribution.os.statuses(pull.head).findLast(({ context }) => context === 'regrow')?.state;
  }

  const branch = 'regrow/good';

  it('is built and judged, is never moved nor merged by regrow, and is published when a person merges it', async () => {
    const distribution = await openPull();
    const mended = (await distribution.os.read('good.yaml', `refs/heads/${branch}`))?.replace(
      'grep -q 1.0',
      'grep -q 1',
    );
    const commit = await distribution.push({ 'good.yaml': mended ?? '' }, branch, 'alice');
    await distribution.until('a green one', () => statusOf(distribution) === 'success');
    const pull = distribution.os.pulls()[0];
    expect(pull).toMatchObject({ state: 'open', head: commit });
    expect((await distribution.explain('good')).blocker).toMatchObject({ kind: 'problem', code: 'forge.conflict' });
    const told = (await distribution.events()).filter(({ kind }) => kind === 'problem');
    expect(told).toMatchObject([{ package: 'good', facts: { code: 'forge.conflict' } }]);

    // The next release does not take it over.
    await distribution.release('good', '1.2');
    await distribution.until('the refusal', async () =>
      (await distribution.problems()).some((one) => one.area === 'propose'),
    );
    expect(distribution.os.pulls()).toMatchObject([{ head: commit }]);

    await merge(distribution, pull?.number ?? 0);
    await distribution.until('good 1.1', async () => 'good-1.1-r0' in (await distribution.published()));
    await distribution.until('good 1.2', () => distribution.os.pulls().length === 2);
  });

  it('and broke the recipe: red with the error, and not merged', async () => {
    const distribution = await openPull();
    const before = await distribution.published();
    const commit = await distribution.push({ 'good.yaml': 'package: [\n' }, branch, 'alice');
    await distribution.until('the problem', async () => (await distribution.problems()).length > 0);
    await distribution.until('red', () => statusOf(distribution) === 'failure');
    expect(await distribution.problems()).toMatchObject([
      { code: 'recipe.malformed', name: 'good', file: 'good.yaml' },
    ]);
    expect((await distribution.explain('good')).blocker).toMatchObject({ kind: 'problem', code: 'recipe.malformed' });
    expect(distribution.os.pulls()).toMatchObject([{ state: 'open', head: commit }]);
    expect(await distribution.published()).toEqual(before);
  });

  it('a pull request whose text was taken away gets it back, and is not taken for built', async () => {
    const distribution = await openPull();
    const pull = distribution.os.pulls()[0];
    await call(distribution, 'PATCH', `/repos/${owner}/os/pulls/${pull?.number}`, { body: 'Nothing to see' });
    await distribution.until('the text', () => distribution.os.pulls()[0]?.body?.includes('1.1-r0') === true);
    expect(distribution.os.pulls()).toMatchObject([{ state: 'open' }]);
    await distribution.until('no problem', async () => (await distribution.problems()).length === 0);
  });
});

async function call(distribution: SmallDistribution, method: string, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${distribution.github.apiUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
}

function merge(distribution: SmallDistribution, number: number): Promise<void> {
  return call(distribution, 'PUT', `/repos/${owner}/os/pulls/${number}/merge`, {});
}

function runProgram(args: readonly string[]): Promise<{ readonly code: unknown; readonly stderr: string }> {
  const program = new URL('../../src/main.ts', import.meta.url).pathname;
  return new Promise((done) => {
    execFile(process.execPath, ['--import', 'tsx', program, ...args], { timeout: 25_000 }, (error, _stdout, stderr) => {
      done({ code: error === null ? 0 : error.code, stderr });
    });
  });
}
