import { RegrowError, toRegrowError } from '../../errors.ts';
import type { AdvisoryObservation, WatchFailure } from '../../model/observation.ts';
import { failureOf, rethrowUnlessAboutSource } from '../failure.ts';
import { type AdvisoryFeed, type FeedAnswer, type FeedPorts, type FeedRequest, feedSource } from './feed.ts';
import { fetchFrom } from './fetch.ts';
import {
  type BucketCursor,
  compareEntries,
  type Entry,
  formatCursor,
  isDue,
  laterOf,
  type Position,
  parseCursor,
} from './osv-cursor.ts';
import { type RecordResult, readRecords } from './osv-records.ts';
import { createPartBudget, isSpent, type PartBudget } from './part.ts';

const listName = 'modified_id.csv';
const listLimit = 128 * 1024 * 1024;
/** More records of an ecosystem that do not answer are an outage, which is waited for: all of them are read again. */
const mostAgain = 64;

/**
 * OSV's bulk layout (google.github.io/osv.dev/data): `BASE/ECOSYSTEM/modified_id.csv`, newest first, says what changed;
 * `BASE/ECOSYSTEM/ID.json` is one record. Read oldest first, so that the cursor never passes what was not read.
 */
export async function readOsvBucket(request: FeedRequest, ports: FeedPorts): Promise<FeedAnswer> {
  const { feed } = request;
  const { at, positions } = parseCursor(request.cursor);
  const budget = createPartBudget();
  const observations: AdvisoryObservation[] = [];
  const failures: WatchFailure[] = [];
  const answered = [feedSource(feed)];
  let next: BucketCursor['at'];
  const start = at === undefined ? 0 : Math.max(0, feed.ecosystems.indexOf(at.ecosystem));
  for (const ecosystem of feed.ecosystems.slice(start)) {
    const isBegun = at?.isBegun === true && at.ecosystem === ecosystem;
    next = { ecosystem, isBegun };
    if (isSpent(budget)) break;
    const source = feedSource(feed, `${ecosystem}/${listName}`);
    try {
      const part = await readEcosystem(request, ports, { ecosystem, known: positions[ecosystem], isBegun, budget });
      observations.push(...part.observations);
      failures.push(...part.failures);
      if (part.position !== undefined) positions[ecosystem] = part.position;
      if (!part.failures.some((failure) => failure.source === source)) answered.push(source);
      next = part.isDone ? undefined : { ecosystem, isBegun: true };
      if (!part.isDone) break;
    } catch (thrown) {
      // What was read before the limit came is kept; the next part says when to go on.
      if (toRegrowError(thrown).code === 'upstream.rate-limited' && observations.length > 0) break;
      rethrowUnlessAboutSource(thrown);
      failures.push(failureOf(source, thrown, ports.clock.now()));
      next = undefined;
    }
  }
  const cursor = formatCursor({ ...(next === undefined ? {} : { at: next }), positions });
  return { observations, failures, answered, cursor, more: next !== undefined };
}

interface EcosystemRequest {
  readonly ecosystem: string;
  readonly known: Position | undefined;
  /** Whether another part of this poll read of it: then what could not be fetched is not asked for again. */
  readonly isBegun: boolean;
  readonly budget: PartBudget;
}

interface EcosystemPart {
  readonly observations: readonly AdvisoryObservation[];
  readonly failures: readonly WatchFailure[];
  readonly position: Position | undefined;
  readonly isDone: boolean;
}

async function readEcosystem(
  { feed, signal }: FeedRequest,
  ports: FeedPorts,
  { ecosystem, known, isBegun, budget }: EcosystemRequest,
): Promise<EcosystemPart> {
  const base = `${feed.url.replace(/\/+$/, '')}/${encodeURIComponent(ecosystem)}`;
  const again = new Set(known?.again ?? []);
  const etag = again.size === 0 && known?.resume === undefined ? known?.etag : undefined;
  const list = await fetchFrom(ports.http, feed, { url: `${base}/${listName}`, etag, limit: listLimit, signal });
  if (list === 'unchanged') return { observations: [], failures: [], position: known, isDone: true };
  const entries = readList(feed, ecosystem, new TextDecoder().decode(list.body));
  const due = entries.filter((entry) => isDue(entry, known)).sort(compareEntries);
  const missed = entries.filter((entry) => again.has(entry.id) && !isDue(entry, known));
  const asked = isBegun ? due : [...missed, ...due];
  const ids = asked.map(({ id }) => id);
  const results = await readRecords({ feed, base, ids, budget, mostUnanswered: mostAgain, signal }, ports);

  const readIds = new Set(results.map(({ id }) => id));
  const left = missed.flatMap(({ id }) => (readIds.has(id) ? [] : [id]));
  const nextAgain = [...left, ...results.flatMap(({ id, retry }) => (retry ? [id] : []))];
  const observations = results.flatMap(({ observation }) => (observation === undefined ? [] : [observation]));
  const failures = results.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  if (nextAgain.length > mostAgain || (failures.length > mostAgain && failures.length > results.length / 2)) {
    const failure = failureOf(
      feedSource(feed, `${ecosystem}/${listName}`),
      outage(feed, ecosystem, failures, results),
      ports.clock.now(),
    );
    return { observations, failures: [failure], position: known, isDone: true };
  }

  const read = asked.slice(0, results.length);
  const lastDue = results.length > asked.length - due.length ? read.at(-1) : undefined;
  const resume = lastDue ?? known?.resume;
  const isDone = results.length === asked.length;
  const until = read.reduce<string | undefined>((latest, { modified }) => laterOf(latest, modified), known?.until);
  const position: Position | undefined =
    until === undefined
      ? undefined
      : {
          until,
          ...(isDone || resume === undefined ? {} : { resume }),
          ...(isDone && list.etag !== undefined ? { etag: list.etag } : {}),
          again: nextAgain,
        };
  return { observations, failures, position, isDone };
}

function outage(
  feed: AdvisoryFeed,
  ecosystem: string,
  failures: readonly WatchFailure[],
  results: readonly RecordResult[],
): RegrowError {
  const [first] = failures;
  return new RegrowError(
    'upstream.unreachable',
    `feed ${feed.name}: ${failures.length} of ${results.length} records of ${ecosystem} cannot be read; ${first?.message ?? 'too many were missed before'}`,
    { retry: 'later', remedy: 'nothing to do: they are asked for again later' },
  );
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
          `feed ${feed.name}: ${listName} of ${ecosystem} has a line that is no date and id: ${line.slice(0, 60)}`,
          { retry: 'later', remedy: `check the address of the feed ${feed.name} in the configuration` },
        );
      }
      return { id, modified };
    });
}
