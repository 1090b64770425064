import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { RegrowError } from '../../errors.ts';
import type { AdvisoryObservation, WatchFailure } from '../../model/observation.ts';
import { failureOf } from '../registry.ts';
import { type FeedAnswer, type FeedPorts, type FeedRequest, feedSource } from './feed.ts';
import { fetchFrom } from './fetch.ts';
import { readRecord } from './record.ts';

const fileLimit = 256 * 1024 * 1024;
const unpackedLimit = 1024 * 1024 * 1024;
/** A file with more bad lines than this share is another file than we think, not a feed with mistakes. */
const mostBad = 0.1;

/** A whole feed as one file of JSON lines, read again when its etag changes. The cursor is the etag. */
export async function readOsvFile({ feed, cursor, signal }: FeedRequest, ports: FeedPorts): Promise<FeedAnswer> {
  const answer = await fetchFrom(ports.http, feed, { url: feed.url, etag: cursor, limit: fileLimit, signal });
  if (answer === 'unchanged') return { observations: [], failures: [], cursor, more: false };
  const lines = (await textOf(feed.url, answer.body)).split('\n').filter((line) => line.trim() !== '');
  const observations: AdvisoryObservation[] = [];
  const failures: WatchFailure[] = [];
  const now = ports.clock.now();
  for (const [index, line] of lines.entries()) {
    const name = /"id"\s*:\s*"([^"]{1,80})"/.exec(line)?.[1] ?? `line ${index + 1}`;
    try {
      observations.push(readRecord(feed, name, line, now));
    } catch (thrown) {
      failures.push(failureOf(feedSource(feed, name), thrown, now));
    }
  }
  if (lines.length === 0 || failures.length > lines.length * mostBad) {
    throw new RegrowError('upstream.answer-invalid', `${feed.url} is not a file of OSV records, one a line`, {
      remedy: `check the address of the feed ${feed.name} in the configuration`,
      cause: failures[0],
    });
  }
  return { observations, failures, cursor: answer.etag, more: false };
}

/** Unpacked where it is gzip by its content: servers unpack some files on the way and some not. */
async function textOf(url: string, body: Uint8Array): Promise<string> {
  const isGzip = body[0] === 0x1f && body[1] === 0x8b;
  try {
    const bytes = isGzip ? await promisify(gunzip)(body, { maxOutputLength: unpackedLimit }) : body;
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RegrowError('upstream.answer-invalid', `${url} cannot be unpacked`, { cause, retry: 'later' });
  }
}
