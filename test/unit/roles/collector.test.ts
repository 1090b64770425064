import { expect, test } from 'vitest';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import { candidatesKey } from '../../../src/model/collection.ts';
import { stagingKey } from '../../../src/ports/objects.ts';
import { encodeJson } from '../../../src/publish/manifest.ts';
import { patienceOf } from '../../../src/roles/collector.ts';
import { readResult, requestDigest, storeRequest } from '../../../src/roles/effects.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';
import { publishRequestOf } from '../../support/verdicts.ts';
import { damageOf } from '../../support/whole-store.ts';

const signer = createTestSigner('box');
const imageSigner = createTestImageSigner();
const context = { signal: new AbortController().signal, log: testLog('silent').log } as unknown as JobContext;
const at = '2026-06-01T09:00:00.000Z';
const longAgo = '2026-01-01T00:00:00.000Z';

function publisherOn(objects: MemoryObjects) {
  return createPublisher({
    objects,
    queues: { enqueue: async () => '' } as unknown as Queues,
    keys: { signer, trusted: [signer], retired: [] },
    imageSigner,
    clock: createManualClock(at),
    options: {},
    patience: patienceOf({ collect: { intervalHours: 24, unusedDays: 7, logDays: 30, imageDays: 30 } }),
    verify: async () => [],
  });
}

async function stage(objects: MemoryObjects) {
  const { artifact, bytes } = await makePackage({ name: 'tool', version: '1-r0', nodes: { 'usr/share/tool': 'x' } });
  const key = stagingKey('key', 'tool-1-r0.apk');
  await objects.put(key, bytes);
  return storeRequest(objects, publishRequestOf([{ key, artifact }], signer));
}

/** A store that has the very blobs of a publication from long ago, which nothing has used since, and what stages it again. */
async function start() {
  const former = createMemoryObjects();
  const first = await publisherOn(former);
  await first.publish?.({ request: await stage(former), attempt: 1 }, context);
  const objects = createMemoryObjects();
  const since: Record<string, string> = {};
  for (const key of await former.list('blobs/')) {
    await objects.put(key, (await former.get(key))?.bytes ?? new Uint8Array());
    since[key] = longAgo;
  }
  await objects.put(candidatesKey, encodeJson({ schema: 1, at: longAgo, since }));
  const publication = await stage(objects);
  const wanted = { builds: ['key'], inputs: [], logs: [] };
  const collection = await storeRequest(objects, { kind: 'collect', at, dry: false, ...wanted });
  const publisher = await publisherOn(objects);
  return {
    objects,
    publish: () => publisher.publish?.({ request: publication, attempt: 1 }, context),
    collect: () => publisher.collect?.({ request: collection, attempt: 1 }, context),
    collected: () => readResult(objects, `collect-${requestDigest(collection)}`, 'collected'),
  };
}

test('a publication that finds what it needs in the store, and a collection that would remove it, do not meet', async () => {
  for (const order of ['publish first', 'collect first'] as const) {
    const { objects, publish, collect, collected } = await start();
    const [first, second] = order === 'publish first' ? [publish, collect] : [collect, publish];
    const begins = order === 'publish first' ? 'get repository/current' : 'list blobs/sha256/';
    const calls = objects.calls.length;
    const running = first();
    while (!objects.calls.slice(calls).includes(begins)) await Promise.resolve();
    await Promise.all([running, second()]);
    expect(await damageOf(objects), order).toEqual([]);
    expect(await objects.has('repository/current')).toBe(true);
    const removed = (await collected())?.collection?.removed.blob?.objects ?? 0;
    expect(removed, order).toBe(order === 'publish first' ? 0 : 3);
  }
});

test('a collection whose job comes again is not done again', async () => {
  const { objects, collect, collected } = await start();
  await collect();
  const first = await collected();
  await objects.put('blobs/sha256/aa/x', Buffer.from('x'));
  await collect();
  expect(await collected()).toEqual(first);
});

test('what cannot be told is a failure that says so, and nothing went', async () => {
  const { objects, collect, collected } = await start();
  const before = await objects.list('blobs/');
  await objects.put('images/current', Buffer.from('damaged'));
  await collect();
  expect((await collected())?.failure).toMatchObject({ code: 'repository.corrupt' });
  expect(await objects.list('blobs/')).toEqual(before);
});
