import type { QueueJob } from '../../src/model/queue.ts';
import type { QueueRequests, QueueView } from '../../src/ports/queue.ts';

export interface MemoryQueue extends QueueView, QueueRequests {
  /** Puts jobs in view, in the order in which they will be taken. */
  show(jobs: readonly QueueJob[]): void;
  /** From now on every call fails with this, until set back. */
  break(error: Error | undefined): void;
  /** What was asked for, oldest first: `reconcile`, `poke package NAME`, `release NAME`. */
  readonly asked: readonly string[];
}

/** The queue as views and the api see it. */
export function createMemoryQueue(): MemoryQueue {
  let jobs: readonly QueueJob[] = [];
  let broken: Error | undefined;
  const asked: string[] = [];
  function check(): void {
    if (broken !== undefined) throw broken;
  }
  return {
    asked,
    show(shown) {
      jobs = shown;
    },
    break(error) {
      broken = error;
    },
    async counts() {
      check();
      const counts: Record<string, { waiting: number; active: number; delayed: number; failed: number }> = {};
      for (const job of jobs) {
        const row = counts[job.queue] ?? { waiting: 0, active: 0, delayed: 0, failed: 0 };
        row[job.state] += 1;
        counts[job.queue] = row;
      }
      return counts;
    },
    async list(limit) {
      check();
      return jobs.slice(0, limit);
    },
    async reconcile() {
      check();
      asked.push('reconcile');
    },
    async poke({ what, name }) {
      check();
      asked.push(`poke ${what} ${name}`);
    },
    async release(name) {
      check();
      asked.push(`release ${name}`);
    },
    async withdraw({ name, version, reason, force }) {
      check();
      asked.push(`withdraw ${name} ${version}${force ? ' by force' : ''}: ${reason}`);
    },
    async collect(dry) {
      check();
      asked.push(dry ? 'collect, only looking' : 'collect');
    },
    async rollBack(to) {
      check();
      asked.push(to === undefined ? 'undo rollback' : `rollback ${to}`);
    },
  };
}
