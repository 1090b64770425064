import type { ReleaseObservation } from '../model/observation.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Milliseconds. */
export interface IntervalBounds {
  readonly shortest: number;
  readonly longest: number;
}

/** How many of the newest releases say what the rhythm is: it changes over the years. */
const releasesLookedAt = 12;
/** A source is asked this often between two of its releases, so a release waits a thousandth of that time at most. */
const looksPerRelease = 1000;
/** A source that fails is asked at least this often. */
const longestWhileFailing = day;

const periods = { daily: day, weekly: 7 * day, monthly: 30 * day } as const;

/** What the dates of an answer say, milliseconds. An answer is a value: it is read once, however often it is asked about. */
interface Rhythm {
  /** Between two releases, the one in the middle. */
  readonly gap: number;
  readonly newest: number;
}

const rhythms = new WeakMap<ReleaseObservation, Rhythm | 'unknown'>();

function rhythmOf(observation: ReleaseObservation): Rhythm | 'unknown' {
  const known = rhythms.get(observation);
  if (known !== undefined) return known;
  const rhythm = readRhythm(observation);
  rhythms.set(observation, rhythm);
  return rhythm;
}

function readRhythm({ tags }: ReleaseObservation): Rhythm | 'unknown' {
  const dates = tags.map(({ publishedAt, seenAt }) => Date.parse(publishedAt ?? seenAt ?? ''));
  const newest = dates
    .filter((date) => Number.isFinite(date))
    .sort((a, b) => b - a)
    .slice(0, releasesLookedAt);
  const [first, second] = newest;
  if (first === undefined || second === undefined) return 'unknown';
  const gaps = newest.slice(1).map((date, index) => (newest[index] ?? date) - date);
  gaps.sort((a, b) => a - b);
  return { gap: gaps[Math.floor(gaps.length / 2)] ?? 0, newest: first };
}

export interface WatchFacts {
  /** What it last answered. */
  readonly observation?: ReleaseObservation | undefined;
  /** ISO 8601; absent while it answers. */
  readonly failingSince?: string | undefined;
  /** ISO 8601: when it was last asked. */
  readonly asked?: string | undefined;
  /** The least that a recipe wants between two looks, of all that watch it: `periodOf`. Milliseconds. */
  readonly period: number;
}

/** What a recipe's `update.schedule` allows, milliseconds; 0 without one. */
export function periodOf(update: {
  readonly schedule?: { readonly period: keyof typeof periods } | undefined;
}): number {
  return update.schedule === undefined ? 0 : periods[update.schedule.period];
}

/**
 * Milliseconds from one look at a source to the next: whole minutes, or whole seconds below one. Upstreams that release often are asked often: a thousandth
 * of the time between two releases, or of the time since the newest where that is longer, within the bounds. One whose rhythm
 * is not known has the longest: most of those are tags without dates that hardly ever move, and the longest bound is what is
 * promised for every package; the second tag that is seen to come makes the rhythm known. While a source fails, the pause is
 * as long as it has been failing for, up to a day. A recipe's schedule comes on top of all that.
 */
export function watchInterval(facts: WatchFacts, bounds: IntervalBounds, now: Date): number {
  const { longest } = bounds;
  const shortest = shortestInterval(bounds);
  const rhythm = facts.observation === undefined ? 'unknown' : rhythmOf(facts.observation);
  const wanted = rhythm === 'unknown' ? longest : Math.max(rhythm.gap, now.getTime() - rhythm.newest) / looksPerRelease;
  const usual = Math.min(longest, Math.max(shortest, wanted));
  const failing = Math.min(longestWhileFailing, failingFor(facts));
  const interval = Math.max(usual, failing, facts.period, second);
  const unit = interval < minute ? second : minute;
  return Math.round(interval / unit) * unit;
}

/** The shortest bound is never above the longest, which is the one that people set. Milliseconds. */
export function shortestInterval({ shortest, longest }: IntervalBounds): number {
  return Math.min(shortest, longest);
}

function failingFor({ failingSince, asked }: WatchFacts): number {
  const span = Date.parse(asked ?? '') - Date.parse(failingSince ?? '');
  return Number.isFinite(span) ? span : 0;
}
