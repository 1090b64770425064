import { beforeAll, describe, expect, it } from 'vitest';
import type { PackagedTree } from '../../../src/build/packaging.ts';
import { readApk, verifyApkSignature } from '../../../src/formats/apk.ts';
import { readIndex, verifyIndexSignature } from '../../../src/formats/apk-index.ts';
import type { Artifact } from '../../../src/model/artifact.ts';
import { sha256 } from '../../../src/model/canonical.ts';
import type { Generation } from '../../../src/model/publication.ts';
import type { TargetName } from '../../../src/model/target.ts';
import { blobKey, type Objects, stagingKey } from '../../../src/ports/objects.ts';
import type { Addition } from '../../../src/publish/additions.ts';
import { publishedPrefix } from '../../../src/publish/former.ts';
import { type PublishOptions, type PublishTransaction, publishGeneration } from '../../../src/publish/generation.ts';
import { generationsPrefix, readCurrent, readGeneration, readPackages } from '../../../src/publish/manifest.ts';
import { resignIndexes } from '../../../src/publish/resign.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { crashAt } from '../../support/crashing-objects.ts';
import { makePackage, type SamplePackage } from '../../support/package-trees.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const signer = createTestSigner('box');
const keys = [{ name: signer.keyName, publicKey: signer.publicKey }];
const clock = createManualClock('2026-11-24T12:00:00.000Z');
const script = { content: '#!/bin/sh\n', mode: 0o755 };

const samples: Record<string, SamplePackage> = {
  tool: { name: 'tool', nodes: { 'usr/bin/tool': script } },
  toolMusl: { name: 'tool', nodes: { 'usr/bin/tool': script }, input: { target: 'x86_64-musl' } },
  tool2: { name: 'tool', version: '1.1.0-r0', nodes: { 'usr/bin/tool': script } },
  tool3: { name: 'tool', version: '1.10.0-r0', nodes: { 'usr/bin/tool': script } },
  changed: { name: 'tool', nodes: { 'usr/bin/tool': { content: '#!/bin/sh\nexit 1\n', mode: 0o755 } } },
  data: { name: 'data', nodes: { 'usr/share/data': 'x' } },
};
const made = new Map<string, PackagedTree>();
beforeAll(async () => {
  for (const [name, sample] of Object.entries(samples)) made.set(name, await makePackage(sample));
});

function packageOf(name: string): PackagedTree {
  const found = made.get(name);
  if (found === undefined) throw new Error(`no sample ${name}`);
  return found;
}

/** Puts samples into staging, as a builder does. */
async function stage(objects: Objects, ...names: string[]): Promise<Addition[]> {
  const additions: Addition[] = [];
  for (const name of names) {
    const { artifact, bytes } = packageOf(name);
    const key = stagingKey(`key-${name}`, `${artifact.info.name}-${artifact.info.version}.apk`);
    await objects.put(key, bytes);
    additions.push({ key, artifact });
  }
  return additions;
}

function publish(
  objects: Objects,
  add: readonly Addition[],
  more: Partial<PublishTransaction> = {},
  options: PublishOptions = {},
) {
  return publishGeneration({ objects, signer, clock }, { add, token: 1, ...more }, options);
}

async function bytesOf(objects: Objects, key: string): Promise<Uint8Array> {
  const object = await objects.get(key);
  if (object === undefined) throw new Error(`${key} is not there`);
  return object.bytes;
}

/** Reads a generation as a machine would: everything that the pointer leads to is there, signed, and fits. */
async function readWhole(objects: Objects, generation: Generation): Promise<string[]> {
  const found: string[] = [];
  for (const [target, digests] of Object.entries(generation.targets)) {
    const index = await bytesOf(objects, blobKey(digests.index));
    verifyIndexSignature(index, keys);
    const packages = await readPackages(objects, generation, target as TargetName);
    expect(readIndex(index).entries.map(({ checksum, bytes }) => [checksum, bytes])).toEqual(
      packages.map(({ checksum, bytes }) => [checksum, bytes]),
    );
    for (const artifact of packages) {
      const bytes = await bytesOf(objects, blobKey(artifact.digest));
      expect(sha256(bytes)).toBe(artifact.digest);
      verifyApkSignature(bytes, keys);
      const apk = readApk(bytes);
      expect(apk.info).toEqual(artifact.info);
      expect(apk.checksum).toBe(artifact.checksum);
      expect(apk.entries().length).toBeGreaterThan(0);
      found.push(`${target} ${artifact.info.name} ${artifact.info.version}`);
    }
  }
  return found;
}

async function current(objects: Objects): Promise<Generation | undefined> {
  return (await readCurrent(objects))?.generation;
}

describe('a publication', () => {
  it('makes packages of all targets visible in one swap, signed, in an index that lists them', async () => {
    const objects = createMemoryObjects();
    const generation = await publish(objects, await stage(objects, 'tool', 'toolMusl', 'data'));
    expect(generation).toMatchObject({
      generation: 1,
      token: 1,
      at: '2026-11-24T12:00:00.000Z',
      added: ['data-1.0.0-r0 x86_64-gnu', 'tool-1.0.0-r0 x86_64-gnu', 'tool-1.0.0-r0 x86_64-musl'],
      removed: [],
    });
    expect(await readWhole(objects, generation)).toEqual([
      'x86_64-gnu data 1.0.0-r0',
      'x86_64-gnu tool 1.0.0-r0',
      'x86_64-musl tool 1.0.0-r0',
    ]);
    expect(objects.calls.filter((call) => call.startsWith('swap'))).toEqual(['swap repository/current']);
    expect(await current(objects)).toEqual(generation);
  });

  it('keeps older versions, sorted in apk order, and the manifest of the generation before', async () => {
    const objects = createMemoryObjects();
    const first = await publish(objects, await stage(objects, 'tool3', 'tool'));
    const second = await publish(objects, await stage(objects, 'tool2'));
    expect(second).toMatchObject({ generation: 2, parent: 1, added: ['tool-1.1.0-r0 x86_64-gnu'], removed: [] });
    expect(await readWhole(objects, second)).toEqual(
      ['1.0.0-r0', '1.1.0-r0', '1.10.0-r0'].map((version) => `x86_64-gnu tool ${version}`),
    );
    expect(await readGeneration(objects, 1)).toEqual(first);
    expect(await readWhole(objects, first)).toHaveLength(2);
  });

  it('can keep only the newest versions', async () => {
    const objects = createMemoryObjects();
    await publish(objects, await stage(objects, 'tool', 'data'));
    const generation = await publish(objects, await stage(objects, 'tool2', 'tool3'), {}, { keepVersions: 2 });
    expect(generation.removed).toEqual(['tool-1.0.0-r0 x86_64-gnu']);
    expect(await readWhole(objects, generation)).toEqual([
      'x86_64-gnu data 1.0.0-r0',
      'x86_64-gnu tool 1.1.0-r0',
      'x86_64-gnu tool 1.10.0-r0',
    ]);
  });

  it('takes packages away', async () => {
    const objects = createMemoryObjects();
    await publish(objects, await stage(objects, 'tool', 'data'));
    const remove = [{ name: 'data', version: '1.0.0-r0', target: 'x86_64-gnu' as const }];
    const generation = await publish(objects, [], { remove });
    expect(generation).toMatchObject({ added: [], removed: ['data-1.0.0-r0 x86_64-gnu'] });
    expect(await readWhole(objects, generation)).toEqual(['x86_64-gnu tool 1.0.0-r0']);
    expect((await publish(objects, [], { remove })).generation).toBe(generation.generation);
  });

  it('has the same bytes in two stores', async () => {
    const [one, two] = [createMemoryObjects(), createMemoryObjects()];
    const add = await stage(one, 'tool', 'data');
    await stage(two, 'data', 'tool');
    expect(await publish(one, add)).toEqual(await publish(two, add.toReversed()));
  });
});

describe('a repeat', () => {
  it('gives the current generation back, even when staging is gone', async () => {
    const objects = createMemoryObjects();
    const add = await stage(objects, 'tool');
    const generation = await publish(objects, add);
    for (const { key } of add) await objects.remove(key);
    expect(await publish(objects, [...add, ...add], { token: 7 })).toEqual(generation);
  });

  it('with other content under the same version is package.conflict, and nothing changes', async () => {
    const objects = createMemoryObjects();
    const generation = await publish(objects, await stage(objects, 'tool'));
    await expect(publish(objects, await stage(objects, 'changed', 'data'))).rejects.toMatchObject({
      code: 'package.conflict',
      where: { package: 'tool' },
    });
    expect(await current(objects)).toEqual(generation);
  });

  it('with other content under a version that has left the index is package.conflict too', async () => {
    const objects = createMemoryObjects();
    await publish(objects, await stage(objects, 'tool', 'data'));
    // As if the publisher had been stopped before it wrote down what it had published.
    for (const key of await objects.list(publishedPrefix)) await objects.remove(key);
    const remove = [{ name: 'tool', version: '1.0.0-r0', target: 'x86_64-gnu' }] as const;
    const without = await publish(objects, [], { remove });
    expect(without.removed).toEqual(['tool-1.0.0-r0 x86_64-gnu']);
    await expect(publish(objects, await stage(objects, 'changed'))).rejects.toMatchObject({
      code: 'package.conflict',
      message: expect.stringContaining('tool-1.0.0-r0 x86_64-gnu was once published with other content'),
    });
    expect(await current(objects)).toEqual(without);
    const back = await publish(objects, await stage(objects, 'tool', 'toolMusl'));
    expect(back.added).toEqual(['tool-1.0.0-r0 x86_64-gnu', 'tool-1.0.0-r0 x86_64-musl']);
  });

  it('with two contents for one version in one transaction is package.conflict', async () => {
    const objects = createMemoryObjects();
    await expect(publish(objects, await stage(objects, 'tool', 'changed'))).rejects.toMatchObject({
      code: 'package.conflict',
    });
    expect(await current(objects)).toBeUndefined();
  });
});

describe('what is not as it was verified', () => {
  const withArtifact = (add: readonly Addition[], change: (artifact: Artifact) => Partial<Artifact>) =>
    add.map((one) => ({ ...one, artifact: { ...one.artifact, ...change(one.artifact) } }));
  type Prepare = (objects: Objects, add: readonly Addition[]) => Promise<readonly Addition[]>;

  it.each<[string, Prepare]>([
    [
      'staging is empty',
      async (objects, add) => {
        for (const { key } of add) await objects.remove(key);
        return add;
      },
    ],
    [
      'staging holds another file',
      async (objects, add) => {
        for (const { key } of add) await objects.put(key, packageOf('changed').bytes);
        return add;
      },
    ],
    [
      'the package says other things of itself',
      async (_, add) => withArtifact(add, ({ info }) => ({ info: { ...info, provides: ['cmd:sudo=1'] } })),
    ],
    ['another checksum', async (_, add) => withArtifact(add, () => ({ checksum: 'Q1xx' }))],
    ['another architecture', async (_, add) => withArtifact(add, () => ({ target: 'aarch64-gnu' }))],
  ])('is refused: %s', async (_, prepare) => {
    const objects = createMemoryObjects();
    const add = await prepare(objects, await stage(objects, 'tool'));
    await expect(publish(objects, add)).rejects.toMatchObject({
      code: 'package.malformed',
      where: { package: 'tool' },
    });
    expect(await current(objects)).toBeUndefined();
  });
});

describe('two publishers', () => {
  it('do not overwrite each other: the slower one is told, and succeeds on top', async () => {
    const objects = createMemoryObjects();
    const [tool, data] = [await stage(objects, 'tool'), await stage(objects, 'data')];
    objects.faults.beforeSwap(async () => {
      await publish(objects, data);
    });
    await expect(publish(objects, tool)).rejects.toMatchObject({ code: 'repository.moved', retry: 'now' });
    const generation = await publish(objects, tool);
    expect(await readWhole(objects, generation)).toEqual(['x86_64-gnu data 1.0.0-r0', 'x86_64-gnu tool 1.0.0-r0']);
  });

  it('the one that was replaced is refused by its token', async () => {
    const objects = createMemoryObjects();
    const generation = await publish(objects, await stage(objects, 'tool'), { token: 5 });
    await expect(publish(objects, await stage(objects, 'data'), { token: 4 })).rejects.toMatchObject({
      code: 'repository.moved',
      retry: 'never',
    });
    expect(await current(objects)).toEqual(generation);
    const older = { ...signer, older: [createTestSigner('old')] };
    await expect(resignIndexes({ objects, signer: older, clock }, 4)).rejects.toMatchObject({
      code: 'repository.moved',
      retry: 'never',
    });
    expect(await current(objects)).toEqual(generation);
  });
});

describe('a store that the disk has changed', () => {
  it('is repository.corrupt where a package list is not what its digest says', async () => {
    const objects = createMemoryObjects();
    const { targets } = await publish(objects, await stage(objects, 'tool'));
    const key = blobKey(targets['x86_64-gnu']?.packages ?? '');
    const text = Buffer.from(await bytesOf(objects, key)).toString('utf8');
    await objects.put(key, Buffer.from(text.replaceAll('1.0.0-r0', '9.9.9-r0')));
    await expect(publish(objects, await stage(objects, 'data'))).rejects.toMatchObject({ code: 'repository.corrupt' });
    expect((await current(objects))?.generation).toBe(1);
  });

  it('is mended where it has something else in the place of what is published', async () => {
    const [objects, other] = [createMemoryObjects(), createMemoryObjects()];
    const planned = await publish(other, await stage(other, 'tool'));
    const [artifact] = await readPackages(other, planned, 'x86_64-gnu');
    await objects.put(blobKey(artifact?.digest ?? ''), Buffer.from('half of a pack'));
    expect(await readWhole(objects, await publish(objects, await stage(objects, 'tool')))).toHaveLength(1);
  });
});

describe('older generations', () => {
  it('are forgotten beyond the number to keep, with what only they point to', async () => {
    const objects = createMemoryObjects();
    const history: Generation[] = [];
    for (const name of ['tool', 'data', 'tool2', 'tool3']) {
      history.push(await publish(objects, await stage(objects, name), {}, { keepGenerations: 1 }));
    }
    expect(await objects.list(generationsPrefix)).toEqual([`${generationsPrefix}3.json`]);
    const [first, , third, fourth] = history;
    for (const kept of [third, fourth]) if (kept !== undefined) await readWhole(objects, kept);
    expect(await objects.has(blobKey(first?.targets['x86_64-gnu']?.index ?? ''))).toBe(false);
    expect(await objects.has(blobKey(first?.targets['x86_64-gnu']?.packages ?? ''))).toBe(false);
  });

  it('do not hold up a publication when they cannot be forgotten', async () => {
    const objects = createMemoryObjects();
    await publish(objects, await stage(objects, 'tool'));
    objects.faults.fail('list');
    expect((await publish(objects, await stage(objects, 'data'))).generation).toBe(2);
  });
});

describe('a store that fails', () => {
  it('full: storage.full, and the repository is as it was', async () => {
    const objects = createMemoryObjects();
    const generation = await publish(objects, await stage(objects, 'tool'));
    const add = await stage(objects, 'data');
    objects.faults.full(true);
    await expect(publish(objects, add)).rejects.toMatchObject({ code: 'storage.full', retry: 'later' });
    objects.faults.full(false);
    expect(await current(objects)).toEqual(generation);
    expect((await publish(objects, add)).generation).toBe(2);
  });

  it('a pointer that is no manifest: repository.corrupt, and it is not overwritten', async () => {
    const objects = createMemoryObjects();
    await objects.put('repository/current', Buffer.from('{"generation": "x"'));
    await expect(publish(objects, await stage(objects, 'tool'))).rejects.toMatchObject({ code: 'repository.corrupt' });
  });

  it('a package list that is gone: repository.corrupt', async () => {
    const objects = createMemoryObjects();
    const generation = await publish(objects, await stage(objects, 'tool'));
    await objects.remove(blobKey(generation.targets['x86_64-gnu']?.packages ?? ''));
    await expect(publish(objects, await stage(objects, 'data'))).rejects.toMatchObject({ code: 'repository.corrupt' });
  });
});

describe('a publisher that dies', () => {
  /** The store before the transaction that is cut short, and the transaction. */
  async function prepare(): Promise<{ objects: MemoryObjects; add: Addition[]; before: Generation }> {
    const objects = createMemoryObjects();
    const options = { keepGenerations: 1 };
    await publish(objects, await stage(objects, 'tool'), {}, options);
    const before = await publish(objects, await stage(objects, 'tool2'), {}, options);
    return { objects, add: await stage(objects, 'tool3', 'toolMusl', 'data'), before };
  }

  it.each(['before', 'after'] as const)(
    '%s any operation leaves a whole generation, and the next run finishes it',
    async (when) => {
      const options = { keepGenerations: 1 };
      const whole = await prepare();
      const calls = whole.objects.calls.length;
      const expected = await publish(whole.objects, whole.add, {}, options);
      const operations = whole.objects.calls.length - calls;
      const files = await readWhole(whole.objects, expected);
      for (let operation = 1; operation <= operations; operation += 1) {
        const { objects, add, before } = await prepare();
        const visible = await readWhole(objects, before);
        const crashing = crashAt(objects, operation, when);
        await publish(crashing, add, {}, options).catch(() => undefined);
        expect(crashing.crashed()).toBe(true);
        const left = (await current(objects)) ?? before;
        expect([before, expected]).toContainEqual(left);
        expect([visible, files]).toContainEqual(await readWhole(objects, left));
        expect(await publish(objects, add, {}, options)).toEqual(expected);
        expect(await readWhole(objects, expected)).toEqual(files);
      }
      expect(operations).toBeGreaterThan(20);
    },
  );
});
