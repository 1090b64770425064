import type { FeedRow, Status } from '../model/status.ts';
import { dueAt } from '../model/watch.ts';
import type { Ledger } from '../ports/ledger.ts';
import type { ReportSettings } from './stage.ts';

export interface Freshness {
  readonly sources: Status['sources'];
  readonly feeds: FeedRow[];
  /** The newest answer of anything that is watched, ISO 8601. */
  readonly lastObservation?: string;
}

/** Rounds that a source may miss before silence is worth a word. */
const roundsMissed = 3;
const hour = 3600_000;

function latest(...times: readonly (string | undefined)[]): string | undefined {
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
}

function earliest(...times: readonly (string | undefined)[]): string | undefined {
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b < a) ? b : a), undefined);
}

/** Whether a failure is of all that a feed or one of its ecosystems has; one of a single record is its own. */
function isOfFeed(source: string, feed: string): boolean {
  const whole = `advisories:${feed}`;
  return source === feed || source === whole || (source.startsWith(`${whole}/`) && source.split('/').length > 2);
}

/** What of the sources is due, and how many were asked lately. */
async function readWatch(ledger: Ledger, now: Date) {
  const rows = (await ledger.list('watch')).filter(({ value }) => value.packages.length > 0);
  const due = rows.filter(({ value }) => dueAt(value) <= now.getTime());
  // One that was never asked has waited since a recipe named it.
  const dueSince = earliest(
    ...due.map(({ value, at }) => (value.asked === undefined ? at : new Date(dueAt(value)).toISOString())),
  );
  const anHourAgo = new Date(now.getTime() - hour).toISOString();
  const asked = rows.filter(({ value }) => value.asked !== undefined && value.asked > anHourAgo).length;
  return {
    rows: rows.map(({ value }) => value),
    counts: { due: due.length, asked, ...(dueSince === undefined ? {} : { dueSince }) },
  };
}

/** How fresh what is known of upstreams and advisories is. */
export async function readFreshness(ledger: Ledger, now: Date): Promise<Freshness> {
  const { rows, counts } = await readWatch(ledger, now);
  // Not what sources answered: that is by far the most, and no part of how fresh it is.
  const [advisories, failed] = await Promise.all([
    ledger.list('observation', undefined, 'advisory/'),
    ledger.list('observation', undefined, 'failure/'),
  ]);
  const cursors = new Map((await ledger.list('cursor')).map((entry) => [entry.key, entry.value.cursor]));
  const feeds = new Map<string, FeedRow>();
  const failures = new Map<string, { since: string; message: string }>();
  for (const { value } of [...advisories, ...failed]) {
    if (value.kind === 'advisory') {
      const known = feeds.get(value.feed) ?? { name: value.feed, records: 0 };
      const lastSeen = latest(known.lastSeen, value.observedAt, cursors.get(`asked/${value.feed}`));
      feeds.set(value.feed, { ...known, records: known.records + 1, ...(lastSeen === undefined ? {} : { lastSeen }) });
    } else if (value.kind === 'failure') {
      failures.set(value.source, { since: value.observedAt, message: `${value.code}: ${value.message}` });
    }
  }
  const failing = [...failures].flatMap(([source, failure]) => {
    const feed = [...feeds.values()].find(({ name }) => isOfFeed(source, name));
    if (feed === undefined) return [{ source, ...failure }];
    feeds.set(feed.name, { ...feed, failingSince: failure.since, message: failure.message });
    return [];
  });
  const silent = new Set(failing.map((one) => one.source));
  const answered = rows.flatMap(({ source, asked }) => (silent.has(source) ? [] : [asked]));
  const newest = latest(...answered);
  const oldest = earliest(...answered);
  const lastObservation = latest(newest, ...[...feeds.values()].map((feed) => feed.lastSeen));
  return {
    sources: {
      total: new Set([...rows.map(({ source }) => source), ...silent]).size,
      ...counts,
      failing,
      ...(newest === undefined ? {} : { newest }),
      ...(oldest === undefined ? {} : { oldest }),
    },
    feeds: [...feeds.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(lastObservation === undefined ? {} : { lastObservation }),
  };
}

/** `3 min`, `2 h`, `5 d`: the largest unit that fits. */
export function spanText(milliseconds: number): string {
  const minutes = Math.floor(Math.max(0, milliseconds) / 60_000);
  if (minutes < 1) return `${Math.floor(Math.max(0, milliseconds) / 1000)} s`;
  if (minutes < 120) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / (24 * 60))} d`;
}

export interface QuietInput {
  readonly now: Date;
  /** How many sources and feeds there are to answer. */
  readonly watched: number;
  readonly lastEvent?: string;
  readonly lastObservation?: string;
  readonly lastPublication?: string;
  /** When the conductor last finished a round. */
  readonly conductor?: string;
}

/**
 * The dead man's switch. A daemon that does nothing looks like one with nothing to do; what tells them apart is that
 * sources answer and the conductor makes its rounds.
 */
export function judgeQuiet(input: QuietInput, settings: ReportSettings): Status['quiet'] {
  const age = (at: string | undefined): number | undefined =>
    at === undefined ? undefined : input.now.getTime() - Date.parse(at);
  const observed = age(input.lastObservation);
  const rounds = age(input.conductor);
  const times = {
    ...(input.lastEvent === undefined ? {} : { lastEvent: input.lastEvent }),
    ...(input.lastObservation === undefined ? {} : { lastObservation: input.lastObservation }),
    ...(input.lastPublication === undefined ? {} : { lastPublication: input.lastPublication }),
    ...(input.conductor === undefined ? {} : { conductor: input.conductor }),
  };
  if (rounds !== undefined && rounds > roundsMissed * settings.reconcileInterval * 60_000) {
    return { ...times, alarm: true, text: `the conductor has made no round for ${spanText(rounds)}` };
  }
  const event = age(input.lastEvent);
  const happened = event === undefined ? 'nothing has happened yet' : `the last event was ${spanText(event)} ago`;
  if (input.watched === 0 && rounds !== undefined) {
    return { ...times, alarm: false, text: `no upstream is watched; ${happened}` };
  }
  if (observed === undefined) return { ...times, alarm: false, text: 'no upstream has answered yet' };
  if (observed > roundsMissed * settings.watchInterval * 60_000) {
    return { ...times, alarm: true, text: `no upstream has answered for ${spanText(observed)}` };
  }
  return { ...times, alarm: false, text: `upstreams answered ${spanText(observed)} ago; ${happened}` };
}
