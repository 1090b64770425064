import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { AdvisoryObservation, WatchFailure } from '../../model/observation.ts';
import { failureOf, rethrowUnlessAboutSource } from '../registry.ts';
import { type AdvisoryFeed, type FeedAnswer, type FeedPorts, type FeedRequest, feedSource, listName } from './feed.ts';
import { fetchFrom } from './fetch.ts';
import { readRecord } from './record.ts';

const listLimit = 128 * 1024 * 1024;
const recordLimit = 8 * 1024 * 1024;
/** Records of one poll: a first reading of a large feed is many polls, each of which is kept. */
const batch = 1_000;
const parallel = 8;
/** Milliseconds: a list is not written at once, so a record may turn up a little before what was read already. */
const overlap = 60 * 60 * 1000;

/**
 * Per ecosystem: the newest date that was read, where to go on when a poll did not come to the end, the list's etag when it
 * did, and records that could not be fetched then.
 */
const cursorSchema = z.record(
  z.string(),
  z.strictObject({
    until: z.string(),
    resume: z.string().optional(),
    etag: z.string().optional(),
    again: z.array(z.string()),
  }),
);
type Position = z.infer<typeof cursorSchema>[string];

interface Entry {
  readonly id: string;
  readonly modified: string;
}

/**
 * OSV's bulk layout (google.github.io/osv.dev/data): `BASE/ECOSYSTEM/modified_id.csv`, newest first, says what changed;
 * `BASE/ECOSYSTEM/ID.json` is one record. Read oldest first, so that the cursor never passes what was not read.
 */
export async function readOsvBucket(request: FeedRequest, ports: FeedPorts): Promise<FeedAnswer> {
  const positions: Record<string, Position> = parseCursor(request.cursor);
  const observations: AdvisoryObservation[] = [];
  const failures: WatchFailure[] = [];
  let more = false;
  for (const ecosystem of request.feed.ecosystems) {
    try {
      const part = await readEcosystem(request, ports, ecosystem, positions[ecosystem]);
      observations.push(...part.observations);
      failures.push(...part.failures);
      if (part.position !== undefined) positions[ecosystem] = part.position;
      more ||= part.more;
    } catch (thrown) {
      rethrowUnlessAboutSource(thrown);
      failures.push(failureOf(feedSource(request.feed, `${ecosystem}/${listName}`), thrown, ports.clock.now()));
    }
  }
  const cursor = Object.keys(positions).length === 0 ? undefined : JSON.stringify(positions);
  return { observations, failures, cursor, more };
}

interface Part {
  readonly observations: readonly AdvisoryObservation[];
  readonly failures: readonly WatchFailure[];
  readonly position: Position | undefined;
  readonly more: boolean;
}

async function readEcosystem(
  { feed, signal }: FeedRequest,
  ports: FeedPorts,
  ecosystem: string,
  known: Position | undefined,
): Promise<Part> {
  const base = `${feed.url.replace(/\/+$/, '')}/${encodeURIComponent(ecosystem)}`;
  const again = known?.again ?? [];
  const etag = again.length === 0 && known?.resume === undefined ? known?.etag : undefined;
  const list = await fetchFrom(ports.http, feed, { url: `${base}/${listName}`, etag, limit: listLimit, signal });
  if (list === 'unchanged') return { observations: [], failures: [], position: known, more: false };
  const entries = readList(feed, ecosystem, new TextDecoder().decode(list.body));
  const due = entries.filter((entry) => again.includes(entry.id) || isDue(entry, known)).reverse();
  const now = firstBatch(due);
  const results = await inParallel(now, (entry) => readOne(feed, base, entry, ports, signal));
  const until = now.reduce((latest, { modified }) => later(latest, modified), known?.until);
  const done = due.length === now.length;
  const last = now.at(-1);
  return {
    observations: results.flatMap(({ observation }) => (observation === undefined ? [] : [observation])),
    failures: results.flatMap(({ failure }) => (failure === undefined ? [] : [failure])),
    position:
      until === undefined
        ? undefined
        : {
            until,
            ...(done || last === undefined ? {} : { resume: last.modified }),
            ...(done && list.etag !== undefined ? { etag: list.etag } : {}),
            again: results.flatMap(({ retry, id }) => (retry ? [id] : [])),
          },
    more: !done,
  };
}

function isDue({ modified }: Entry, known: Position | undefined): boolean {
  if (known === undefined) return true;
  if (known.resume !== undefined) return Date.parse(modified) > Date.parse(known.resume);
  return Date.parse(modified) >= Date.parse(known.until) - overlap;
}

/** The oldest ones, and with them all of the same date: the place to go on from is a date. */
function firstBatch(due: readonly Entry[]): readonly Entry[] {
  const last = due[batch - 1];
  if (last === undefined) return due;
  const end = due.findIndex(({ modified }, index) => index >= batch && modified !== last.modified);
  return end === -1 ? due : due.slice(0, end);
}

interface Result {
  readonly id: string;
  readonly observation?: AdvisoryObservation;
  readonly failure?: WatchFailure;
  /** Whether it is worth asking for again although it has not changed. */
  readonly retry: boolean;
}

async function readOne(
  feed: AdvisoryFeed,
  base: string,
  { id }: Entry,
  { http, clock }: FeedPorts,
  signal: AbortSignal | undefined,
): Promise<Result> {
  try {
    const url = `${base}/${encodeURIComponent(id)}.json`;
    const answer = await fetchFrom(http, feed, { url, etag: undefined, limit: recordLimit, signal });
    const text = answer === 'unchanged' ? '' : new TextDecoder().decode(answer.body);
    return { id, observation: readRecord(feed, id, text, clock.now()), retry: false };
  } catch (thrown) {
    rethrowUnlessAboutSource(thrown);
    const failure = failureOf(feedSource(feed, id), thrown, clock.now());
    return { id, failure, retry: failure.code === 'upstream.unreachable' };
  }
}

/** `<ISO date>,<id>` a line. A page of HTML has no such line, and is the failure of the whole list. */
function readList(feed: AdvisoryFeed, ecosystem: string, text: string): Entry[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [, modified, id] = /^([^,]+),([\w.:-]+)$/.exec(line) ?? [];
      if (modified === undefined || id === undefined || Number.isNaN(Date.parse(modified))) {
        throw new RegrowError(
          'upstream.answer-invalid',
          `feed ${feed.name}: modified_id.csv of ${ecosystem} has a line that is no date and id: ${line.slice(0, 60)}`,
          { retry: 'later', remedy: `check the address of the feed ${feed.name} in the configuration` },
        );
      }
      return { id, modified };
    });
}

function later(a: string | undefined, b: string): string {
  return a === undefined || Date.parse(b) > Date.parse(a) ? b : a;
}

/** Results in the order of the entries, a few requests at a time. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += parallel) {
    results.push(...(await Promise.all(items.slice(start, start + parallel).map(work))));
  }
  return results;
}

function parseCursor(text: string | undefined): Record<string, Position> {
  if (text === undefined) return {};
  try {
    return cursorSchema.safeParse(JSON.parse(text)).data ?? {};
  } catch {
    return {};
  }
}
