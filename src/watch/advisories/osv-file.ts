import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import { sha256 } from '../../model/canonical.ts';
import type { AdvisoryObservation, WatchFailure } from '../../model/observation.ts';
import { failureOf } from '../failure.ts';
import { type AdvisoryFeed, type FeedAnswer, type FeedPorts, type FeedRequest, feedSource } from './feed.ts';
import { fetchFrom } from './fetch.ts';
import { createPartBudget } from './part.ts';
import { readRecord } from './record.ts';

const fileLimit = 256 * 1024 * 1024;
const unpackedLimit = 1024 * 1024 * 1024;
/** A file with more bad lines than this share is another file than we think, not a feed with mistakes. */
const mostBad = 0.1;

/** What was read: which file, and up to which line of it when that was not its end. */
const cursorSchema = z.strictObject({
  etag: z.string().optional(),
  digest: z.string(),
  line: z.number().int().positive().optional(),
});
type FileCursor = z.infer<typeof cursorSchema>;

/** A whole feed as one file of JSON lines, read again when it changes; a large one in parts. */
export async function readOsvFile(request: FeedRequest, ports: FeedPorts): Promise<FeedAnswer> {
  const { feed, signal } = request;
  const known = parseCursor(request.cursor);
  const etag = known?.line === undefined ? known?.etag : undefined;
  const answer = await fetchFrom(ports.http, feed, { url: feed.url, etag, limit: fileLimit, signal });
  const answered = [feedSource(feed)];
  const unchanged = { observations: [], failures: [], answered, cursor: request.cursor, more: false };
  if (answer === 'unchanged') return unchanged;
  const digest = sha256(answer.body);
  const isSame = known?.digest === digest;
  if (isSame && known.line === undefined) return unchanged;
  const lines = (await textOf(feed.url, answer.body)).split('\n');
  const start = isSame ? (known.line ?? 0) : 0;
  const { end, observations, failures } = readLines(feed, lines, start, ports.clock.now());
  const read = observations.length + failures.length;
  if (start === 0 && (read === 0 || failures.length > read * mostBad)) {
    throw new RegrowError('upstream.answer-invalid', `${feed.url} is not a file of OSV records, one a line`, {
      remedy: `check the address of the feed ${feed.name} in the configuration`,
      cause: failures[0],
    });
  }
  const more = end < lines.length;
  const cursor: FileCursor = {
    ...(answer.etag === undefined ? {} : { etag: answer.etag }),
    digest,
    ...(more ? { line: end } : {}),
  };
  return { observations, failures, answered, cursor: JSON.stringify(cursor), more };
}

/** One part of the file, from line `start` (from 0) up to line `end`, which is not read. */
function readLines(feed: AdvisoryFeed, lines: readonly string[], start: number, now: Date) {
  const budget = createPartBudget();
  const observations: AdvisoryObservation[] = [];
  const failures: WatchFailure[] = [];
  let end = start;
  // The whole file is fetched for each part, so a part is as many records as its bytes allow.
  for (; end < lines.length && budget.bytes > 0; end += 1) {
    const line = lines[end]?.trim() ?? '';
    if (line === '') continue;
    budget.bytes -= line.length;
    const name = /"id"\s*:\s*"([^"]{1,80})"/.exec(line)?.[1] ?? `line ${end + 1}`;
    try {
      observations.push(readRecord(feed, name, line, now));
    } catch (thrown) {
      failures.push(failureOf(feedSource(feed, name), thrown, now));
    }
  }
  return { end, observations, failures };
}

/** One that cannot be read is the beginning: reading everything again loses nothing. */
function parseCursor(text: string | undefined): FileCursor | undefined {
  if (text === undefined) return undefined;
  try {
    return cursorSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
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
