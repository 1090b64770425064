import { beforeEach, expect, test } from 'vitest';
import type { JobPayload, JobType } from '../../../src/jobs/catalogue.ts';
import { jobId } from '../../../src/jobs/catalogue.ts';
import type { JobState, Queues } from '../../../src/jobs/queues.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import { ensureJob } from '../../../src/roles/conductor/ensure.ts';
import { readResult, resultKey, storeResult } from '../../../src/roles/effects.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';

const effect = 'verify-abc';
const ledger = createMemoryLedger();

let jobs: Map<string, JobState>;
let queues: Pick<Queues, 'find' | 'enqueue' | 'forget'>;
let clock: ManualClock;
let objects: Objects;
let book: Book;
beforeEach(async () => {
  for (const { key } of await ledger.list('cursor')) await ledger.remove('cursor', key);
  jobs = new Map();
  queues = {
    find: async <T extends JobType>(type: T, payload: JobPayload<T>) => jobs.get(jobId(type, payload)),
    async enqueue(type, payload) {
      const id = jobId(type, payload);
      if (!jobs.has(id)) jobs.set(id, 'waiting');
      return id;
    },
    async forget(type, payload) {
      jobs.delete(jobId(type, payload));
    },
  };
  clock = createManualClock('2026-06-01T09:00:00Z');
  objects = createMemoryObjects();
  book = await openBook(ledger, clock);
});

function ensure(): Promise<void> {
  const context = { book, clock, objects, log: testLog('silent').log, queues: queues as Queues };
  return ensureJob(context, 'verify', effect, (attempt) => ({ request: 'requests/abc.json', attempt }));
}

function known(): readonly string[] {
  return [...jobs].map(([id, state]) => `${id.split(',').at(-1)} ${state}`);
}

function become(attempt: number, state: JobState): void {
  jobs.set(jobId('verify', { request: 'requests/abc.json', attempt }), state);
}

test.each(['waiting', 'active', 'delayed'] as const)('a job that is %s is left alone', async (state) => {
  await ensure();
  become(1, state);
  clock.advance(3_600_000);
  await ensure();
  expect(known()).toEqual([`1 ${state}`]);
});

test('after Redis was emptied the same attempt goes in again', async () => {
  await ensure();
  jobs.clear();
  await ensure();
  expect(known()).toEqual(['1 waiting']);
});

test.each(['failed', 'completed'] as const)(
  'a job that %s without a result is tried again, after a rest',
  async (state) => {
    await ensure();
    become(1, state);
    await ensure();
    expect(known()).toEqual([`1 ${state}`]);
    clock.advance(60_000);
    await ensure();
    expect(known()).toEqual(['2 waiting']);
  },
);

test('a conductor that takes over counts on from where the last one was', async () => {
  await ensure();
  become(1, 'failed');
  clock.advance(60_000);
  await ensure();
  jobs.clear();
  book = await openBook(ledger, clock);
  await ensure();
  expect(known()).toEqual(['2 waiting']);
});

test('a job that ended after the world was looked at, however long it ran, is not done twice', async () => {
  await ensure();
  clock.advance(3_600_000);
  await storeResult(objects, { kind: 'verified', effect, at: clock.now().toISOString(), verdicts: [], generation: 0 });
  become(1, 'completed');
  await ensure();
  expect(known()).toEqual(['1 completed']);
});

test.each([
  ['cut off', '{"kind":"veri'],
  ['no result', '{"kind":"built"}'],
  ['empty', ''],
])('a result that is damaged (%s) counts as none, and the job is done again', async (_what, text) => {
  await ensure();
  clock.advance(3_600_000);
  await objects.put(resultKey(effect), new TextEncoder().encode(text));
  become(1, 'completed');
  expect(await readResult(objects, effect, 'verified')).toBeUndefined();
  await ensure();
  expect(known()).toEqual(['2 waiting']);
  expect(await objects.has(resultKey(effect))).toBe(false);
});
