import { toRegrowError } from '../../errors.ts';
import type { AdvisoryObservation, WatchFailure } from '../../model/observation.ts';
import { failureOf, rethrowUnlessAboutSource } from '../failure.ts';
import { type AdvisoryFeed, type FeedPorts, feedSource } from './feed.ts';
import { fetchFrom } from './fetch.ts';
import { isSpent, type PartBudget } from './part.ts';
import { readRecord } from './record.ts';

const recordLimit = 8 * 1024 * 1024;
const parallel = 8;

export interface RecordResult {
  readonly id: string;
  readonly observation?: AdvisoryObservation;
  readonly failure?: WatchFailure;
  /** Whether it is worth asking for again although it has not changed. */
  readonly retry: boolean;
  readonly bytes: number;
}

export interface RecordsRequest {
  readonly feed: AdvisoryFeed;
  /** Address of the ecosystem's folder. */
  readonly base: string;
  readonly ids: readonly string[];
  /** Is spent by what is read. */
  readonly budget: PartBudget;
  /** More records than this that do not answer are an outage: the others are not asked for. */
  readonly mostUnanswered: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The first of the records, in their order, a few requests at a time, until the budget is spent. Throws aborted, and
 * upstream.rate-limited when that came before anything was read.
 */
export async function readRecords(request: RecordsRequest, ports: FeedPorts): Promise<readonly RecordResult[]> {
  const { ids, budget, mostUnanswered } = request;
  const results: RecordResult[] = [];
  let unanswered = 0;
  while (results.length < ids.length && !isSpent(budget) && unanswered <= mostUnanswered) {
    const group = ids.slice(results.length, results.length + Math.min(parallel, budget.records));
    try {
      const read = await Promise.all(group.map((id) => readOne(request, id, ports)));
      for (const one of read) {
        results.push(one);
        budget.bytes -= one.bytes;
        if (one.retry) unanswered += 1;
      }
      budget.records -= read.length;
    } catch (thrown) {
      // What the limit let through is kept, so that a large feed comes to its end in spite of it.
      if (results.length === 0 || toRegrowError(thrown).code !== 'upstream.rate-limited') throw thrown;
      budget.records = 0;
    }
  }
  return results;
}

async function readOne(
  { feed, base, signal }: RecordsRequest,
  id: string,
  { http, clock }: FeedPorts,
): Promise<RecordResult> {
  try {
    const url = `${base}/${encodeURIComponent(id)}.json`;
    const answer = await fetchFrom(http, feed, { url, etag: undefined, limit: recordLimit, signal });
    const body = answer === 'unchanged' ? new Uint8Array() : answer.body;
    const observation = readRecord(feed, id, new TextDecoder().decode(body), clock.now());
    return { id, observation, retry: false, bytes: body.byteLength };
  } catch (thrown) {
    rethrowUnlessAboutSource(thrown);
    const failure = failureOf(feedSource(feed, id), thrown, clock.now());
    return { id, failure, retry: failure.code === 'upstream.unreachable', bytes: 0 };
  }
}
