import { beforeEach, describe, expect, it } from 'vitest';
import { readIndex } from '../../../src/formats/apk-index.ts';
import type { Generation } from '../../../src/model/publication.ts';
import type { TargetName } from '../../../src/model/target.ts';
import { blobKey, stagingKey } from '../../../src/ports/objects.ts';
import type { Addition } from '../../../src/publish/additions.ts';
import { type PublishOptions, publishGeneration } from '../../../src/publish/generation.ts';
import { readCurrent, readPackages } from '../../../src/publish/manifest.ts';
import { rollBack, undoRollback, withdraw } from '../../../src/publish/withdraw.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const signer = createTestSigner('box');
const targets: readonly TargetName[] = ['x86_64-gnu', 'x86_64-musl'];
let objects: MemoryObjects;
let clock: ManualClock;
beforeEach(() => {
  objects = createMemoryObjects();
  clock = createManualClock('2026-11-24T12:00:00.000Z');
});

interface Sample {
  readonly origin: string;
  readonly name?: string;
  readonly version: string;
  readonly depends?: readonly string[];
}

async function additionsOf(samples: readonly Sample[]): Promise<readonly Addition[]> {
  const additions: Addition[] = [];
  for (const { origin, name = origin, version, depends = [] } of samples) {
    for (const target of targets) {
      const { artifact, bytes } = await makePackage({
        name,
        version,
        nodes: { 'usr/share/x': `${name} ${version}` },
        recipe: { depends },
        input: { target, origin },
      });
      const key = stagingKey(`${target}-${name}-${version}`, `${name}-${version}.apk`);
      await objects.put(key, bytes);
      additions.push({ key, artifact });
    }
  }
  return additions;
}

const ports = () => ({ objects, signer, clock });

async function publish(samples: readonly Sample[], options: PublishOptions = {}): Promise<Generation> {
  return publishGeneration(ports(), { add: await additionsOf(samples), token: 1 }, options);
}

/** What machines find now: each target has the same, or this fails. */
async function served(): Promise<readonly string[]> {
  const { generation } = (await readCurrent(objects)) ?? {};
  const [gnu, musl] = await Promise.all(
    targets.map(async (target) => {
      const index = await objects.get(blobKey(generation?.targets[target]?.index ?? ''));
      return readIndex(index?.bytes ?? new Uint8Array()).entries.map(({ info }) => `${info.name} ${info.version}`);
    }),
  );
  expect(gnu).toEqual(musl);
  return gnu ?? [];
}

const order = { name: 'tool', version: '2-r0', reason: 'it eats files', force: false };

describe('withdrawing a version', () => {
  const twoVersions = async () => {
    await publish([
      { origin: 'tool', version: '1-r0' },
      { origin: 'tool', name: 'tool-doc', version: '1-r0' },
    ]);
    await publish([
      { origin: 'tool', version: '2-r0' },
      { origin: 'tool', name: 'tool-doc', version: '2-r0' },
      { origin: 'other', version: '2-r0' },
    ]);
  };

  it.each(['tool', 'tool-doc'])(
    'takes all packages of the recipe out, on all targets, by the name of %s',
    async (name) => {
      await twoVersions();
      const generation = await withdraw(ports(), { ...order, name }, 1);
      expect(await served()).toEqual(['other 2-r0', 'tool 1-r0', 'tool-doc 1-r0']);
      expect(generation.removed).toHaveLength(4);
      expect(generation.withdrawn).toEqual([
        { origin: 'tool', version: '2-r0', reason: 'it eats files', at: '2026-11-24T12:00:00.000Z' },
      ]);
    },
  );

  it('is for good: neither the next generations nor the same build bring it back, a higher epoch does', async () => {
    await twoVersions();
    await withdraw(ports(), order, 1);
    await expect(publish([{ origin: 'tool', version: '2-r0' }])).rejects.toMatchObject({
      code: 'package.withdrawn',
      message: 'tool 2-r0 was withdrawn at 2026-11-24T12:00:00.000Z: it eats files',
      remedy: expect.stringContaining('raise the epoch'),
    });
    const next = await publish([{ origin: 'tool', version: '2-r1' }]);
    expect(next.withdrawn).toHaveLength(1);
    expect(await served()).toEqual(['other 2-r0', 'tool 1-r0', 'tool 2-r1', 'tool-doc 1-r0']);
  });

  it('a second time is nothing; of what was never there it is refused', async () => {
    await twoVersions();
    const generation = await withdraw(ports(), order, 1);
    expect(await withdraw(ports(), order, 1)).toEqual(generation);
    await expect(withdraw(ports(), { ...order, version: '9-r0' }, 1)).rejects.toMatchObject({
      code: 'request.not-found',
    });
  });

  it('is refused when something published needs it, unless it is forced', async () => {
    await twoVersions();
    await publish([{ origin: 'user', version: '1-r0', depends: ['tool>1-r0'] }]);
    await expect(withdraw(ports(), order, 1)).rejects.toMatchObject({
      code: 'request.invalid',
      message: 'user on x86_64-gnu needs tool>1-r0; user on x86_64-musl needs tool>1-r0',
    });
    expect(await served()).toContain('tool 2-r0');
    await withdraw(ports(), { ...order, force: true }, 1);
    expect(await served()).not.toContain('tool 2-r0');
  });

  it('brings the version before back where the index has no older one, but none that was withdrawn too', async () => {
    for (const version of ['1-r0', '2-r0', '3-r0']) {
      await publish(
        [
          { origin: 'tool', version },
          { origin: 'other', version },
        ],
        { keepVersions: 1 },
      );
    }
    await withdraw(ports(), { ...order, version: '3-r0' }, 1);
    expect(await served()).toEqual(['other 3-r0', 'tool 2-r0']);
    await withdraw(ports(), order, 1);
    expect(await served()).toEqual(['other 3-r0', 'tool 1-r0']);
    await withdraw(ports(), { ...order, version: '1-r0' }, 1);
    expect(await served()).toEqual(['other 3-r0']);
  });

  it('by a publisher that another took over from is refused', async () => {
    await twoVersions();
    await expect(withdraw(ports(), order, 0)).rejects.toMatchObject({ code: 'repository.moved', retry: 'never' });
  });
});

describe('going back to an older generation', () => {
  it('gives its content on all targets, and what was newer is held back until that is undone', async () => {
    const first = await publish([{ origin: 'tool', version: '1-r0' }]);
    await publish([
      { origin: 'tool', version: '2-r0' },
      { origin: 'more', version: '1-r0' },
    ]);
    clock.advance(60_000);
    const back = await rollBack(ports(), 1, 1);
    expect(await served()).toEqual(['tool 1-r0']);
    expect(back).toMatchObject({ generation: 3, parent: 2, rolledBackTo: 1, targets: first.targets });
    const held = { reason: 'rolled back to generation 1', at: '2026-11-24T12:01:00.000Z', rolledBackTo: 1 };
    expect(back.withdrawn).toEqual([
      { origin: 'more', version: '1-r0', ...held },
      { origin: 'tool', version: '2-r0', ...held },
    ]);
    await expect(publish([{ origin: 'tool', version: '2-r0' }])).rejects.toMatchObject({
      code: 'package.withdrawn',
      remedy: expect.stringContaining('--undo'),
    });
    expect(await rollBack(ports(), 1, 1)).toEqual(back);

    const undone = await undoRollback(ports(), 1);
    expect(undone).not.toHaveProperty('withdrawn');
    expect(undone).not.toHaveProperty('rolledBackTo');
    await publish([{ origin: 'tool', version: '2-r0' }]);
    expect(await served()).toEqual(['tool 1-r0', 'tool 2-r0']);
  });

  it('does not bring back what was withdrawn since, nor does undoing it', async () => {
    await publish([{ origin: 'tool', version: '1-r0' }]);
    await publish([{ origin: 'tool', version: '2-r0' }]);
    await publish([{ origin: 'tool', version: '3-r0' }]);
    await withdraw(ports(), order, 1);
    await rollBack(ports(), 2, 1);
    expect(await served()).toEqual(['tool 1-r0']);
    const undone = await undoRollback(ports(), 1);
    expect(undone.withdrawn?.map(({ version }) => version)).toEqual(['2-r0']);
  });

  it('what it holds back can be withdrawn for good: then undoing it does not free that', async () => {
    await publish([{ origin: 'tool', version: '1-r0' }]);
    await publish([{ origin: 'tool', version: '2-r0' }]);
    await rollBack(ports(), 1, 1);
    const generation = await withdraw(ports(), order, 1);
    expect(generation).toMatchObject({ generation: 4, added: [], removed: [] });
    const undone = await undoRollback(ports(), 1);
    expect(undone.withdrawn).toEqual([expect.objectContaining({ version: '2-r0', reason: 'it eats files' })]);
  });

  it('and forward again frees what comes back', async () => {
    await publish([{ origin: 'tool', version: '1-r0' }]);
    await publish([{ origin: 'tool', version: '2-r0' }]);
    await rollBack(ports(), 1, 1);
    const forward = await rollBack(ports(), 2, 1);
    expect(await served()).toEqual(['tool 1-r0', 'tool 2-r0']);
    expect(forward.withdrawn).toBeUndefined();
  });

  it('whose only version of a recipe was withdrawn since brings the newest older one that is kept', async () => {
    for (const version of ['1-r0', '2-r0', '3-r0']) {
      const more = { origin: 'other', version, depends: ['tool'] };
      await publish([{ origin: 'tool', version }, more], { keepVersions: 1 });
    }
    await withdraw(ports(), { ...order, version: '3-r0' }, 1);
    await withdraw(ports(), order, 1);
    expect(await served()).toEqual(['other 3-r0', 'tool 1-r0']);
    await publish([{ origin: 'tool', version: '4-r0' }], { keepVersions: 1 });
    const back = await rollBack(ports(), 3, 1);
    expect(await served()).toEqual(['other 3-r0', 'tool 1-r0']);
    expect(back.withdrawn?.map((one) => `${one.version} ${one.rolledBackTo ?? 'for good'}`)).toEqual([
      '3-r0 for good',
      '2-r0 for good',
      '4-r0 3',
    ]);
    expect(await rollBack(ports(), 3, 1)).toEqual(back);
  });

  it('that is not kept is refused, and so is one whose packages are gone', async () => {
    const options = { keepGenerations: 1 };
    const first = await publish([{ origin: 'tool', version: '1-r0' }], options);
    await publish([{ origin: 'tool', version: '2-r0' }], { keepVersions: 1, ...options });
    await expect(rollBack(ports(), 9, 1)).rejects.toMatchObject({ code: 'request.not-found' });
    const [gone] = await readPackages(objects, first, 'x86_64-gnu');
    await objects.remove(blobKey(gone?.digest ?? ''));
    await expect(rollBack(ports(), 1, 1)).rejects.toMatchObject({
      code: 'repository.corrupt',
      message: expect.stringContaining('tool-1-r0 cannot be published again'),
    });
    expect((await readCurrent(objects))?.generation.generation).toBe(2);
  });
});
