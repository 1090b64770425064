import { DelayedError, type Job, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { type ErrorReport, RegrowError, reportError, toRegrowError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { isJobType, type JobPayload, type JobType, unpackJob } from './catalogue.ts';
import { openRedis, type RedisAddress } from './connection.ts';
import { pauseAfter, toBullError } from './failure.ts';

export interface JobContext {
  /** Aborted when the worker stops, or when the job is no longer this worker's. Hand it to every child and request. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Which try of this job this is, from 1; not the attempt in its payload. */
  readonly attempt: number;
}

export type JobHandlers = {
  readonly [T in JobType]?: (payload: JobPayload<T>, context: JobContext) => Promise<void>;
};

/** Thrown by a handler that leaves its job to other workers: it comes back after a pause, with all its tries. */
export class JobLeft extends Error {
  /** Milliseconds. */
  readonly pause: number;

  constructor(pause: number) {
    super('the job is left to another worker');
    this.name = 'JobLeft';
    this.pause = pause;
  }
}

/** What became of one try of a job. `returned`: it went back in line, for this worker or another; `lost`: it was no longer ours. */
export interface SettledJob {
  readonly type: string;
  readonly id: string;
  readonly outcome: 'completed' | 'failed' | 'retrying' | 'returned' | 'lost';
  readonly error?: ErrorReport;
}

/** Shorter in tests; the defaults suit jobs of minutes. Times are milliseconds. */
export interface WorkerTimings {
  /** How long a worker may be silent before its job counts as abandoned. Default 30 000. */
  readonly lock?: number;
  /** How often abandoned jobs are looked for. Default 15 000. */
  readonly stalled?: number;
  /** Multiplies the pauses before a retry. Default 1. */
  readonly pauseFactor?: number;
  /** How often a job may be taken up again after its worker died, before it counts as what kills them. Default 5. */
  readonly abandonments?: number;
}

export interface WorkerOptions {
  readonly redis: RedisAddress;
  readonly prefix?: string;
  readonly queue: string;
  /** What `Queues.workers` knows it by; without, it is not listed there. */
  readonly name?: string;
  readonly concurrency: number;
  readonly handlers: JobHandlers;
  readonly log: Logger;
  readonly timings?: WorkerTimings;
  readonly onSettled?: (job: SettledJob) => void;
}

export interface JobWorker {
  /** Takes no more jobs; waits `grace` milliseconds for those that run; aborts them; closes. Aborted jobs go back in line. */
  close(options: { readonly grace: number }): Promise<void>;
  /** Leaves as a crash would: nothing is said to Redis, the job stays active until its lock runs out. */
  kill(): Promise<void>;
  /** Jobs that run now. */
  active(): number;
}

const mostAbandonments = 5;
/** Milliseconds that an aborted handler has to end, and Redis to take a goodbye. */
const abortPatience = 5000;
const goodbyePatience = 2000;

async function within(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function handle(job: Job, handlers: JobHandlers, context: JobContext): Promise<void> {
  if (!isJobType(job.name)) throw unknownJob(job);
  const run = handlerOf(handlers, job.name);
  if (run === undefined) throw unknownJob(job);
  await run(job.data, context);
}

/** A handler together with the check of its payload: what is stored in Redis goes in. */
function handlerOf<T extends JobType>(
  handlers: JobHandlers,
  type: T,
): ((data: unknown, context: JobContext) => Promise<void>) | undefined {
  const handler: ((payload: JobPayload<T>, context: JobContext) => Promise<void>) | undefined = handlers[type];
  return handler === undefined ? undefined : (data, context) => handler(unpackJob(type, data), context);
}

function unknownJob(job: Job): RegrowError {
  return new RegrowError('queue.payload-invalid', `queue ${job.queueName} holds a job of type ${job.name}`, {
    field: 'type',
    remedy: 'run the same version of regrow everywhere',
  });
}

/** Runs the jobs of one queue. Redis may go away and come back; each job is run at least once. */
export function createWorker(options: WorkerOptions): JobWorker {
  const { queue, log, handlers, timings = {} } = options;
  // BullMQ makes itself a second connection from ours; both are kept, to be able to leave without a word.
  const connections: Redis[] = [openRedis(options.redis, { log, patient: true })];
  const [main] = connections;
  if (main === undefined) throw new RegrowError('internal', 'no connection');
  const duplicate = main.duplicate.bind(main);
  main.duplicate = (...args) => {
    const copy = duplicate(...args);
    connections.push(copy);
    return copy;
  };

  const running = new Map<string, Promise<void>>();
  let stopping = false;
  let killed = false;

  function settle(job: Job, outcome: SettledJob['outcome'], error?: RegrowError): void {
    const report = error === undefined ? {} : { error: reportError(error) };
    options.onSettled?.({ type: job.name, id: job.id ?? '', outcome, ...report });
  }

  const failures = new WeakMap<Job, RegrowError>();
  const worker = new Worker(
    queue,
    // BullMQ hands out a signal only where the processor declares three parameters, none of them with a default.
    async (job, token, bullSignal) => {
      const signal = bullSignal ?? new AbortController().signal;
      const id = job.id ?? '';
      const attempt = job.attemptsMade + 1;
      const jobLog = log.child({ queue, job: id, try: attempt });
      const work = handle(job, handlers, { signal, log: jobLog, attempt });
      running.set(
        id,
        work.catch(() => undefined),
      );
      try {
        await work;
      } catch (thrown) {
        if (thrown instanceof JobLeft) {
          await job.moveToDelayed(Date.now() + thrown.pause, token);
          settle(job, 'returned');
          throw new DelayedError();
        }
        const error = toRegrowError(thrown);
        if (error.code === 'aborted' && stopping && !killed) {
          // Not the job's fault: it goes back in line with all its tries.
          await job.moveToWait(token);
          settle(job, 'returned', error);
          throw new WaitingError();
        }
        if (!killed) jobLog.warn({ code: error.code, retry: error.retry, err: error }, 'job failed');
        failures.set(job, error);
        throw toBullError(error);
      } finally {
        running.delete(id);
      }
    },
    {
      connection: main,
      prefix: options.prefix ?? 'regrow',
      ...(options.name === undefined ? {} : { name: options.name }),
      concurrency: options.concurrency,
      lockDuration: timings.lock ?? 30_000,
      stalledInterval: timings.stalled ?? 15_000,
      maxStalledCount: timings.abandonments ?? mostAbandonments,
      drainDelay: 5,
      // How long it rests after Redis refused a command.
      runRetryDelay: 1000,
      settings: {
        backoffStrategy: (triesMade, _type, failure, job) =>
          pauseAfter(job?.name ?? '', triesMade, failure, timings.pauseFactor),
      },
    },
  );
  worker.on('error', (error) => {
    if (!killed) log.debug({ queue, err: error }, 'worker error');
  });
  worker.on('stalled', (id) => log.warn({ queue, job: id }, 'job was abandoned by its worker; it is taken up again'));
  worker.on('completed', (job) => settle(job, 'completed'));
  worker.on('failed', (job, thrown) => {
    if (job === undefined) return;
    const final = job.finishedOn !== undefined;
    settle(job, final ? 'failed' : 'retrying', failures.get(job) ?? toRegrowError(thrown));
  });
  worker.on('lockRenewalFailed', (ids) => {
    // Someone else may run it by now, or Redis was emptied: what we would do is no longer asked for.
    for (const id of ids) {
      worker.cancelJob(id, 'the job is no longer this worker’s');
      options.onSettled?.({ type: '', id, outcome: 'lost' });
    }
  });

  function leave(): void {
    killed = true;
    for (const connection of connections) connection.disconnect();
  }

  return {
    active: () => running.size,
    async close({ grace }) {
      stopping = true;
      const closed = worker.close().catch((error: unknown) => log.debug({ queue, err: error }, 'worker close'));
      const idle = (): Promise<unknown> => Promise.all(running.values());
      if (!(await within(idle(), grace))) {
        log.warn({ queue, jobs: [...running.keys()] }, 'jobs are aborted: the grace period is over');
        worker.cancelAllJobs('stopping');
        if (!(await within(idle(), abortPatience))) log.error({ queue }, 'jobs do not end; they are abandoned');
      }
      await within(closed, goodbyePatience);
      leave();
    },
    async kill() {
      leave();
      worker.cancelAllJobs('killed');
      await within(
        worker.close(true).catch(() => undefined),
        goodbyePatience,
      );
    },
  };
}
