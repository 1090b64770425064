import { failureOf, rethrowUnlessAboutSource } from '../registry.ts';
import { type FeedAnswer, type FeedPorts, type FeedRequest, feedSource } from './feed.ts';
import { readOsvBucket } from './osv-bucket.ts';
import { readOsvFile } from './osv-file.ts';

/**
 * Reads what is new in an OSV feed. A feed that cannot be read is one failure and an unmoved cursor; a record that cannot be
 * read is one failure, and the rest goes on. Throws only aborted and upstream.rate-limited.
 */
export async function pollOsvFeed(request: FeedRequest, ports: FeedPorts): Promise<FeedAnswer> {
  try {
    return await (isFile(request.feed.url) ? readOsvFile(request, ports) : readOsvBucket(request, ports));
  } catch (thrown) {
    rethrowUnlessAboutSource(thrown);
    const failure = failureOf(feedSource(request.feed), thrown, ports.clock.now());
    return { observations: [], failures: [failure], cursor: request.cursor, more: false };
  }
}

function isFile(url: string): boolean {
  return /\.jsonl(?:\.gz)?$/.test(url.split(/[?#]/, 1)[0] ?? url);
}
