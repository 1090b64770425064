import { createTask, type ScheduledTask } from 'node-cron';
import { toRegrowError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Clock } from '../ports/clock.ts';
import type { AnyJobRequest, Queues } from './queues.ts';

export interface ScheduleEntry {
  readonly name: string;
  /** Milliseconds between slots. */
  readonly every: number;
  /** The jobs of one slot, `floor(now / every)`, which is in their ids: asked for by every daemon, they run once. */
  readonly jobs: (slot: number) => readonly AnyJobRequest[] | Promise<readonly AnyJobRequest[]>;
}

export interface ScheduleOptions {
  readonly entries: readonly ScheduleEntry[];
  readonly queues: Pick<Queues, 'enqueueMany'>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Schedule {
  /** Enqueues the slot that it is now, then each one when it comes. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Enqueues each entry whose slot has not been enqueued yet; what `start` has the clock do every second. */
  tick(): Promise<void>;
}

/**
 * Time does nothing but enqueue. A slot that could not be enqueued is tried again with the next tick; slots that went by
 * meanwhile are not made up for, because each asks for the same thing: how it is now.
 */
export function createSchedule(options: ScheduleOptions): Schedule {
  const { queues, clock, log } = options;
  const done = new Map<string, number>();
  let task: ScheduledTask | undefined;
  let ticking: Promise<void> | undefined;

  async function enqueue(entry: ScheduleEntry): Promise<void> {
    const slot = Math.floor(clock.now().getTime() / entry.every);
    if (done.get(entry.name) === slot) return;
    try {
      const jobs = await entry.jobs(slot);
      await queues.enqueueMany(jobs);
      done.set(entry.name, slot);
      log.debug({ schedule: entry.name, slot, jobs: jobs.length }, 'slot enqueued');
    } catch (thrown) {
      const error = toRegrowError(thrown);
      log.warn({ schedule: entry.name, slot, code: error.code, err: error }, 'slot not enqueued; it is tried again');
    }
  }

  async function tick(): Promise<void> {
    // One at a time: a slow Redis must not pile ticks up.
    ticking ??= (async () => {
      for (const entry of options.entries) await enqueue(entry);
    })().finally(() => {
      ticking = undefined;
    });
    await ticking;
  }

  return {
    tick,
    async start() {
      if (task !== undefined) return;
      task = createTask('* * * * * *', tick, { suppressMissedWarning: true });
      await task.start();
      await tick();
    },
    async stop() {
      await task?.destroy();
      task = undefined;
      await ticking;
    },
  };
}
