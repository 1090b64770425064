import type { Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { QueueJob } from '../model/queue.ts';

/**
 * Where a job stands in its queue, 1 being the next; undefined when it does not wait. Workers take the `wait` list from
 * its end (what stalled comes back there), then the prioritised ones by rank.
 */
export async function placeOf(redis: Redis, queue: Queue, id: string): Promise<number | undefined> {
  const wait = queue.toKey('wait');
  const [length, index, rank] = await Promise.all([
    redis.llen(wait),
    redis.lpos(wait, id),
    redis.zrank(queue.toKey('prioritized'), id),
  ]);
  if (index !== null) return length - index;
  return typeof rank === 'number' ? length + rank + 1 : undefined;
}

export type ViewByState = Readonly<Record<QueueJob['state'], readonly QueueJob[]>>;

/** The payload as stored, whatever wrote it: people must see also what this version cannot read. */
function payloadOf(data: unknown): Record<string, unknown> {
  if (typeof data !== 'object' || data === null) return {};
  const payload = 'payload' in data ? data.payload : data;
  return typeof payload === 'object' && payload !== null ? { ...payload } : {};
}

/** The first `limit` jobs of a queue in each state. */
export async function viewOf(queue: Queue, limit: number): Promise<ViewByState> {
  const end = limit - 1;
  const [active, wait, prioritized, delayed, failed] = await Promise.all([
    queue.getJobs(['active'], 0, end, true),
    queue.getJobs(['wait'], 0, end, true),
    queue.getJobs(['prioritized'], 0, end, true),
    queue.getJobs(['delayed'], 0, end, true),
    queue.getJobs(['failed'], 0, end, false),
  ]);
  function view(jobs: readonly Job[], state: QueueJob['state']): QueueJob[] {
    // A job that is removed while it is listed comes back as nothing.
    return jobs.filter(Boolean).map((job, index) => ({
      queue: queue.name,
      type: job.name,
      id: job.id ?? '',
      state,
      ...(state === 'waiting' ? { position: index + 1 } : {}),
      payload: payloadOf(job.data),
      at: new Date(job.timestamp).toISOString(),
    }));
  }
  return {
    active: view(active, 'active'),
    waiting: view([...wait, ...prioritized].slice(0, limit), 'waiting'),
    delayed: view(delayed, 'delayed'),
    failed: view(failed, 'failed'),
  };
}
