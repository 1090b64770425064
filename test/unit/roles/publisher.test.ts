import { expect, test } from 'vitest';
import type { RegrowError } from '../../../src/errors.ts';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import type { PublishRequest } from '../../../src/model/request.ts';
import { type Objects, stagingKey } from '../../../src/ports/objects.ts';
import { readResult, requestDigest, storeRequest } from '../../../src/roles/effects.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';
import { makePackage, type SamplePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';
import { publishRequestOf } from '../../support/verdicts.ts';

const context = { log: testLog('silent').log } as unknown as JobContext;

const signer = createTestSigner('box');
const imageSigner = createTestImageSigner();

async function addition(objects: Objects, sample: SamplePackage, buildKey: string) {
  const { artifact, bytes } = await makePackage(sample);
  const key = stagingKey(buildKey, `${artifact.info.name}-${artifact.info.version}.apk`);
  await objects.put(key, bytes);
  return { key, artifact };
}

function publisher(objects: Objects, onSuperseded?: (error: RegrowError) => void) {
  return createPublisher({
    objects,
    queues: { enqueue: async () => '' } as unknown as Queues,
    imageSigner,
    keys: { signer, trusted: [signer], retired: [] },
    clock: createManualClock('2026-06-01T09:00:00.000Z'),
    options: {},
    verify: async () => [],
    ...(onSuperseded === undefined ? {} : { onSuperseded }),
  });
}

async function publish(objects: Objects, handlers: Awaited<ReturnType<typeof publisher>>, add: PublishRequest['add']) {
  const request = await storeRequest(objects, publishRequestOf(add, signer));
  await handlers.publish?.({ request, attempt: 1 }, context);
  return readResult(objects, `publish-${requestDigest(request)}`, 'published');
}

test('a package that can never be published is refused by name; what does not need it is published', async () => {
  const objects = createMemoryObjects();
  const handlers = await publisher(objects);
  const first = await addition(objects, { name: 'tool', nodes: { 'usr/share/tool': 'one' } }, 'a');
  await publish(objects, handlers, [first]);
  const changed = await addition(objects, { name: 'tool', nodes: { 'usr/share/tool': 'two' } }, 'b');
  const lost = await addition(objects, { name: 'lost', nodes: { 'usr/share/lost': 'x' } }, 'c');
  await objects.remove(lost.key);
  const good = await addition(objects, { name: 'good', nodes: { 'usr/share/good': 'x' } }, 'd');
  const result = await publish(objects, handlers, [changed, lost, good]);
  expect(result?.failure).toBeUndefined();
  expect(result?.generation?.added).toEqual(['good-1.0.0-r0 x86_64-gnu']);
  expect(result?.refused?.map((one) => [one.package, one.code, one.digests])).toEqual([
    ['tool', 'package.conflict', [changed.artifact.digest]],
    ['lost', 'package.malformed', [lost.artifact.digest]],
  ]);
});

test('a package that would make the index unreadable for everybody is refused, and the others are published', async () => {
  const objects = createMemoryObjects();
  const long = { description: 'x'.repeat(130 * 1024) };
  const bad = await addition(objects, { name: 'long', nodes: { 'usr/share/long': 'x' }, recipe: long }, 'a');
  const good = await addition(objects, { name: 'good', nodes: { 'usr/share/good': 'x' } }, 'b');
  const result = await publish(objects, await publisher(objects), [bad, good]);
  expect(result?.failure).toBeUndefined();
  expect(result?.refused).toMatchObject([{ package: 'long', code: 'package.malformed' }]);
  expect(result?.refused?.[0]?.message).toContain('its T: line in the index would have 133122 bytes');
  expect(result?.generation?.added).toEqual(['good-1.0.0-r0 x86_64-gnu']);
});

test('nothing is published of a first batch that is refused as a whole', async () => {
  const objects = createMemoryObjects();
  const lost = await addition(objects, { name: 'lost', nodes: { 'usr/share/lost': 'x' } }, 'c');
  await objects.remove(lost.key);
  const result = await publish(objects, await publisher(objects), [lost]);
  expect(result?.generation).toBeUndefined();
  expect(result?.refused?.map((one) => one.package)).toEqual(['lost']);
});

test('a publisher that another took over from stores no failure, and says that it is to end', async () => {
  const objects = createMemoryObjects();
  const told: string[] = [];
  const old = await publisher(objects, (error) => told.push(error.code));
  const first = await addition(objects, { name: 'tool', nodes: { 'usr/share/tool': 'one' } }, 'a');
  await publish(objects, old, [first]);
  const newer = await publisher(objects);
  const second = await addition(objects, { name: 'data', nodes: { 'usr/share/data': 'x' } }, 'b');
  await publish(objects, newer, [second]);
  const third = await addition(objects, { name: 'more', nodes: { 'usr/share/more': 'x' } }, 'c');
  await expect(publish(objects, old, [third])).rejects.toMatchObject({ code: 'repository.moved', retry: 'later' });
  expect(told).toEqual(['repository.moved']);
  expect((await publish(objects, newer, [third]))?.generation?.generation).toBe(3);
});

test('a publisher is refused as soon as a later one has started, also in the middle of a publication', async () => {
  const objects = createMemoryObjects();
  const told: string[] = [];
  const old = await publisher(objects, (error) => told.push(error.code));
  const first = await addition(objects, { name: 'tool', nodes: { 'usr/share/tool': 'one' } }, 'a');
  let newer: Awaited<ReturnType<typeof publisher>> | undefined;
  objects.faults.beforeSwap(async () => {
    newer = await publisher(objects);
  });
  await expect(publish(objects, old, [first])).rejects.toMatchObject({ code: 'repository.moved', retry: 'later' });
  expect(told).toEqual(['repository.moved']);
  expect(await objects.has('repository/current')).toBe(false);
  if (newer === undefined) throw new Error('the pointer was not to be moved');
  expect((await publish(objects, newer, [first]))?.generation).toMatchObject({ generation: 1, token: 2 });
});
