import { RegrowError } from '../../errors.ts';
import type { Http } from '../../ports/http.ts';
import type { AdvisoryFeed } from './feed.ts';

export interface FeedFetch {
  readonly url: string;
  readonly etag: string | undefined;
  readonly limit: number;
  readonly signal: AbortSignal | undefined;
}

/** One file of a feed. Throws upstream.not-found, upstream.unreachable, and what the Http port throws. */
export async function fetchFrom(
  http: Http,
  feed: AdvisoryFeed,
  { url, etag, limit, signal }: FeedFetch,
): Promise<{ readonly body: Uint8Array; readonly etag: string | undefined } | 'unchanged'> {
  const answer = await http.request({
    url,
    limit,
    ...(etag === undefined ? {} : { etag }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.status === 304 && etag !== undefined) return 'unchanged';
  if (answer.status === 200) return { body: answer.body, etag: answer.headers['etag'] };
  if (answer.status === 404 || answer.status === 410) {
    throw new RegrowError('upstream.not-found', `feed ${feed.name}: there is no ${url}`, {
      remedy: `check the address and the ecosystems of the feed ${feed.name} in the configuration`,
    });
  }
  throw new RegrowError('upstream.unreachable', `feed ${feed.name}: ${url} answered ${answer.status}`, {
    retry: 'later',
    remedy: 'nothing to do: it is asked again later',
  });
}
