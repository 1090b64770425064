import type { AdvisoryObservation, WatchFailure } from '../../model/observation.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Http } from '../../ports/http.ts';

/** One advisory feed of the configuration. */
export interface AdvisoryFeed {
  readonly name: string;
  /** Base address of a bucket in OSV's bulk layout, or the address of one file of JSON lines (`.jsonl`, `.jsonl.gz`). */
  readonly url: string;
  /** Of a bucket: which of its folders are read. */
  readonly ecosystems: readonly string[];
}

export interface FeedRequest {
  readonly feed: AdvisoryFeed;
  /** What the last answer gave; undefined reads the feed from its beginning. */
  readonly cursor?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FeedPorts {
  readonly http: Http;
  readonly clock: Clock;
}

/**
 * What a feed says that may be new; the same record may come again. That a record is not here means nothing: only a record
 * that says `withdrawn` is withdrawn, so an outage never is.
 */
export interface FeedAnswer {
  readonly observations: readonly AdvisoryObservation[];
  /**
   * About single records (`advisories:FEED/ID`), or what they are listed in (`advisories:FEED`,
   * `advisories:FEED/ECOSYSTEM/modified_id.csv`), whose cursor then stays.
   */
  readonly failures: readonly WatchFailure[];
  /** To be kept only after the observations are. */
  readonly cursor: string | undefined;
  /** There is more to read at once. */
  readonly more: boolean;
}

/** What lists the records of an ecosystem, newest first. */
export const listName = 'modified_id.csv';

/** Whether a failure is about all of a feed or of an ecosystem, so that a whole answer ends it. */
export function isOfWholeFeed(source: string, feed: string): boolean {
  const whole = `advisories:${feed}`;
  return source === whole || (source.startsWith(`${whole}/`) && source.endsWith(`/${listName}`));
}

export function feedSource(feed: AdvisoryFeed, id?: string): string {
  return id === undefined ? `advisories:${feed.name}` : `advisories:${feed.name}/${id}`;
}
