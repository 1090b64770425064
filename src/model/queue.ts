import { z } from 'zod';

/** One job as people see it. `payload` is what the job's type carries: keys, never blobs. */
export const queueJobSchema = z.strictObject({
  queue: z.string(),
  type: z.string(),
  id: z.string(),
  state: z.enum(['waiting', 'active', 'delayed', 'failed']),
  /** 1 is the next to be taken; of waiting jobs only. */
  position: z.number().int().positive().optional(),
  payload: z.record(z.string(), z.unknown()),
  /** When it was enqueued. */
  at: z.iso.datetime(),
});

export const queueCountsSchema = z.strictObject({
  waiting: z.number().int(),
  active: z.number().int(),
  delayed: z.number().int(),
  failed: z.number().int(),
});

export type QueueJob = z.infer<typeof queueJobSchema>;
export type QueueCounts = z.infer<typeof queueCountsSchema>;
