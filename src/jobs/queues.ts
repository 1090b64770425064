import { Job, Queue } from 'bullmq';
import { type ErrorReport, RegrowError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { QueueCounts, QueueJob } from '../model/queue.ts';
import type { TargetName } from '../model/target.ts';
import type { Clock } from '../ports/clock.ts';
import type { QueueRequests, QueueView } from '../ports/queue.ts';
import {
  buildQueue,
  catalogue,
  fixedQueues,
  type JobPayload,
  type JobType,
  jobId,
  packJob,
  priorities,
  type Urgency,
} from './catalogue.ts';
import { openRedis, type RedisAddress, unreachable, whenReady } from './connection.ts';
import { readFailure } from './failure.ts';
import { placeOf, viewOf } from './queue-view.ts';

export type { Urgency } from './catalogue.ts';

/** `failed`: for good; it runs again only under another attempt. `completed`: done, and still remembered. */
export type JobState = 'waiting' | 'active' | 'delayed' | 'failed' | 'completed';

export interface QueuesOptions {
  readonly redis: RedisAddress;
  /** In front of every key. Default `regrow`. */
  readonly prefix?: string;
  /** Whose build queues are counted and listed from the start; others appear with their first job. */
  readonly targets: readonly TargetName[];
  readonly log: Logger;
  readonly clock: Clock;
  /** Milliseconds that a call waits for a Redis that is not there before it is queue.unreachable. Default 5 000. */
  readonly patience?: number;
}

export interface EnqueueOptions {
  readonly urgency?: Urgency;
}

export interface JobRequest<T extends JobType = JobType> extends EnqueueOptions {
  readonly type: T;
  readonly payload: JobPayload<T>;
}

/** Any job, its payload of its type. */
export type AnyJobRequest = { [T in JobType]: JobRequest<T> }[JobType];

/** Errors of every call: queue.unreachable, to be tried later; of those that take a payload: queue.payload-invalid. */
export interface Queues extends QueueView, QueueRequests {
  /** Resolves when Redis answers. */
  ping(): Promise<void>;
  /** Puts a job in its queue. One that is there already, in any state, stays as it is. Gives its id. */
  enqueue<T extends JobType>(type: T, payload: JobPayload<T>, options?: EnqueueOptions): Promise<string>;
  /** All of them in as few round trips as there are queues. */
  enqueueMany(jobs: readonly AnyJobRequest[]): Promise<void>;
  find<T extends JobType>(type: T, payload: JobPayload<T>): Promise<JobState | undefined>;
  /** 1 is the next to be taken; undefined when the job does not wait. */
  position<T extends JobType>(type: T, payload: JobPayload<T>): Promise<number | undefined>;
  /** Why a job failed for good; undefined when it did not. */
  failure<T extends JobType>(type: T, payload: JobPayload<T>): Promise<ErrorReport | undefined>;
  /** Takes a job that no worker has out of its queue; says whether it did. */
  cancel<T extends JobType>(type: T, payload: JobPayload<T>): Promise<boolean>;
  /** Takes a job that failed or is done out of what is remembered, because another attempt has taken its place. */
  forget<T extends JobType>(type: T, payload: JobPayload<T>): Promise<void>;
  /** Keeps workers from taking jobs of one queue, or of all; survives restarts. */
  pause(queue?: string): Promise<void>;
  resume(queue?: string): Promise<void>;
  /** Queues that are paused. */
  paused(): Promise<readonly string[]>;
  /** Names of the workers that take jobs of a queue now; of two of the same name one. Empty where Redis does not list its clients. */
  workers(queue: string): Promise<readonly string[]>;
  /** For bull-board. */
  bullQueues(): readonly Queue[];
  close(): Promise<void>;
}

function jobOptions<T extends JobType>(type: T, payload: JobPayload<T>, urgency: Urgency = 'normal') {
  const { attempts, remember } = catalogue[type];
  return {
    jobId: jobId(type, payload),
    priority: priorities[urgency],
    attempts,
    // How long is worked out from the error when it is there: see failure.ts.
    backoff: { type: 'by-error' },
    removeOnComplete: { age: remember, count: 20_000 },
    removeOnFail: { age: 7 * 24 * 3600, count: 20_000 },
    stackTraceLimit: 5,
  };
}

const states: Readonly<Record<string, JobState>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  paused: 'waiting',
  active: 'active',
  delayed: 'delayed',
  failed: 'failed',
  completed: 'completed',
};

/** A worker's connection is called `PREFIX:QUEUE:w:NAME`, the queue in base64. */
async function workerNames(queue: Queue): Promise<readonly string[]> {
  // Some do not let their clients be listed; then nobody is known to be there.
  const clients = await queue.getWorkers().catch(() => []);
  const names = clients.flatMap(({ rawname = '' }) => /:w:(.+)$/.exec(rawname)?.[1] ?? []);
  return [...new Set(names)].toSorted();
}

/** The queues as those who fill them and look at them see them. Nothing is asked of Redis before the first call. */
export function createQueues(options: QueuesOptions): Queues {
  const { redis: address, log, clock, prefix = 'regrow', patience = 5000 } = options;
  const redis = openRedis(address, { log, patient: false });
  const queues = new Map<string, Queue>();

  function queueOf(name: string): Queue {
    const known = queues.get(name);
    if (known !== undefined) return known;
    // The version check would be asked once, and a Queue whose first question failed never works again.
    const queue = new Queue(name, { connection: redis, prefix, skipVersionCheck: true });
    queue.on('error', (error) => log.debug({ queue: name, err: error }, 'queue error'));
    queues.set(name, queue);
    return queue;
  }
  for (const name of [...fixedQueues, ...options.targets.map(buildQueue)]) queueOf(name);

  async function reach<T>(work: () => Promise<T>): Promise<T> {
    await whenReady(redis, address, patience);
    try {
      return await work();
    } catch (error) {
      throw error instanceof RegrowError ? error : unreachable(address, error);
    }
  }

  function jobOf<T extends JobType>(type: T, payload: JobPayload<T>): { queue: Queue; id: string } {
    return { queue: queueOf(catalogue[type].queue(payload)), id: jobId(type, payload) };
  }

  function toBulk<T extends JobType>(request: JobRequest<T>) {
    const { type, payload, urgency } = request;
    const data = packJob(type, payload);
    return {
      queue: catalogue[type].queue(payload),
      job: { name: type, data, opts: jobOptions(type, payload, urgency) },
    };
  }

  async function each(queue: string | undefined, work: (queue: Queue) => Promise<void>): Promise<void> {
    await reach(async () => {
      await Promise.all((queue === undefined ? [...queues.values()] : [queueOf(queue)]).map(work));
    });
  }

  async function enqueue<T extends JobType>(
    type: T,
    payload: JobPayload<T>,
    { urgency }: EnqueueOptions = {},
  ): Promise<string> {
    const data = packJob(type, payload);
    const opts = jobOptions(type, payload, urgency);
    await reach(() => queueOf(catalogue[type].queue(payload)).add(type, data, opts));
    return opts.jobId;
  }

  return {
    ping: () =>
      reach(async () => {
        await redis.ping();
      }),
    enqueue,
    async enqueueMany(jobs) {
      const byQueue = new Map<string, ReturnType<typeof toBulk>['job'][]>();
      for (const request of jobs) {
        const { queue, job } = toBulk(request);
        byQueue.set(queue, [...(byQueue.get(queue) ?? []), job]);
      }
      await reach(async () => {
        for (const [name, bulk] of byQueue) await queueOf(name).addBulk(bulk);
      });
    },
    find(type, payload) {
      const { queue, id } = jobOf(type, payload);
      return reach(async () => states[await queue.getJobState(id)]);
    },
    position(type, payload) {
      const { queue, id } = jobOf(type, payload);
      return reach(() => placeOf(redis, queue, id));
    },
    failure(type, payload) {
      const { queue, id } = jobOf(type, payload);
      return reach(async () => {
        if ((await queue.getJobState(id)) !== 'failed') return undefined;
        const job = await Job.fromId(queue, id);
        return job === undefined ? undefined : readFailure(job.failedReason);
      });
    },
    cancel(type, payload) {
      const { queue, id } = jobOf(type, payload);
      return reach(async () => {
        const state = states[await queue.getJobState(id)];
        if (state !== 'waiting' && state !== 'delayed') return false;
        // 0: a worker took it in between.
        return (await queue.remove(id)) === 1;
      });
    },
    forget(type, payload) {
      const { queue, id } = jobOf(type, payload);
      return reach(async () => {
        const state = states[await queue.getJobState(id)];
        if (state === 'failed' || state === 'completed') await queue.remove(id);
      });
    },
    pause: (queue) => each(queue, (one) => one.pause()),
    resume: (queue) => each(queue, (one) => one.resume()),
    paused: () =>
      reach(async () => {
        const asked = await Promise.all([...queues].map(async ([name, one]) => ((await one.isPaused()) ? [name] : [])));
        return asked.flat();
      }),
    counts: () =>
      reach(async () => {
        const counted = [...queues].map(async ([name, queue]): Promise<[string, QueueCounts]> => {
          const counts = await queue.getJobCounts('wait', 'prioritized', 'active', 'delayed', 'failed');
          const of = (state: string): number => counts[state] ?? 0;
          const waiting = of('wait') + of('prioritized');
          return [name, { waiting, active: of('active'), delayed: of('delayed'), failed: of('failed') }];
        });
        return Object.fromEntries(await Promise.all(counted));
      }),
    list: (limit) =>
      reach(async () => {
        const views = await Promise.all([...queues.values()].map((queue) => viewOf(queue, limit)));
        const order: readonly QueueJob['state'][] = ['active', 'waiting', 'delayed', 'failed'];
        return order.flatMap((state) => views.flatMap((view) => view[state])).slice(0, limit);
      }),
    async reconcile() {
      // Within a second, asking often is asking once.
      await enqueue('reconcile', { slot: `asked-${Math.floor(clock.now().getTime() / 1000)}` });
    },
    async poke({ what, name }) {
      const slot = Math.floor(clock.now().getTime() / 1000);
      await enqueue('poke', { what, name, slot }, { urgency: 'security' });
    },
    async release(name) {
      const slot = Math.floor(clock.now().getTime() / 1000);
      await enqueue('release', { package: name, slot }, { urgency: 'security' });
    },
    async withdraw(order) {
      const slot = Math.floor(clock.now().getTime() / 1000);
      await enqueue('withdraw', { ...order, slot }, { urgency: 'security' });
    },
    async collect(dry) {
      await enqueue('order-collection', { dry, slot: Math.floor(clock.now().getTime() / 1000) });
    },
    async rollBack(to) {
      const slot = Math.floor(clock.now().getTime() / 1000);
      await enqueue('rollback', { slot, ...(to === undefined ? {} : { to }) }, { urgency: 'security' });
    },
    workers: (name) => reach(() => workerNames(queueOf(name))),
    bullQueues: () => [...queues.values()],
    async close() {
      await Promise.all([...queues.values()].map((queue) => queue.close()));
      redis.disconnect();
    },
  };
}
