import { expect, test } from 'vitest';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import { stagingKey } from '../../../src/ports/objects.ts';
import { readCurrent } from '../../../src/publish/manifest.ts';
import { readResult, storeRequest } from '../../../src/roles/effects.ts';
import { createPublisher } from '../../../src/roles/publisher.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestImageSigner, createTestSigner } from '../../support/test-signer.ts';
import { publishRequestOf } from '../../support/verdicts.ts';

const context = {} as JobContext;
const signer = createTestSigner('box');
const order = { name: 'tool', version: '2-r0', reason: 'it eats files', force: false, slot: 7 };

/** A publisher that has published tool 1-r0, then 2-r0. */
async function start() {
  const objects = createMemoryObjects();
  const told: string[] = [];
  const publisher = await createPublisher({
    objects,
    queues: {
      async enqueue(_type: string, { effect }: { effect: string }) {
        told.push(effect);
        return '';
      },
    } as unknown as Queues,
    imageSigner: createTestImageSigner(),
    keys: { signer, trusted: [signer], retired: [] },
    clock: createManualClock('2026-06-01T09:00:00.000Z'),
    options: {},
    verify: async () => [],
  });
  const publish = async (version: string) => {
    const { artifact, bytes } = await makePackage({ name: 'tool', version, nodes: { 'usr/share/tool': version } });
    const key = stagingKey(`tool-${version}`, `tool-${version}.apk`);
    await objects.put(key, bytes);
    const request = await storeRequest(objects, publishRequestOf([{ key, artifact }], signer));
    await publisher.publish?.({ request, attempt: 1 }, context);
  };
  await publish('1-r0');
  await publish('2-r0');
  told.length = 0;
  const current = async () => (await readCurrent(objects))?.generation;
  return { objects, publisher, publish, told, current };
}

test('a version is withdrawn by a job, which says what came of it', async () => {
  const { objects, publisher, told, current } = await start();
  await publisher.withdraw?.(order, context);
  expect(told).toEqual(['withdraw-tool-2-r0-7']);
  const result = await readResult(objects, 'withdraw-tool-2-r0-7', 'published');
  expect(result?.generation).toEqual(await current());
  expect(result?.generation).toMatchObject({ generation: 3, removed: ['tool-2-r0 x86_64-gnu'] });
});

test('what cannot be withdrawn leaves the reason, and the repository as it was', async () => {
  const { objects, publisher, current } = await start();
  await publisher.withdraw?.({ ...order, version: '9-r0' }, context);
  const result = await readResult(objects, 'withdraw-tool-9-r0-7', 'published');
  expect(result?.failure).toMatchObject({ code: 'request.not-found', message: 'tool 9-r0 is not published' });
  expect(await current()).toMatchObject({ generation: 2 });
});

test('a rollback whose job comes again, when more was published since, takes nothing of that away', async () => {
  const { publisher, publish, told, current } = await start();
  await publisher.rollback?.({ to: 1, slot: 7 }, context);
  expect(await current()).toMatchObject({ generation: 3, rolledBackTo: 1, removed: ['tool-2-r0 x86_64-gnu'] });
  await publish('3-r0');
  await publisher.rollback?.({ to: 1, slot: 7 }, context);
  expect(await current()).toMatchObject({ generation: 4, added: ['tool-3-r0 x86_64-gnu'] });
  expect(told.filter((effect) => effect === 'rollback-1-7')).toHaveLength(2);
});

test('what a rollback held back is published again once it is undone', async () => {
  const { publisher, publish, current } = await start();
  await publisher.rollback?.({ to: 1, slot: 7 }, context);
  await publish('2-r0');
  expect(await current()).toMatchObject({ generation: 3 });
  await publisher.rollback?.({ slot: 8 }, context);
  await publish('2-r0');
  expect(await current()).toMatchObject({ generation: 5, added: ['tool-2-r0 x86_64-gnu'] });
});
