import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { available, block, current, freeAt, reserve, settle } from '../../../src/adapters/github/allowance.ts';
import type { Allowance } from '../../../src/ports/quota.ts';

const now = Date.UTC(2026, 10, 1);
const resetAt = now + 1_800_000;
const known: Allowance = { limit: 100, remaining: 90, resetAt, spent: 10 };
const normal = { points: 1, urgent: false };
const urgent = { points: 1, urgent: true };
const seen = (used: number, until = resetAt) => ({ limit: 100, remaining: 100 - used, used, resetAt: until });

describe('what a token may still be asked', () => {
  it('is a share for who does not wait, and everything for who does', () => {
    expect([available(known, normal, 0.5, now), available(known, urgent, 0.5, now)]).toEqual([40, 90]);
    const spent = { ...known, spent: 50 };
    expect([freeAt(spent, normal, 0.5, now), freeAt(spent, urgent, 0.5, now)]).toEqual([resetAt, now]);
    expect(freeAt({ ...known, remaining: 0 }, urgent, 0.5, now)).toBe(resetAt);
  });

  it('is nothing while the host wants to be left alone', () => {
    const blocked = block(known, now + 5000);
    expect([freeAt(blocked, urgent, 0.5, now), freeAt(blocked, urgent, 0.5, now + 5000)]).toEqual([
      now + 5000,
      now + 5000,
    ]);
    expect(block(blocked, now + 1000).blockedUntil).toBe(now + 5000);
    expect(freeAt(block(undefined, now + 5000), normal, 0.5, now)).toBe(now + 5000);
    expect(settle(blocked, normal, 1, seen(11), now)?.blockedUntil).toBe(now + 5000);
  });

  it('is unknown after its window, and before one that a wrong clock wrote down', () => {
    expect(current(known, resetAt)).toBeUndefined();
    // The clock was put back by a day.
    expect(current(known, now - 86_400_000)).toBeUndefined();
    expect(freeAt(known, normal, 0.5, now - 86_400_000)).toBe(now - 86_400_000);
    expect(freeAt(block(known, now + 86_400_000), normal, 0.5, now)).toBeLessThanOrEqual(now + 7_200_000);
  });
});

describe('an answer', () => {
  it('corrects what was taken beforehand', () => {
    const taken = reserve(known, { points: 3, urgent: false }, now);
    expect(taken).toMatchObject({ remaining: 87, spent: 13 });
    expect(settle(taken, { points: 3, urgent: false }, 1, seen(11), now)).toMatchObject({ remaining: 89, spent: 11 });
  });

  it('tells of points that others used with the same token', () => {
    expect(settle(reserve(known, urgent, now), urgent, 1, seen(60), now)).toMatchObject({ remaining: 40, spent: 10 });
  });

  it('of a new window begins anew, of an old one says nothing', () => {
    const next = resetAt + 3_600_000;
    expect(settle(known, normal, 1, seen(1, next), now)).toEqual({ ...seen(1, next), used: undefined, spent: 1 });
    expect(settle(known, normal, 1, seen(99, now - 60_000), now)).toEqual(known);
  });

  it('without figures leaves the question counted', () => {
    expect(settle(reserve(known, normal, now), normal, 1, undefined, now)).toMatchObject({ remaining: 89, spent: 11 });
    expect(settle(undefined, normal, 1, undefined, now)).toBeUndefined();
  });
});

it('whatever comes in which order, who does not wait never gets more than the share', () => {
  const question = fc.record({ points: fc.integer({ min: 1, max: 3 }), urgent: fc.boolean(), late: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(question, { maxLength: 150 }),
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      (questions, share) => {
        let state: Allowance | undefined = { limit: 100, remaining: 100, resetAt, spent: 0 };
        const onTheirWay: { points: number; urgent: boolean }[] = [];
        let used = 0;
        const total = { normal: 0, all: 0 };
        const answer = (charge: { points: number; urgent: boolean }): void => {
          used += charge.points;
          state = settle(state, charge, charge.points, seen(used), now);
        };
        for (const { late, ...charge } of questions) {
          if (freeAt(state, charge, share, now) > now) continue;
          state = reserve(state, charge, now);
          total.all += charge.points;
          if (!charge.urgent) total.normal += charge.points;
          if (late) onTheirWay.push(charge);
          else answer(charge);
        }
        for (const charge of onTheirWay) answer(charge);
        expect(total.normal).toBeLessThanOrEqual(Math.floor(100 * share));
        expect(total.all).toBeLessThanOrEqual(100);
        expect(state?.remaining).toBe(100 - used);
      },
    ),
  );
});
