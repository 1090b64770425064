import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import { createQueues, type Queues } from '../../../src/jobs/queues.ts';
import { createWorker } from '../../../src/jobs/worker.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { testLog } from '../../support/log.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

let redis: TestRedis;
let queues: Queues;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(async () => {
  await redis.stop();
});

function open(): Queues {
  const clock = createManualClock('2026-11-24T00:00:00.000Z');
  const { log } = testLog();
  return createQueues({ redis: { socket: redis.socket }, targets: ['x86_64-gnu'], log, clock, patience: 300 });
}

beforeEach(async () => {
  await redis.client.flushall();
  queues = open();
});
afterEach(async () => {
  await queues.close();
});

function build(buildKey: string) {
  const request = 'd'.repeat(64);
  const rest = { request, version: '1-r0', target: 'x86_64-gnu' } as const;
  return { buildKey, attempt: 1, delivery: 1, package: buildKey, ...rest };
}

describe('the queues', () => {
  test('a job that is there already is not there twice', async () => {
    const first = await queues.enqueue('build', build('aa'));
    expect(await queues.enqueue('build', build('aa'))).toBe(first);
    expect((await queues.counts())['build-x86_64-gnu']).toEqual({ waiting: 1, active: 0, delayed: 0, failed: 0 });
    expect(await queues.find('build', build('aa'))).toBe('waiting');
    expect(await queues.find('build', build('bb'))).toBeUndefined();
  });

  test('what is urgent stands in front, and the place of each can be asked for', async () => {
    await queues.enqueueMany([
      { type: 'build', payload: build('low'), urgency: 'low' },
      { type: 'build', payload: build('one') },
      { type: 'build', payload: build('two') },
      { type: 'build', payload: build('cve'), urgency: 'security' },
      { type: 'watch-releases', payload: { request: 'requests/e.json' } },
    ]);
    expect(await queues.position('build', build('cve'))).toBe(1);
    expect(await queues.position('build', build('one'))).toBe(2);
    expect(await queues.position('build', build('two'))).toBe(3);
    expect(await queues.position('build', build('low'))).toBe(4);
    expect(await queues.position('build', build('none'))).toBeUndefined();
    const list = await queues.list(10);
    const builds = list.filter((job) => job.queue === 'build-x86_64-gnu');
    expect(builds.map((job) => [job.position, job.payload['package']])).toEqual([
      [1, 'cve'],
      [2, 'one'],
      [3, 'two'],
      [4, 'low'],
    ]);
    expect(list).toHaveLength(5);
    expect(await queues.list(2)).toHaveLength(2);
  });

  test('a job that waits can be taken out', async () => {
    await queues.enqueue('build', build('aa'));
    expect(await queues.cancel('build', build('aa'))).toBe(true);
    expect(await queues.cancel('build', build('aa'))).toBe(false);
    expect(await queues.find('build', build('aa'))).toBeUndefined();
  });

  test('a job that waits is not forgotten, one that ended is', async () => {
    await queues.enqueue('reconcile', { slot: '1' });
    await queues.forget('reconcile', { slot: '1' });
    expect(await queues.find('reconcile', { slot: '1' })).toBe('waiting');
    const { log } = testLog();
    const worker = createWorker({
      redis: { socket: redis.socket },
      queue: 'control',
      concurrency: 1,
      handlers: { reconcile: () => Promise.reject(new RegrowError('recipe.malformed', 'no', { retry: 'never' })) },
      log,
    });
    await expect.poll(() => queues.find('reconcile', { slot: '1' })).toBe('failed');
    await worker.close({ grace: 1000 });
    await queues.forget('reconcile', { slot: '1' });
    expect(await queues.find('reconcile', { slot: '1' })).toBeUndefined();
  });

  test('a queue can be paused and resumed, and another daemon sees it', async () => {
    await queues.pause('control');
    const other = open();
    expect(await other.paused()).toEqual(['control']);
    await other.enqueue('reconcile', { slot: '1' });
    expect((await other.counts())['control']?.waiting).toBe(1);
    await other.resume();
    expect(await queues.paused()).toEqual([]);
    await other.close();
  });

  test('what is to be taken back goes to the publisher, before what is to be published', async () => {
    await queues.enqueue('publish', { request: 'requests/a.json', attempt: 1 });
    await queues.withdraw({ name: 'tool', version: '2-r0', reason: 'it eats files', force: false });
    await queues.rollBack(3);
    await queues.rollBack(undefined);
    const slot = Date.parse('2026-11-24T00:00:00.000Z') / 1000;
    expect((await queues.list(10)).map(({ queue, type, payload }) => [queue, type, payload])).toEqual([
      ['publish', 'withdraw', { name: 'tool', version: '2-r0', reason: 'it eats files', force: false, slot }],
      ['publish', 'rollback', { to: 3, slot }],
      ['publish', 'rollback', { slot }],
      ['publish', 'publish', { request: 'requests/a.json', attempt: 1 }],
    ]);
  });

  test('asking for a reconcile is asking once a second', async () => {
    await queues.reconcile();
    await queues.reconcile();
    expect((await queues.counts())['control']?.waiting).toBe(1);
  });

  test('a poke stands before everything else that the conductor is asked for', async () => {
    await queues.reconcile();
    const jq = { what: 'package', name: 'jq' } as const;
    await queues.poke(jq);
    await queues.poke(jq);
    const slot = Date.parse('2026-11-24T00:00:00.000Z') / 1000;
    expect(await queues.position('poke', { ...jq, slot })).toBe(1);
    expect((await queues.counts())['control']?.waiting).toBe(2);
  });

  test('3,401 jobs go in at once', async () => {
    const jobs = Array.from({ length: 3401 }, (_, n) => ({ type: 'build' as const, payload: build(`k${n}`) }));
    const started = performance.now();
    await queues.enqueueMany(jobs);
    expect(performance.now() - started).toBeLessThan(8000);
    expect((await queues.counts())['build-x86_64-gnu']?.waiting).toBe(3401);
  });

  test('a payload that is wrong is refused before Redis is asked', async () => {
    await expect(queues.enqueue('build', { ...build('aa'), attempt: 0 })).rejects.toMatchObject({
      code: 'queue.payload-invalid',
    });
  });

  test('a Redis that is gone is queue.unreachable with a remedy; when it is back, the same queues work', async () => {
    await queues.enqueue('build', build('aa'));
    await redis.crash();
    const refused = { code: 'queue.unreachable', retry: 'later', remedy: expect.stringContaining('redis.url') };
    await expect(queues.ping()).rejects.toMatchObject(refused);
    await expect(queues.enqueue('build', build('bb'))).rejects.toMatchObject(refused);
    await redis.start();
    await expect.poll(() => queues.ping().then(() => 'up', String), { timeout: 10_000 }).toBe('up');
    // The append-only file kept the first job.
    expect(await queues.find('build', build('aa'))).toBe('waiting');
    await queues.enqueue('build', build('bb'));
    expect(await queues.find('build', build('bb'))).toBe('waiting');
  });

  test('a password does not show in an error', async () => {
    const { log } = testLog();
    const clock = createManualClock('2026-11-24T00:00:00.000Z');
    const url = 'redis://user:hunter2@127.0.0.1:1/0';
    const nowhere = createQueues({ redis: { url }, targets: [], log, clock, patience: 200 });
    const error: unknown = await nowhere.ping().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'queue.unreachable' });
    expect(String(error)).toContain('127.0.0.1:1');
    expect(String(error)).not.toContain('hunter2');
    await nowhere.close();
  });
});
