import type { JobPayload, JobType } from '../../jobs/catalogue.ts';
import type { Urgency } from '../../jobs/queues.ts';
import { parseResult, resultKey } from '../effects.ts';
import type { ConductorContext } from './context.ts';

/** How long a job that ended without a result rests before it is tried again, milliseconds. */
const restBeforeRetry = 60_000;

/**
 * Makes sure that the queue will do something that has left no result yet. Nothing happens while the job is there; when it
 * ended without a result (its retries are used up, or Redis was lost), it goes in again under the next attempt number,
 * because the queue ignores an id that it has seen.
 */
export async function ensureJob<T extends JobType>(
  context: Pick<ConductorContext, 'book' | 'queues' | 'clock' | 'objects' | 'log'>,
  type: T,
  effect: string,
  payload: (attempt: number) => JobPayload<T>,
  urgency: Urgency = 'normal',
): Promise<void> {
  const { book, queues, clock } = context;
  const key = `job/${effect}`;
  const row = book.get('cursor', key);
  const attempt = Number(row?.value.cursor ?? 1);
  const state = await queues.find(type, payload(attempt));
  if (state === 'waiting' || state === 'active' || state === 'delayed') return;
  if (state === undefined) {
    await book.put('cursor', key, { cursor: String(attempt) });
    await queues.enqueue(type, payload(attempt), { urgency });
    return;
  }
  // It may also have ended a moment ago, after the world was looked at: the next reconcile sees what came of it.
  if (await hasResult(context, effect)) return;
  if (row !== undefined && clock.now().getTime() - Date.parse(row.at) < restBeforeRetry) return;
  await book.put('cursor', key, { cursor: String(attempt + 1) });
  await queues.enqueue(type, payload(attempt + 1), { urgency });
  // What is listed as failed is what nobody tries again.
  await queues.forget(type, payload(attempt));
}

/** Whether an effect has left a result. One that cannot be read is taken away, so that it is done again. */
async function hasResult(
  { objects, log }: Pick<ConductorContext, 'objects' | 'log'>,
  effect: string,
): Promise<boolean> {
  const key = resultKey(effect);
  const object = await objects.get(key);
  if (object === undefined) return false;
  if (parseResult(object.bytes) !== undefined) return true;
  log.warn({ file: key }, 'a result cannot be read; it is done again');
  await objects.remove(key);
  return false;
}
