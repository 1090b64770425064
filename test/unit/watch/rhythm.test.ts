import { describe, expect, test } from 'vitest';
import type { ReleaseObservation } from '../../../src/model/observation.ts';
import { periodOf, type WatchFacts, watchInterval } from '../../../src/watch/rhythm.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const now = new Date('2026-11-24T12:00:00.000Z');
const bounds = { shortest: 5 * minute, longest: 30 * minute };

const before = (milliseconds: number): string => new Date(now.getTime() - milliseconds).toISOString();

/** An answer with a release at each of these many days ago; `seen`: the date is that of our first look at it. */
function released(days: readonly number[], seen = false): ReleaseObservation {
  const tags = days.map((ago, index) => ({
    tag: `v${index}`,
    prerelease: false,
    ...(seen ? { seenAt: before(ago * day) } : { publishedAt: before(ago * day) }),
  }));
  return { kind: 'release', source: 'github:o/r/releases', tags, observedAt: before(hour) };
}

/** Minutes. */
function minutes(facts: Partial<WatchFacts>, change = bounds): number {
  return watchInterval({ period: 0, ...facts }, change, now) / minute;
}

describe('how often a source is asked', () => {
  test.each([
    ['releases every day', [0.5, 1.5, 2.5, 3.5], 5],
    ['releases every week', [3, 10, 17, 24], 10],
    ['releases every other week', [3, 17, 31, 45], 20],
    ['releases once a year', [100, 465, 830], 30],
    ['released every day, years ago', [800, 801, 802, 803], 30],
    ['was busy and pauses for two weeks', [14, 15, 16, 17], 20],
    ['had a burst among weekly releases', [1, 1.01, 8, 15, 22, 29], 10],
  ])('%s', (_what, days, expected) => {
    expect(minutes({ observation: released(days) })).toBe(expected);
    // Where upstream dates nothing, what was seen to come is as good.
    expect(minutes({ observation: released(days, true) })).toBe(expected);
    expect(minutes({ observation: released(days.toReversed()) })).toBe(expected);
  });

  test('only the newest releases count: the rhythm of years ago is not that of today', () => {
    const weekly = Array.from({ length: 12 }, (_, week) => 3 + 7 * week);
    const yearly = Array.from({ length: 50 }, (_, year) => 365 * (year + 1));
    expect(minutes({ observation: released([...weekly, ...yearly]) })).toBe(10);
  });

  test('one whose rhythm is not known has the longest interval', () => {
    expect(minutes({})).toBe(30);
    expect(minutes({ observation: released([]) })).toBe(30);
    expect(minutes({ observation: released([0.1]) })).toBe(30);
    const undated: ReleaseObservation = { ...released([]), tags: [{ tag: 'v1', prerelease: false }] };
    expect(minutes({ observation: undated })).toBe(30);
    const odd: ReleaseObservation = {
      ...released([]),
      tags: ['x', 'y'].map((tag) => ({ tag, prerelease: false, publishedAt: 'yesterday' })),
    };
    expect(minutes({ observation: odd })).toBe(30);
  });

  test('dates that lie ahead ask no oftener than the shortest interval', () => {
    expect(minutes({ observation: released([-400, -800]) })).toBe(30);
    expect(minutes({ observation: released([-1, -1.001, -1.002]) })).toBe(5);
  });

  test('a shortest interval above the longest one is the longest one', () => {
    expect(minutes({ observation: released([1, 2, 3]) }, { shortest: 5 * minute, longest: 2 * minute })).toBe(2);
    expect(minutes({}, { shortest: 5 * minute, longest: 1000 })).toBe(1 / 60);
  });
});

describe('a source that fails', () => {
  test.each([
    [0, 30],
    [20 * minute, 30],
    [2 * hour, 120],
    [5 * day, 24 * 60],
  ])('for %i ms', (span, expected) => {
    expect(minutes({ asked: before(0), failingSince: before(span) })).toBe(expected);
  });

  test('a clock that was put back since makes it wait no longer', () => {
    expect(minutes({ asked: before(5 * day), failingSince: before(0) })).toBe(30);
  });
});

describe('the schedule of a recipe', () => {
  test('comes on top', () => {
    const observation = released([0.5, 1.5, 2.5]);
    expect(minutes({ observation, period: periodOf({ schedule: { period: 'daily' } }) })).toBe(24 * 60);
    expect(minutes({ observation, period: periodOf({ schedule: { period: 'weekly' } }) })).toBe(7 * 24 * 60);
    expect(minutes({ observation, period: periodOf({ schedule: { period: 'monthly' } }) })).toBe(30 * 24 * 60);
    expect(minutes({ observation, period: periodOf({}) })).toBe(5);
  });
});
