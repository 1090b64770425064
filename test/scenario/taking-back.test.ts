import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { runProgram } from '../../src/cli/program.ts';
import { collectionSchema } from '../../src/model/collection.ts';
import type { Generation } from '../../src/model/publication.ts';
import { currentKey, readCurrent } from '../../src/publish/manifest.ts';
import { readIndexFile } from '../support/independent/index-file.ts';
import { readPackageFile } from '../support/independent/package.ts';
import { readPublished } from '../support/independent/repository.ts';
import { opensslVerifies } from '../support/independent/signature.ts';
import { damageOf } from '../support/whole-store.ts';
import { createSmallDistribution, recipe, type SmallDistribution, target } from './support/small-distribution.ts';

const day = 86_400_000;
/** Milliseconds that something may take on a machine that has other things to do. */
const patience = 60_000;
const imageRef = 'tool:latest';
const imageName = 'images/tool.yaml';

/** Built with the library, and of no use without it. */
const tool = recipe('tool')
  .replace('  copyright:', '  dependencies:\n    runtime:\n      - lib\n  copyright:')
  .replace('      - busybox', '      - busybox\n      - lib');
const image = 'contents:\n  packages: [tool]\n';

let box: SmallDistribution;
beforeAll(async () => {
  box = await createSmallDistribution({
    files: { 'lib.yaml': recipe('lib'), 'tool.yaml': tool, [imageName]: image },
    config: { publish: { keyName: 'regrow-demo', keepGenerations: 2 } },
  });
}, 60_000);
afterAll(() => box.close());

/** What the command line answers; fails where it does not end well. */
async function regrow(args: readonly string[], ...exitCodes: readonly number[]): Promise<string> {
  let [out, err] = ['', ''];
  const stdout = { write: (text: string) => (out += text) };
  const stderr = { write: (text: string) => (err += text) };
  const server = ['--server', box.daemon().url ?? ''];
  const code = await runProgram([...args, ...server], { stdout, stderr, version: '0.0.0' });
  expect(exitCodes.length === 0 ? [0] : exitCodes, `regrow ${args.join(' ')}: ${err}`).toContain(code);
  return out + err;
}

async function current(): Promise<Generation> {
  const found = await readCurrent(await box.objects());
  if (found === undefined) throw new Error(`${currentKey} is not there`);
  return found.generation;
}

const names = async () => Object.keys(await box.published()).toSorted();

/** Waits until just these are published, and the image has that library. */
async function untilPublished(packages: readonly string[], library: string): Promise<void> {
  await box.until(
    `${packages.join(', ')} and an image with lib ${library}`,
    async () => {
      if ((await names()).join() !== packages.join()) return false;
      const { body } = await box.get('/v1/status');
      const { generation, images } = statusSchema.parse(body);
      const own = await imagePackages();
      return generation !== undefined && images.length === 1 && own.includes(`lib ${library}`);
    },
    patience,
  );
}

const statusSchema = z.object({
  generation: z.object({ generation: z.number() }).optional(),
  images: z.array(z.object({ ref: z.string() })),
  collection: z.object({ removed: z.object({ objects: z.number() }) }).optional(),
});

async function imagePackages(): Promise<readonly string[]> {
  const object = await (await box.objects()).get('images/current');
  if (object === undefined) return [];
  const catalogue = z
    .object({
      images: z.array(
        z.object({
          ref: z.string(),
          platforms: z.array(z.object({ packages: z.array(z.object({ name: z.string(), version: z.string() })) })),
        }),
      ),
    })
    .parse(JSON.parse(Buffer.from(object.bytes).toString()));
  const own = catalogue.images.find(({ ref }) => ref === imageRef)?.platforms[0]?.packages ?? [];
  return own.map(({ name, version }) => `${name} ${version}`);
}

const imageIndex = z.object({ manifests: z.array(z.object({ digest: z.string() })) });
const imageManifest = z.object({
  config: z.object({ digest: z.string() }),
  layers: z.array(z.object({ digest: z.string() })),
});

/** Reads all that is published as a machine would, with a reader that shares no code with the writer. */
async function readAll(): Promise<void> {
  const published = readPublished(join(box.directory, 'state/objects'));
  const own = published.targets.get(target);
  if (own === undefined) throw new Error(`nothing is published for ${target}`);
  const { entries, signatures } = readIndexFile(own.index);
  const listed = entries.map((fields) => `${fields.get('P')}-${fields.get('V')}.apk`);
  expect(listed.toSorted()).toEqual([...own.packages.keys()].toSorted());
  expect([...own.provenance.keys()].toSorted()).toEqual(listed.toSorted());
  for (const signature of signatures)
    expect(opensslVerifies(signature, published.keys.get(signature.key) ?? '')).toBe(true);
  for (const [file, bytes] of own.packages) {
    const read = readPackageFile(bytes);
    expect(entries.find((fields) => `${fields.get('P')}-${fields.get('V')}.apk` === file)?.get('C')).toBe(
      read.checksum,
    );
  }
  for (const digest of published.images.values()) {
    for (const one of imageIndex.parse(JSON.parse(published.blob(digest).toString())).manifests) {
      const { config, layers } = imageManifest.parse(JSON.parse(published.blob(one.digest).toString()));
      for (const part of [config, ...layers]) expect(published.blob(part.digest).length).toBeGreaterThan(0);
    }
  }
  expect(await damageOf(await box.objects())).toEqual([]);
}

/** Pulls an image by its digest from the daemon: whether all of it is there. */
async function canPull(digest: string): Promise<boolean> {
  const get = async (path: string) => {
    const answer = await fetch(`${box.daemon().url ?? ''}/v2/tool/${path}`);
    return answer.ok ? Buffer.from(await answer.arrayBuffer()) : undefined;
  };
  const index = await get(`manifests/${digest}`);
  if (index === undefined) return false;
  for (const one of imageIndex.parse(JSON.parse(index.toString())).manifests) {
    const manifest = await get(`manifests/${one.digest}`);
    if (manifest === undefined) return false;
    const { config, layers } = imageManifest.parse(JSON.parse(manifest.toString()));
    for (const part of [config, ...layers]) {
      const bytes = await get(`blobs/${part.digest}`);
      if (bytes === undefined) return false;
      expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(part.digest);
    }
  }
  return true;
}

async function collect(...args: readonly string[]) {
  // Two at the very same time would be one.
  box.clock.advance(1000);
  const collection = collectionSchema.parse(JSON.parse(await regrow(['gc', '--json', ...args])));
  expect(collection.missing).toEqual([]);
  return collection;
}

/** How often builds of a version were asked for. */
async function builds(version: string): Promise<number> {
  return (await box.events()).filter(({ kind, facts }) => kind === 'build-queued' && facts['version'] === version)
    .length;
}

test('withdrawn, gone back, forth again, and collected in between: what is published can be read at any time', {
  timeout: 300_000,
}, async () => {
  await untilPublished(['lib-1.0-r0', 'tool-1.0-r0'], '1.0-r0');
  const first = (await box.images())[imageRef] ?? '';
  await box.push({ 'lib.yaml': recipe('lib', { version: '1.1' }) });
  await untilPublished(['lib-1.0-r0', 'lib-1.1-r0', 'tool-1.0-r0'], '1.1-r0');
  const bad = (await box.images())[imageRef] ?? '';
  const badPackage = (await box.published())['lib-1.1-r0'] ?? '';
  await collect();
  await readAll();

  // Out of the repository, for good.
  const said = await regrow(['withdraw', 'lib-1.1-r0', '--reason', 'it has a back door']);
  expect(said).toContain(`withdraw lib 1.1-r0 (lib) from ${target}`);
  await untilPublished(['lib-1.0-r0', 'tool-1.0-r0'], '1.0-r0');
  expect((await box.images())[imageRef]).toBe(first);
  await box.until('explain says why', async () =>
    (await regrow(['explain', 'lib'], 0, 1)).includes('it has a back door'),
  );
  expect(JSON.stringify(await box.explain('lib'))).toContain('it has a back door');
  expect((await box.events()).filter(({ kind }) => kind === 'withdrawn')).toHaveLength(1);
  // What needs it keeps the last one that it can have.
  const refused = await regrow(['withdraw', 'lib-1.0-r0', '--reason', 'tidying'], 2);
  expect(refused).toContain(`tool on ${target} needs lib`);
  await readAll();

  // The epoch is raised; then back to before that, and what came since is held back.
  const before = await current();
  await box.push({ 'lib.yaml': recipe('lib', { version: '1.1', epoch: 1 }) });
  await untilPublished(['lib-1.0-r0', 'lib-1.1-r1', 'tool-1.0-r0'], '1.1-r1');
  const good = (await box.images())[imageRef] ?? '';
  const goodPackage = (await box.published())['lib-1.1-r1'] ?? '';
  expect(await regrow(['rollback', String(before.generation)])).toContain(
    `roll back to generation ${before.generation}`,
  );
  await untilPublished(['lib-1.0-r0', 'tool-1.0-r0'], '1.0-r0');
  await box.until('explain says that it is held back', async () =>
    (await regrow(['explain', 'lib'], 0, 1)).includes(`rolled back to generation ${before.generation}`),
  );

  // What is unused is noted; a week later that goes, and an image without a tag has its month.
  await collect();
  box.clock.advance(8 * day);
  await box.daemon().tick();
  const looked = await collect('--dry-run');
  expect(looked.kept).toMatchObject({ 'held-back': expect.any(Number), 'former-image': expect.any(Number) });
  await collect();
  await readAll();
  for (const digest of [first, bad, good]) expect(await canPull(digest)).toBe(true);
  const objects = await box.objects();
  const has = (digest: string) => objects.has(`blobs/sha256/${digest.slice(0, 2)}/${digest}`);
  expect(await has(badPackage), 'an image that was made of it can still be pulled').toBe(true);
  expect(await has(goodPackage), 'of a generation that is kept').toBe(true);
  const staged = (await objects.list('staging/')).map((key) => key.split('/').at(-1));
  expect(staged).toContain('lib-1.1-r1.apk');
  expect(staged).not.toContain('tool-1.0-r0.apk');
  // The newest logs stay, of what is published and of what is not.
  expect(staged.filter((name) => name === 'log').length).toBeGreaterThanOrEqual(2);

  box.clock.advance(31 * day);
  await box.daemon().tick();
  await collect();
  box.clock.advance(8 * day);
  await box.daemon().tick();
  await collect();
  expect(await canPull(first)).toBe(true);
  expect(await canPull(bad)).toBe(false);
  expect(await has(badPackage)).toBe(false);
  await readAll();

  // Forth again, from what was kept for it: nothing is built a second time.
  const built = await builds('1.1-r1');
  await regrow(['rollback', '--undo']);
  await untilPublished(['lib-1.0-r0', 'lib-1.1-r1', 'tool-1.0-r0'], '1.1-r1');
  expect(await builds('1.1-r1')).toBe(built);
  expect((await box.published())['lib-1.1-r1']).toBe(goodPackage);
  expect((await box.images())[imageRef]).toBe(good);
  expect(await canPull(good)).toBe(true);
  await collect();
  await readAll();

  expect(await box.problems()).toEqual([]);
  const events = await box.events();
  expect(events.filter(({ kind }) => kind === 'rolled-back')).toHaveLength(2);
  expect(events.some(({ kind, facts }) => kind === 'collected' && Number(facts['objects']) > 0)).toBe(true);
  expect(statusSchema.parse((await box.get('/v1/status')).body).collection).toBeDefined();
});
