import { expect, it } from 'vitest';
import { type Objects, stagingKey } from '../../../src/ports/objects.ts';
import type { Addition } from '../../../src/publish/additions.ts';
import { type PublishPorts, publishGeneration } from '../../../src/publish/generation.ts';
import { createRepositoryMemory } from '../../../src/publish/memory.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { makePackage } from '../../support/package-trees.ts';
import { artifactOf } from '../../support/packages.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const signer = createTestSigner('box');
const clock = createManualClock('2026-11-24T12:00:00.000Z');

async function stage(objects: Objects, name: string, version: string): Promise<Addition> {
  const { artifact, bytes } = await makePackage({ name, version, nodes: { 'usr/share/x': `${name} ${version}` } });
  const key = stagingKey(`${name}-${version}`, `${name}-${version}.apk`);
  await objects.put(key, bytes);
  return { key, artifact };
}

/** The same publications, each with what `memory` gives for it. */
async function publishAll(memory: () => Partial<PublishPorts>): Promise<{ generations: unknown[]; reads: number }> {
  const objects = createMemoryObjects();
  const generations: unknown[] = [];
  for (const [name, version] of [
    ['tool', '1.2.0-r0'],
    ['data', '1-r0'],
    ['tool', '1.10.0-r0'],
    ['tool', '1.9.0-r0'],
  ] as const) {
    const add = [await stage(objects, name, version)];
    generations.push(await publishGeneration({ objects, signer, clock, ...memory() }, { add, token: 1 }));
  }
  return { generations, reads: objects.calls.filter((call) => call.startsWith('get blobs/')).length };
}

it('what a publisher remembers changes no byte of what it writes, and saves it the reading', async () => {
  const memory = createRepositoryMemory();
  const remembering = await publishAll(() => ({ memory }));
  const forgetting = await publishAll(() => ({}));
  expect(remembering.generations).toEqual(forgetting.generations);
  expect(forgetting.reads).toBe(3);
  expect(remembering.reads).toBe(0);
});

it('a list that somebody else wrote since is read', async () => {
  const objects = createMemoryObjects();
  const own = { objects, signer, clock, memory: createRepositoryMemory() };
  await publishGeneration(own, { add: [await stage(objects, 'tool', '1-r0')], token: 1 });
  await publishGeneration({ objects, signer, clock }, { add: [await stage(objects, 'other', '1-r0')], token: 1 });
  const last = await publishGeneration(own, { add: [await stage(objects, 'data', '1-r0')], token: 1 });
  const packages = await createRepositoryMemory().packages(objects, last, 'x86_64-gnu');
  expect(packages.map(({ info }) => info.name)).toEqual(['data', 'other', 'tool']);
});

it('an entry that would say something else of another package is not written', () => {
  const forged = artifactOf({ name: 'tool', version: '1-r0', provides: ['cmd:tool\n\nC:Q1x\nP:libc\nV:9-r0'] });
  expect(() => createRepositoryMemory().textsOf(forged)).toThrow(
    expect.objectContaining({ code: 'repository.corrupt' }),
  );
});
