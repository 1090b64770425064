import { beforeEach, describe, expect, test } from 'vitest';
import { type JobPayload, type JobType, jobId } from '../../../src/jobs/catalogue.ts';
import type { JobState, Queues } from '../../../src/jobs/queues.ts';
import type { BuildAttempt, BuildRequest } from '../../../src/model/build.ts';
import { digestOf } from '../../../src/model/canonical.ts';
import type { Collection } from '../../../src/model/collection.ts';
import { stagingKey } from '../../../src/ports/objects.ts';
import { startBuilds } from '../../../src/roles/conductor/attempts.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import type { PurposePlan } from '../../../src/roles/conductor/building.ts';
import { followCollection, orderCollection } from '../../../src/roles/conductor/collecting.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { secondBuildKey } from '../../../src/roles/conductor/repeating.ts';
import { readRequest, requestDigest, storeResult } from '../../../src/roles/effects.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';
import { artifactOf } from '../../support/packages.ts';

const hour = 3_600_000;
const target = 'x86_64-gnu';

let jobs: Map<string, { readonly type: JobType; readonly request: string; state: JobState }>;
let clock: ManualClock;
let objects: MemoryObjects;
let ledger: ReturnType<typeof createMemoryLedger>;
let book: Book;
let context: ConductorContext;
beforeEach(async () => {
  jobs = new Map();
  const queues: Pick<Queues, 'find' | 'enqueue' | 'forget'> = {
    find: async <T extends JobType>(type: T, payload: JobPayload<T>) => jobs.get(jobId(type, payload))?.state,
    async enqueue(type, payload) {
      const id = jobId(type, payload);
      const { request } = payload as { request: string };
      if (!jobs.has(id)) jobs.set(id, { type, request, state: 'waiting' });
      return id;
    },
    async forget(type, payload) {
      jobs.delete(jobId(type, payload));
    },
  };
  clock = createManualClock('2026-06-01T09:00:00Z');
  objects = createMemoryObjects();
  ledger = createMemoryLedger();
  book = await openBook(ledger, clock);
  const settings = { targets: [target], collectInterval: 24 * hour };
  context = { book, objects, queues, clock, settings, log: testLog('silent').log } as unknown as ConductorContext;
});

function attemptOf(name: string, version: string, change: Partial<BuildAttempt> = {}): BuildAttempt {
  return {
    buildKey: `key-${name}-${version}`,
    attempt: 1,
    package: name,
    version,
    target,
    request: digestOf(`${name} ${version}`),
    state: 'passed',
    purpose: 'main',
    why: 'x',
    urgency: 'normal',
    queuedAt: clock.now().toISOString(),
    ...change,
  };
}

async function record(attempt: BuildAttempt): Promise<BuildAttempt> {
  await book.put('build', `${attempt.buildKey}.${attempt.attempt}`, attempt, attempt.package);
  return attempt;
}

const request = { package: 'x' } as unknown as BuildRequest;

function plansOf(...attempts: readonly BuildAttempt[]): ReadonlyMap<'main', PurposePlan> {
  const builds = attempts.map((attempt) => ({
    buildKey: attempt.buildKey,
    attempt,
    request,
    need: {
      purpose: 'main',
      target,
      resolved: { name: attempt.package, fullVersion: attempt.version },
      urgency: 'normal',
      why: 'x',
    },
  }));
  return new Map([['main', { purpose: 'main', builds, waits: [] } as unknown as PurposePlan]]);
}

const none = plansOf();

/** The requests of the collections that were asked for. */
async function asked() {
  const own = [...jobs.values()].filter(({ type }) => type === 'collect');
  return Promise.all(own.map(({ request: key }) => readRequest(objects, key, 'collect')));
}

async function finish(change: Partial<Collection> = {}): Promise<void> {
  const [job] = [...jobs.values()].filter(({ state }) => state === 'waiting');
  if (job === undefined) throw new Error('nothing was asked for');
  const at = clock.now().toISOString();
  const removed = { blob: { objects: 2, bytes: 1500 }, log: { objects: 1, bytes: 600 } };
  const collection: Collection = {
    schema: 1,
    at,
    asked: at,
    dry: false,
    removed,
    waiting: {},
    kept: {},
    missing: [],
    ...change,
  };
  await storeResult(objects, { kind: 'collected', effect: `collect-${requestDigest(job.request)}`, at, collection });
  job.state = 'completed';
}

describe('a collection', () => {
  test('comes an interval after the first round, then every interval, and never while another is on its way', async () => {
    await followCollection(context, none);
    clock.advance(23 * hour);
    await followCollection(context, none);
    expect(await asked()).toEqual([]);
    clock.advance(hour);
    await followCollection(context, none);
    clock.advance(48 * hour);
    await followCollection(context, none);
    expect(await asked()).toHaveLength(1);
    await finish();
    await followCollection(context, none);
    expect(await asked()).toHaveLength(2);
    await finish();
    await followCollection(context, none);
    expect(await asked()).toHaveLength(2);
  });

  test('is told once, with what went', async () => {
    await orderCollection(context, { dry: false, slot: 1 });
    await followCollection(context, none);
    await finish({ waiting: { blob: { objects: 1, bytes: 5 } }, missing: ['blobs/sha256/ab/abc'] });
    await followCollection(context, none);
    await followCollection(context, none);
    const events = await ledger.events({ limit: 10 });
    expect(events).toMatchObject([
      {
        kind: 'collected',
        text: '3 objects, 2.1 kB that nothing used were removed; 1 object, 5 B are unused, and wait. The store is damaged, blobs/sha256/ab/abc is not there',
        facts: { objects: 3, bytes: 2100 },
      },
    ]);
  });

  test('that failed is told, and tried again an interval later', async () => {
    await orderCollection(context, { dry: false, slot: 1 });
    await followCollection(context, none);
    const [job] = [...jobs.values()];
    const failure = { class: 'package', code: 'repository.corrupt', message: 'a list is gone', tail: [] } as const;
    const effect = `collect-${requestDigest(job?.request ?? '')}`;
    await storeResult(objects, {
      kind: 'collected',
      effect,
      at: clock.now().toISOString(),
      failure: { ...failure, tail: [] },
    });
    await followCollection(context, none);
    expect(await ledger.events({ limit: 10 })).toMatchObject([
      { kind: 'problem', text: 'nothing was removed from the object store: a list is gone' },
    ]);
    expect(await asked()).toHaveLength(1);
    clock.advance(24 * hour);
    await followCollection(context, none);
    expect(await asked()).toHaveLength(2);
  });

  test('is asked for by a person at any time, to be done or only to be looked at', async () => {
    context = { ...context, settings: { ...context.settings, collectInterval: 0 } };
    await followCollection(context, none);
    clock.advance(1000 * hour);
    await followCollection(context, none);
    expect(await asked()).toEqual([]);
    await orderCollection(context, { dry: true, slot: 1 });
    await followCollection(context, none);
    expect(await asked()).toMatchObject([{ dry: true }]);
    await finish({ dry: true });
    await followCollection(context, none);
    expect(await ledger.events({ limit: 10 })).toEqual([]);
    await orderCollection(context, { dry: false, slot: 2 });
    await followCollection(context, none);
    expect(await asked()).toMatchObject([{ dry: true }, { dry: false }]);
  });

  test('whose request was lost is asked for anew', async () => {
    await orderCollection(context, { dry: false, slot: 1 });
    await followCollection(context, none);
    for (const key of await objects.list('requests/')) await objects.remove(key);
    await orderCollection(context, { dry: false, slot: 2 });
    clock.advance(1000);
    await followCollection(context, none);
    expect(jobs.size).toBe(2);
  });
});

test('what is planned or runs is wanted, with its second build and its inputs; of the rest the newest log', async () => {
  const planned = await record(attemptOf('planned', '1-r0'));
  const running = await record(attemptOf('running', '1-r0', { state: 'queued' }));
  const old = await record(attemptOf('old', '1-r0', { queuedAt: '2026-01-01T00:00:00.000Z' }));
  const newer = await record(attemptOf('old', '2-r0', { state: 'failed' }));
  const second = await record(
    attemptOf('planned', '1-r0', { buildKey: secondBuildKey(planned.buildKey), request: digestOf('other') }),
  );
  await orderCollection(context, { dry: false, slot: 1 });
  await followCollection(context, plansOf(planned));
  const [request] = await asked();
  expect(new Set(request?.builds)).toEqual(new Set([planned.buildKey, second.buildKey, running.buildKey]));
  expect(new Set(request?.inputs)).toEqual(new Set([planned.request, second.request, running.request]));
  expect(request?.logs).toContain(newer.buildKey);
  expect(request?.logs).not.toContain(old.buildKey);
});

describe('what was removed and is asked for again', () => {
  const artifact = artifactOf({ name: 'tool', version: '1-r0' });
  const built = () =>
    attemptOf('tool', '1-r0', {
      result: { artifacts: [artifact], tests: [], log: 'x', outcome: 'passed' } as unknown as NonNullable<
        BuildAttempt['result']
      >,
    });

  test('is built again, and planned again', async () => {
    const attempt = await record(built());
    const problems = new Map();
    expect(await startBuilds(context, plansOf(attempt).get('main')?.builds ?? [], problems)).toBe(true);
    expect(book.get('build', `${attempt.buildKey}.2`)?.value).toMatchObject({ state: 'queued', attempt: 2 });
    expect([...jobs.values()]).toMatchObject([{ type: 'build' }]);
    expect(problems.size).toBe(0);
  });

  test('is left alone while it is there', async () => {
    const attempt = await record(built());
    await objects.put(stagingKey(attempt.buildKey, 'tool-1-r0.apk'), Buffer.from('x'));
    expect(await startBuilds(context, plansOf(attempt).get('main')?.builds ?? [], new Map())).toBe(false);
    expect(jobs.size).toBe(0);
  });

  test('has its inputs written again while it waits', async () => {
    const attempt = await record(attemptOf('tool', '1-r0', { state: 'queued' }));
    await startBuilds(context, plansOf(attempt).get('main')?.builds ?? [], new Map());
    const row = book.get('build', `${attempt.buildKey}.1`)?.value;
    expect(row).toMatchObject({ state: 'queued', request: digestOf(request) });
    expect(await objects.list('inputs/')).toEqual([`inputs/${digestOf(request)}.json`]);
  });
});
