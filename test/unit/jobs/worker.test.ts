import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import { createQueues, type Queues } from '../../../src/jobs/queues.ts';
import { createWorker, type JobHandlers, JobLeft, type JobWorker, type SettledJob } from '../../../src/jobs/worker.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { testLog } from '../../support/log.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

let redis: TestRedis;
let queues: Queues;
let settled: SettledJob[] = [];
let workers: JobWorker[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(async () => {
  await redis.stop();
});
beforeEach(async () => {
  await redis.client.flushall();
  settled = [];
  workers = [];
  const clock = createManualClock('2026-11-24T00:00:00.000Z');
  queues = createQueues({ redis: { socket: redis.socket }, targets: [], log: testLog().log, clock, patience: 500 });
});
afterEach(async () => {
  for (const worker of workers) await worker.kill();
  await queues.close();
});

function work(handlers: JobHandlers, queue = 'control', name?: string): JobWorker {
  const worker = createWorker({
    redis: { socket: redis.socket },
    queue,
    ...(name === undefined ? {} : { name }),
    concurrency: 2,
    handlers,
    log: testLog().log,
    timings: { lock: 400, stalled: 100, pauseFactor: 0.001 },
    onSettled: (job) => settled.push(job),
  });
  workers.push(worker);
  return worker;
}

function outcomes(): string[] {
  return settled.map((job) => job.outcome);
}

/** Resolves when the signal aborts, by throwing as an aborted child process does. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new RegrowError('aborted', 'stopped', { retry: 'now' })));
  });
}

const job = { package: 'jq', version: '1.8.2-r0', attempt: 1 };
const wait = { timeout: 10_000, interval: 20 };

describe('a worker', () => {
  test('runs a job once, with its payload parsed, and remembers it', async () => {
    const seen: unknown[] = [];
    work({
      async propose(payload, { attempt }) {
        seen.push([payload, attempt]);
      },
    });
    await queues.enqueue('propose', job);
    await expect.poll(outcomes, wait).toEqual(['completed']);
    await queues.enqueue('propose', job);
    await queues.enqueue('reconcile', { slot: 'marker' });
    await expect.poll(outcomes, wait).toHaveLength(2);
    expect(seen).toEqual([[job, 1]]);
    expect(await queues.find('propose', job)).toBe('completed');
  });

  test('tries again what says that it helps, and keeps what says that it does not', async () => {
    const tries: Record<string, number> = {};
    work({
      async propose(payload, { attempt }) {
        tries[payload.package] = attempt;
        if (payload.package === 'never') throw new RegrowError('forge.refused', 'no', { remedy: 'ask' });
        if (attempt < 3) throw new RegrowError('forge.conflict', 'moved', { retry: attempt === 1 ? 'now' : 'later' });
      },
    });
    await queues.enqueue('propose', job);
    await queues.enqueue('propose', { ...job, package: 'never' });
    await expect.poll(() => queues.find('propose', job), wait).toBe('completed');
    const never = { ...job, package: 'never' };
    expect(await queues.find('propose', never)).toBe('failed');
    expect(await queues.failure('propose', never)).toEqual({
      code: 'forge.refused',
      message: 'no',
      retry: 'never',
      remedy: 'ask',
    });
    expect(tries).toEqual({ jq: 3, never: 1 });
  });

  test('gives up after as many tries as the catalogue says; another attempt runs again, the same one does not', async () => {
    let runs = 0;
    work({
      async propose() {
        runs += 1;
        throw new RegrowError('upstream.unreachable', 'down', { retry: 'later' });
      },
    });
    await queues.enqueue('propose', job);
    await expect.poll(() => queues.find('propose', job), wait).toBe('failed');
    expect(runs).toBe(5);
    await queues.enqueue('propose', job);
    expect(await queues.find('propose', job)).toBe('failed');
    await queues.enqueue('propose', { ...job, attempt: 2 });
    await expect.poll(() => queues.find('propose', { ...job, attempt: 2 }), wait).toBe('failed');
    expect(runs).toBe(10);
    expect((await queues.list(10)).map((row) => row.state)).toEqual(['failed', 'failed']);
  });

  test('leaves a job to another, who is known by name while it works; leaving costs no try', async () => {
    const tries: string[] = [];
    const handlers = (name: string): JobHandlers => ({
      async propose(_payload, { attempt }) {
        tries.push(`${name} ${attempt}`);
        if (name === 'first') throw new JobLeft(20);
      },
    });
    work(handlers('first'), 'control', 'first');
    await queues.enqueue('propose', job);
    await expect.poll(() => tries.length, wait).toBeGreaterThan(7);
    expect(new Set(tries)).toEqual(new Set(['first 1']));
    expect(await queues.workers('control')).toEqual(['first']);
    const second = work(handlers('second'), 'control', 'second');
    await expect.poll(() => queues.find('propose', job), wait).toBe('completed');
    expect(tries.at(-1)).toBe('second 1');
    expect(outcomes().filter((one) => one !== 'returned')).toEqual(['completed']);
    expect(await queues.workers('control')).toEqual(['first', 'second']);
    await second.close({ grace: 1000 });
    await expect.poll(() => queues.workers('control'), wait).toEqual(['first']);
    work({}, 'control');
    expect(await queues.workers('results')).toEqual([]);
  });

  test('refuses what it cannot read, and goes on with the next', async () => {
    const [, control] = queues.bullQueues();
    if (control === undefined) throw new Error('no control queue');
    await control.add('reconcile', { v: 9, payload: { slot: 'x' } }, { jobId: 'old', attempts: 3 });
    await control.add('from-the-future', {}, { jobId: 'new', attempts: 3 });
    work({ async reconcile() {} });
    await queues.enqueue('reconcile', { slot: 'ok' });
    await expect.poll(outcomes, wait).toHaveLength(3);
    expect(settled.map((one) => [one.id, one.outcome, one.error?.code])).toEqual(
      expect.arrayContaining([
        ['old', 'failed', 'queue.payload-invalid'],
        ['new', 'failed', 'queue.payload-invalid'],
        ['reconcile,ok', 'completed', undefined],
      ]),
    );
  });

  test('when it is killed in the middle of a job, another one finishes it', async () => {
    let started = 0;
    const first = work({
      async propose(_payload, { signal }) {
        started += 1;
        await untilAborted(signal);
      },
    });
    await queues.enqueue('propose', job);
    await expect.poll(() => started, wait).toBe(1);
    await first.kill();
    expect(await queues.find('propose', job)).toBe('active');
    expect(settled).toEqual([]);
    work({
      async propose() {
        started += 1;
      },
    });
    await expect.poll(() => queues.find('propose', job), wait).toBe('completed');
    expect(started).toBe(2);
  });

  test('when it stops, a job within the grace period ends, one beyond it is aborted and goes back with all its tries', async () => {
    const aborted: string[] = [];
    let release = (): void => undefined;
    const short = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = work({
      async propose(payload, { signal }) {
        if (payload.package === 'short') return short;
        signal.addEventListener('abort', () => aborted.push(payload.package));
        return untilAborted(signal);
      },
    });
    await queues.enqueue('propose', { ...job, package: 'short' });
    await queues.enqueue('propose', { ...job, package: 'long' });
    await expect.poll(() => first.active(), wait).toBe(2);
    const closed = first.close({ grace: 150 });
    release();
    await closed;
    expect(aborted).toEqual(['long']);
    expect(await queues.find('propose', { ...job, package: 'short' })).toBe('completed');
    expect(await queues.find('propose', { ...job, package: 'long' })).toBe('waiting');
    let attempt = 0;
    work({
      async propose(_payload, context) {
        attempt = context.attempt;
      },
    });
    await expect.poll(() => queues.find('propose', { ...job, package: 'long' }), wait).toBe('completed');
    expect(attempt).toBe(1);
  });

  test('when Redis is emptied under it, the job is aborted and the worker goes on with what comes', async () => {
    let aborted = false;
    const worker = work({
      async propose(_payload, { signal }) {
        signal.addEventListener('abort', () => {
          aborted = true;
        });
        await untilAborted(signal);
      },
      async reconcile() {},
    });
    await queues.enqueue('propose', job);
    await expect.poll(() => worker.active(), wait).toBe(1);
    await redis.client.flushall();
    await expect.poll(() => aborted, wait).toBe(true);
    expect(outcomes()).toContain('lost');
    await queues.enqueue('reconcile', { slot: 'after' });
    await expect.poll(() => queues.find('reconcile', { slot: 'after' }), wait).toBe('completed');
    expect(await queues.find('propose', job)).toBeUndefined();
  });

  test('when Redis goes away and comes back, it takes jobs again', async () => {
    let runs = 0;
    work({
      async reconcile() {
        runs += 1;
      },
    });
    await queues.enqueue('reconcile', { slot: 'before' });
    await expect.poll(() => runs, wait).toBe(1);
    await redis.crash();
    await expect(queues.enqueue('reconcile', { slot: 'lost' })).rejects.toMatchObject({ code: 'queue.unreachable' });
    await redis.start();
    await expect.poll(() => queues.enqueue('reconcile', { slot: 'after' }).then(() => 'in', String), wait).toBe('in');
    await expect.poll(() => queues.find('reconcile', { slot: 'after' }), wait).toBe('completed');
  });

  test('can be stopped while Redis is away', async () => {
    const worker = work({ async reconcile() {} });
    await redis.crash();
    const started = performance.now();
    await worker.close({ grace: 100 });
    expect(performance.now() - started).toBeLessThan(5000);
    await redis.start();
  });
});
