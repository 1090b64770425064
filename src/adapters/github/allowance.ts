import type { Allowance } from '../../ports/quota.ts';

/** GitHub's windows are an hour long; one that ends later than this was written by a clock that was wrong. */
const longestWindow = 2 * 3_600_000;
/** GitHub rounds when a window ends: two answers of one window may differ by a second. */
const roundingOfReset = 30_000;

/** What one answer says of the allowance of the token that asked. */
export interface Seen {
  readonly limit: number;
  readonly remaining: number;
  readonly used: number;
  /** Milliseconds since 1970. */
  readonly resetAt: number;
}

/** What one question takes. */
export interface Charge {
  readonly points: number;
  /** It may have what is kept back from all others. */
  readonly urgent: boolean;
}

/** The window that still runs; undefined when it is over, and everything has to be learned from the next answer. */
export function current(known: Allowance | undefined, now: number): Allowance | undefined {
  if (known === undefined) return undefined;
  return known.resetAt > now && known.resetAt <= now + longestWindow ? known : undefined;
}

/** Points that a question may take now. A token that nothing is known of is asked: its answer says what it has. */
export function available(known: Allowance | undefined, { urgent }: Charge, share: number, now: number): number {
  const window = current(known, now);
  if (window === undefined) return Number.POSITIVE_INFINITY;
  if (urgent) return window.remaining;
  return Math.min(window.remaining, Math.floor(window.limit * share) - window.spent);
}

/** When a question may be asked: now, or later. Milliseconds since 1970. */
export function freeAt(known: Allowance | undefined, charge: Charge, share: number, now: number): number {
  const blocked = Math.max(now, Math.min(known?.blockedUntil ?? 0, now + longestWindow));
  return available(known, charge, share, now) >= charge.points ? blocked : Math.max(blocked, known?.resetAt ?? now);
}

/** Points on their way are taken beforehand, so that two who ask at once do not take the same. */
export function reserve(known: Allowance | undefined, charge: Charge, now: number): Allowance | undefined {
  const window = current(known, now);
  return window === undefined ? undefined : take(window, charge.points, charge.urgent);
}

/**
 * What the answer to a question says instead of what was reserved for it. `cost` is what it took in the end. Of a window that
 * nothing is known of, everything that was used counts as spent: it may have been ours, before Redis was emptied.
 */
export function settle(
  known: Allowance | undefined,
  charge: Charge,
  cost: number,
  seen: Seen | undefined,
  now: number,
): Allowance | undefined {
  const window = current(known, now);
  const corrected = window === undefined ? undefined : take(window, cost - charge.points, charge.urgent);
  if (seen === undefined) return corrected;
  const blocked = known?.blockedUntil === undefined ? {} : { blockedUntil: known.blockedUntil };
  if (corrected === undefined || seen.resetAt > corrected.resetAt + roundingOfReset) {
    return { limit: seen.limit, remaining: seen.remaining, resetAt: seen.resetAt, spent: seen.used, ...blocked };
  }
  // An answer that was overtaken by the end of its window says nothing of the one that runs.
  if (seen.resetAt < corrected.resetAt - roundingOfReset) return corrected;
  return { ...corrected, limit: seen.limit, remaining: Math.min(corrected.remaining, seen.remaining) };
}

/** The host wants to be left alone. */
export function block(known: Allowance | undefined, until: number): Allowance {
  const base = known ?? { limit: 0, remaining: 0, resetAt: 0, spent: 0 };
  return { ...base, blockedUntil: Math.max(known?.blockedUntil ?? 0, until) };
}

function take(window: Allowance, points: number, urgent: boolean): Allowance {
  return {
    ...window,
    remaining: Math.max(0, window.remaining - points),
    spent: urgent ? window.spent : Math.max(0, window.spent + points),
  };
}
