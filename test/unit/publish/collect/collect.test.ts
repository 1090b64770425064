import { beforeEach, expect, test } from 'vitest';
import { candidatesKey, collectionKey, dryCollectionKey } from '../../../../src/model/collection.ts';
import type { Objects } from '../../../../src/ports/objects.ts';
import { collectUnused } from '../../../../src/publish/collect/collect.ts';
import { takeOver } from '../../../../src/publish/fence.ts';
import { currentKey } from '../../../../src/publish/manifest.ts';
import { patienceOf } from '../../../../src/roles/collector.ts';
import { createManualClock, type ManualClock } from '../../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../../fakes/memory-objects.ts';

const day = 86_400_000;
const patience = patienceOf({ collect: { intervalHours: 24, unusedDays: 7, logDays: 30, imageDays: 30 } });
const old = 'results/old.json';
const unused = [old, 'requests/old.json', 'staging/k/log', 'staging/k/a-1-r0.apk', `blobs/sha256/aa/${'a'.repeat(64)}`];

let objects: MemoryObjects;
let clock: ManualClock;
beforeEach(async () => {
  objects = createMemoryObjects();
  clock = createManualClock('2026-06-01T09:00:00.000Z');
  for (const key of unused) await objects.put(key, Buffer.from('12345'));
  for (const key of ['cursors/feed', 'repository/published/t/n/v', 'images/cosign.pub', 'else/where'])
    await objects.put(key, Buffer.from('x'));
});

function collect(own: Objects = objects, change: { dry?: boolean; most?: number; signal?: AbortSignal } = {}) {
  const nobody = { at: '2026-06-01T08:00:00.000Z', builds: [], inputs: [], logs: [] };
  return collectUnused({ objects: own, clock }, nobody, { patience, keepGenerations: 2, ...change });
}

test('what is unused goes when it still is after its time, and is counted by what it is', async () => {
  const first = await collect();
  expect(first.removed).toEqual({});
  expect(first.waiting).toMatchObject({ result: { objects: 1, bytes: 5 }, log: { objects: 1, bytes: 5 } });
  clock.advance(7 * day);
  const second = await collect();
  const one = { objects: 1, bytes: 5 };
  expect(second.removed).toEqual({ blob: one, package: one, request: one, result: one });
  expect(second.waiting).toEqual({ log: one });
  expect(JSON.parse(Buffer.from((await objects.get(collectionKey))?.bytes ?? '').toString())).toEqual(second);
  clock.advance(23 * day);
  await collect();
  expect(await objects.list('')).toEqual([
    candidatesKey,
    collectionKey,
    'cursors/feed',
    'else/where',
    'images/cosign.pub',
    'repository/published/t/n/v',
  ]);
});

test('only looking changes nothing, and says what would go', async () => {
  await collect();
  clock.advance(7 * day);
  const before = await objects.list('');
  const candidates = (await objects.get(candidatesKey))?.etag;
  const looked = await collect(objects, { dry: true });
  expect(looked).toMatchObject({ dry: true, removed: { blob: { objects: 1, bytes: 5 } } });
  expect(await objects.list('')).toEqual([...before, dryCollectionKey].toSorted());
  expect((await objects.get(candidatesKey))?.etag).toBe(candidates);
});

test('what comes back under the same key has all its time again, also when the collection was killed', async () => {
  await collect();
  clock.advance(8 * day);
  // Killed right after the first removal.
  const dying: Objects = {
    ...objects,
    async remove(key) {
      await objects.remove(key);
      throw new Error('the process died');
    },
  };
  await expect(collect(dying)).rejects.toThrow('the process died');
  expect(await objects.has(old)).toBe(false);
  await objects.put(old, Buffer.from('new'));
  await collect();
  expect(await objects.has(old)).toBe(true);
});

test('a limited one leaves the rest for the next, which need not wait for it', async () => {
  await collect();
  clock.advance(7 * day);
  expect((await collect(objects, { most: 1 })).removed).toEqual({ result: { objects: 1, bytes: 5 } });
  expect((await collect(objects, { most: 1 })).removed).toEqual({ request: { objects: 1, bytes: 5 } });
  expect(Object.keys((await collect()).removed).toSorted()).toEqual(['blob', 'package']);
});

test('a publisher that another took over from removes nothing any more, whatever it is in the middle of', async () => {
  const tenure = await takeOver(objects);
  await collect(tenure.objects);
  clock.advance(7 * day);
  let removals = 0;
  const slow: Objects = {
    ...tenure.objects,
    async remove(key) {
      removals += 1;
      if (removals === 2) await takeOver(objects);
      return tenure.objects.remove(key);
    },
  };
  await expect(collect(slow)).rejects.toMatchObject({ code: 'repository.moved', retry: 'never' });
  const left = await Promise.all(unused.map((key) => objects.has(key)));
  expect(left.filter((is) => !is)).toHaveLength(1);
});

test('nothing goes when it cannot be told what is used, or when it is to stop', async () => {
  await collect();
  clock.advance(7 * day);
  await expect(collect(objects, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  await objects.put(currentKey, Buffer.from('damaged'));
  await expect(collect()).rejects.toMatchObject({ code: 'repository.corrupt' });
  for (const key of unused) expect(await objects.has(key)).toBe(true);
});

test('what was noted and cannot be read is noted again', async () => {
  await collect();
  clock.advance(90 * day);
  await objects.put(candidatesKey, Buffer.from('damaged'));
  expect((await collect()).removed).toEqual({});
});
