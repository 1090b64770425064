import { describe, expect, test } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import type { AnyJobRequest } from '../../../src/jobs/queues.ts';
import { createSchedule, type ScheduleEntry } from '../../../src/jobs/schedule.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { testLog } from '../../support/log.ts';

const minute = 60_000;

function world() {
  const clock = createManualClock('2026-11-24T00:00:30.000Z');
  const enqueued: AnyJobRequest[] = [];
  const state = { down: false };
  const queues = {
    async enqueueMany(jobs: readonly AnyJobRequest[]) {
      if (state.down) throw new RegrowError('queue.unreachable', 'down', { retry: 'later' });
      enqueued.push(...jobs);
    },
  };
  const entries: ScheduleEntry[] = [
    { name: 'reconcile', every: minute, jobs: (slot) => [{ type: 'reconcile', payload: { slot: String(slot) } }] },
    {
      name: 'feed',
      every: 60 * minute,
      jobs: (slot) => [{ type: 'watch-advisories', payload: { feed: 'go', slot, part: 0 } }],
    },
  ];
  const { log, lines } = testLog();
  const schedule = createSchedule({ entries, queues, clock, log });
  return { clock, enqueued, state, schedule, lines };
}

function types(jobs: readonly AnyJobRequest[]): string[] {
  return jobs.map((job) => job.type);
}

describe('the schedule', () => {
  test('enqueues each slot once, and only the slot that it is now', async () => {
    const { clock, enqueued, schedule } = world();
    await schedule.tick();
    await schedule.tick();
    expect(types(enqueued)).toEqual(['reconcile', 'watch-advisories']);
    clock.advance(29_999);
    await schedule.tick();
    expect(enqueued).toHaveLength(2);
    clock.advance(1);
    await schedule.tick();
    expect(types(enqueued)).toEqual(['reconcile', 'watch-advisories', 'reconcile']);
    clock.advance(5 * minute);
    await schedule.tick();
    expect(enqueued).toHaveLength(4);
    const slot = Math.floor(clock.now().getTime() / minute);
    expect(enqueued.at(-1)?.payload).toEqual({ slot: String(slot) });
  });

  test('two daemons ask for the same slots', async () => {
    const [one, two] = [world(), world()];
    await one.schedule.tick();
    two.clock.advance(20_000);
    await two.schedule.tick();
    expect(one.enqueued).toEqual(two.enqueued);
  });

  test('a slot that could not be enqueued is tried again', async () => {
    const { state, enqueued, schedule, lines } = world();
    state.down = true;
    await schedule.tick();
    expect(lines.map((line) => line['code'])).toEqual(['queue.unreachable', 'queue.unreachable']);
    state.down = false;
    await schedule.tick();
    expect(enqueued).toHaveLength(2);
  });

  test('started, it enqueues at once and then as time goes by; stopped, nothing more', async () => {
    const { clock, enqueued, schedule } = world();
    await schedule.start();
    expect(enqueued).toHaveLength(2);
    clock.advance(minute);
    await expect.poll(() => enqueued.length, { timeout: 5000, interval: 20 }).toBe(3);
    await schedule.stop();
    clock.advance(minute);
    await schedule.stop();
    expect(enqueued).toHaveLength(3);
  });
});
