import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRegistries } from '../../../src/adapters/oci/registries.ts';
import type { JobPayload, JobType } from '../../../src/jobs/catalogue.ts';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { JobContext } from '../../../src/jobs/worker.ts';
import type { ImagePublication } from '../../../src/model/publication.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { followPushes } from '../../../src/roles/conductor/pushing.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { createImagePusher } from '../../../src/roles/image-pusher.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { type FakeRegistry, startFakeRegistry } from '../../fakes/registry.ts';
import { testLog } from '../../support/log.ts';
import { storeSampleImage } from '../../support/published-image.ts';

let fake: FakeRegistry;
beforeEach(async () => {
  fake = await startFakeRegistry();
});
afterEach(() => fake.close());

async function start() {
  const clock = createManualClock('2026-06-01T09:00:00.000Z');
  const objects = createMemoryObjects();
  const ledger = createMemoryLedger();
  const { log } = testLog('silent');
  const jobs: JobPayload<'push-image'>[] = [];
  const queues = {
    find: async () => undefined,
    async enqueue(type: JobType, payload: JobPayload<'push-image'>) {
      if (type === 'push-image') jobs.push(payload);
      return '';
    },
    forget: async () => {},
  } as unknown as Queues;
  const settings = { push: [{ registry: fake.address, repository: 'team/{name}' }] };
  const context = {
    book: await openBook(ledger, clock),
    objects,
    queues,
    clock,
    log,
    settings,
  } as unknown as ConductorContext;
  const world = { problems: new Map() } as unknown as World;
  const registries = createRegistries({ userAgent: 'regrow-test', addresses: [fake.address], wait: async () => {} });
  const handlers = createImagePusher({ objects, queues, clock, registries });
  const { digest } = await storeSampleImage(objects);
  const image: ImagePublication = {
    ref: 'hello:latest',
    digest,
    generation: 3,
    at: '2026-06-01T08:00:00.000Z',
    platforms: [],
    vulnerabilities: [],
  };
  return {
    clock,
    context,
    image,
    ledger,
    objects,
    world,
    round: () => followPushes(context, world, image, 'images/hello.yaml'),
    async work() {
      for (const job of jobs.splice(0)) {
        const signal = new AbortController().signal;
        await handlers['push-image']?.(job, { signal, log } as unknown as JobContext);
      }
    },
  };
}

test('an image is pushed once, and then it is known where it is', async () => {
  const { context, image, ledger, objects, round, work } = await start();
  expect(await round()).toEqual([]);
  await work();
  const to = `${new URL(fake.address).host}/team/hello:latest`;
  expect(await round()).toEqual([{ to, at: '2026-06-01T09:00:00.000Z' }]);
  expect([...fake.manifests.keys()]).toContain('team/hello latest');
  expect((await ledger.events({ limit: 10 })).map(({ text }) => text)).toEqual([`hello:latest is at ${to}`]);
  const asked = fake.asked.length;
  await work();
  // What came of the job may be tidied away: the ledger knows.
  await context.book.put('image', image.ref, { ...image, pushed: await round() });
  for (const key of await objects.list('results/')) await objects.remove(key);
  expect(await round()).toEqual([{ to, at: '2026-06-01T09:00:00.000Z' }]);
  await work();
  expect(fake.asked.length).toBe(asked);
});

test('a registry that refuses is a problem of the image, and is asked again after a while', async () => {
  const { clock, world, round, work } = await start();
  let closed = true;
  fake.faults.push((_, response) => {
    if (closed) response.writeHead(403).end();
    return closed;
  });
  await round();
  await work();
  expect(await round()).toEqual([]);
  const [problem] = world.problems.values();
  expect(problem).toMatchObject({ area: 'image', name: 'hello:latest', code: 'registry.unauthorized' });
  expect(problem?.message).toMatch(/^it cannot be pushed to .*\/team\/hello:latest: .* does not let anonymous do that/);
  closed = false;
  await work();
  expect(await round()).toEqual([]);
  clock.advance(10 * 60_000);
  await round();
  await work();
  world.problems.clear();
  expect(await round()).toHaveLength(1);
  expect(world.problems.size).toBe(0);
});
