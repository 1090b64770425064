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
 * that says `withdrawn` is withdrawn, so an outage never is. It is one part of a poll: the next one starts at `cursor`.
 */
export interface FeedAnswer {
  readonly observations: readonly AdvisoryObservation[];
  /**
   * About single records (`advisories:FEED/ID`), or what they are listed in (`advisories:FEED`,
   * `advisories:FEED/ECOSYSTEM/modified_id.csv`), whose cursor then stays.
   */
  readonly failures: readonly WatchFailure[];
  /** Which of what records are listed in answered: earlier failures of it are over. */
  readonly answered: readonly string[];
  /** To be kept only after the observations are. */
  readonly cursor: string | undefined;
  /** There is more to read at once, from `cursor`, which then is another one than before. */
  readonly more: boolean;
}

export function feedSource(feed: AdvisoryFeed, id?: string): string {
  return id === undefined ? `advisories:${feed.name}` : `advisories:${feed.name}/${id}`;
}
