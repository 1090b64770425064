import { failureOf, rethrowUnlessAboutSource } from '../failure.ts';
import { type FeedAnswer, type FeedPorts, type FeedRequest, feedSource } from './feed.ts';
import { readOsvBucket } from './osv-bucket.ts';
import { readOsvFile } from './osv-file.ts';

/**
 * Reads one part of what is new in an OSV feed. A feed that cannot be read is one failure and an unmoved cursor; a record that cannot be
 * read is one failure, and the rest goes on. Throws only aborted and upstream.rate-limited.
 */
export async function pollOsvFeed(request: FeedRequest, ports: FeedPorts): Promise<FeedAnswer> {
  try {
    const answer = await (isFile(request.feed.url) ? readOsvFile(request, ports) : readOsvBucket(request, ports));
    // Who asks from the same place gets the same answer: that is for the next poll.
    return { ...answer, more: answer.more && answer.cursor !== request.cursor };
  } catch (thrown) {
    rethrowUnlessAboutSource(thrown);
    const failure = failureOf(feedSource(request.feed), thrown, ports.clock.now());
    return { observations: [], failures: [failure], answered: [], cursor: request.cursor, more: false };
  }
}

function isFile(url: string): boolean {
  return /\.jsonl(?:\.gz)?$/.test(url.split(/[?#]/, 1)[0] ?? url);
}
