import type { StepClock } from '../build/build-run.ts';
import type { Secrets } from '../config/secrets.ts';
import { createWorker, type JobHandlers, type SettledJob, type WorkerTimings } from '../jobs/worker.ts';
import type { RepositoryKeys } from '../ports/signer.ts';
import type { SharedParts } from './parts.ts';
import type { Verify } from './verifier.ts';

export interface HostOptions {
  readonly secrets: Secrets;
  /** Default: those of the key directory; the first is made when there is none. */
  readonly keys?: RepositoryKeys;
  /** Who judges builds. Default: a child process without keys; tests judge in their own process, which is faster. */
  readonly verify?: Verify;
  /** What the steps of every build here take for the time. Default: the machine's, and for second builds one that is ahead. */
  readonly stepClock?: StepClock;
  /** What a builder here is called in results, and knows others by. Default: the name of the machine. */
  readonly builderName?: string;
  /** False: the clock asks for nothing; only `tick` and what comes in do. */
  readonly schedule?: boolean;
  /** Milliseconds that the conductor's lease outlives it. */
  readonly leaseTime?: number;
  /** Most bytes of the ledger. Default: what the disk holds. */
  readonly ledgerLimit?: number;
  readonly timings?: WorkerTimings;
  readonly onSettled?: (job: SettledJob) => void;
}

/** How something ends: in good order, within `grace` milliseconds, or as a crash would. */
export type Ending = { readonly how: 'stop'; readonly grace: number } | { readonly how: 'kill' };

/** What a role lives in: the parts that all share, and a list of what has to be ended. */
export interface RoleHost extends HostOptions {
  readonly parts: SharedParts;
  /** Takes jobs of a queue from now on. The worker ends with the host, or before when `end` is called. `name`: see `Queues.workers`. */
  work(
    queue: string,
    concurrency: number,
    handlers: JobHandlers,
    name?: string,
  ): { end(ending: Ending): Promise<void> };
  /** Ends with the host, after every worker, the last one first. */
  onEnd(end: (ending: Ending) => Promise<void> | void): void;
  end(ending: Ending): Promise<void>;
}

export function createRoleHost(parts: SharedParts, options: HostOptions): RoleHost {
  const workers = new Set<{ end(ending: Ending): Promise<void> }>();
  const ends: ((ending: Ending) => Promise<void> | void)[] = [];
  return {
    ...options,
    parts,
    work(queue, concurrency, handlers, name) {
      const worker = createWorker({
        redis: parts.redis,
        prefix: parts.config.redis.prefix,
        queue,
        ...(name === undefined ? {} : { name }),
        concurrency,
        handlers,
        log: parts.log,
        ...(options.timings === undefined ? {} : { timings: options.timings }),
        ...(options.onSettled === undefined ? {} : { onSettled: options.onSettled }),
      });
      const handle = {
        async end(ending: Ending) {
          if (!workers.delete(handle)) return;
          await (ending.how === 'kill' ? worker.kill() : worker.close({ grace: ending.grace }));
        },
      };
      workers.add(handle);
      return handle;
    },
    onEnd(end) {
      ends.push(end);
    },
    async end(ending) {
      await Promise.all([...workers].map((worker) => worker.end(ending)));
      for (const end of ends.toReversed()) await end(ending);
      await parts.close();
    },
  };
}
