import { createHash } from 'node:crypto';
import { RegrowError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Allowance, QuotaStore } from '../../ports/quota.ts';
import { available, block, type Charge, freeAt, reserve, type Seen, settle } from './allowance.ts';
import { type Pause, realPause } from './pause.ts';

/** Milliseconds: a limit that ends sooner is waited for; a later one goes back to the queue with the time. */
const patience = 60_000;
/** Milliseconds that a token rests which GitHub refuses: an account is let in again, and a proxy on the way may have been it. */
const restOfRefused = 3_600_000;
/** Questions of one token on their way at a time: GitHub wants few, and computes for a user one second in each. */
const together = 2;

export interface TokenPoolOptions {
  readonly tokens: readonly string[];
  readonly store: QuotaStore;
  readonly clock: Clock;
  /** Part of each token's limit that look-ups may spend which nobody waits for, 0 to 1. */
  readonly share: number;
  readonly warn: (message: string) => void;
  readonly pause?: Pause;
}

/** Leave to ask one question with one token. Exactly one of its functions is called in the end. */
export interface Grant {
  readonly token: string;
  /** It was answered, or nobody knows: `cost` is what it took, as far as is known. */
  settle(cost: number, seen?: Seen): Promise<void>;
  /** It was refused, and nothing may be asked with this token before a time (milliseconds since 1970). */
  limited(until: number, seen?: Seen): Promise<void>;
  /** The token is no good, as a status says: it rests for an hour. */
  refused(status: number): void;
}

export interface TokenPool {
  /**
   * Leave to ask, with the token that has most left; urgent questions before others, the rest in their order. Waits up to a
   * minute. Errors: upstream.rate-limited with the time, forge.unauthorized when no token is left, queue.unreachable, aborted.
   */
  take(charge: Charge, signal?: AbortSignal): Promise<Grant>;
}

interface Waiter {
  readonly charge: Charge;
  readonly give: (grant: Grant) => void;
  readonly fail: (error: unknown) => void;
}

type Found =
  | { readonly kind: 'token'; readonly token: string }
  /** The tokens that could be had, were they not on their way. */
  | { readonly kind: 'busy'; readonly tokens: readonly string[] }
  /** Milliseconds since 1970. */
  | { readonly kind: 'later'; readonly at: number };

/** The name of a token where others can read it. */
export function tokenName(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 16);
}

/** Any number of tokens as one: who may ask when, with which. */
export function createTokenPool(options: TokenPoolOptions): TokenPool {
  const { store, clock, share, warn, pause = realPause } = options;
  const tokens = [...new Set(options.tokens)];
  const refusedUntil = new Map<string, number>();
  let waiting: Waiter[] = [];
  let serving = false;
  let nap: AbortController | undefined;
  let onEnded: (() => void) | undefined;
  const onTheirWay = new Map<string, number>();

  const now = (): number => clock.now().getTime();

  const isUsable = (token: string): boolean => (refusedUntil.get(token) ?? 0) <= now();

  const isBusy = (token: string): boolean => (onTheirWay.get(token) ?? 0) >= together;

  function begin(token: string): void {
    onTheirWay.set(token, (onTheirWay.get(token) ?? 0) + 1);
  }

  function end(token: string): void {
    onTheirWay.set(token, (onTheirWay.get(token) ?? 1) - 1);
    onEnded?.();
  }

  function grantOf(token: string, charge: Charge): Grant {
    const name = tokenName(token);
    const note = async (cost: number, seen: Seen | undefined): Promise<void> => {
      await store.change(name, (known) => settle(known, charge, cost, seen, now()));
    };
    return {
      token,
      async settle(cost, seen) {
        try {
          await note(cost, seen);
        } finally {
          end(token);
        }
      },
      async limited(until, seen) {
        try {
          await note(0, seen);
          await store.change(name, (known) => block(known, until));
        } finally {
          end(token);
        }
      },
      refused(status) {
        end(token);
        if (!isUsable(token)) return;
        refusedUntil.set(token, now() + restOfRefused);
        const { length } = tokens.filter(isUsable);
        const left = length === 0 ? 'none is left' : `${length} are left`;
        warn(`GitHub refuses the token with the digest ${name} (${status}): it is not used for an hour; ${left}`);
      },
    };
  }

  /** A token, or when there will be one. Another poller may be quicker: then what is left is looked at again. */
  async function find(charge: Charge): Promise<Found> {
    for (;;) {
      const known = new Map<string, Allowance | undefined>();
      for (const token of tokens) if (isUsable(token)) known.set(token, await store.read(tokenName(token)));
      const at = now();
      for (const token of known.keys()) if (!isUsable(token)) known.delete(token);
      if (known.size === 0) return { kind: 'busy', tokens: [] };
      const free = [...known].filter(([, one]) => freeAt(one, charge, share, at) <= at);
      if (free.length === 0) {
        return { kind: 'later', at: Math.min(...[...known.values()].map((one) => freeAt(one, charge, share, at))) };
      }
      const left = (one: Allowance | undefined): number => available(one, charge, share, at);
      const idle = free.filter(([token]) => !isBusy(token));
      const [first] = idle;
      if (first === undefined) return { kind: 'busy', tokens: free.map(([token]) => token) };
      const [token] = idle.reduce((best, one) => (left(one[1]) > left(best[1]) ? one : best), first);
      let taken = false;
      await store.change(tokenName(token), (found) => {
        taken = freeAt(found, charge, share, at) <= at;
        return taken ? reserve(found, charge, at) : undefined;
      });
      if (taken) return { kind: 'token', token };
    }
  }

  function leave(waiter: Waiter): boolean {
    const there = waiting.includes(waiter);
    waiting = waiting.filter((other) => other !== waiter);
    return there;
  }

  async function serveNext(next: Waiter): Promise<void> {
    if (!tokens.some(isUsable)) {
      if (leave(next)) next.fail(noToken());
      return;
    }
    const found = await find(next.charge);
    if (found.kind === 'token') {
      begin(found.token);
      const grant = grantOf(found.token, next.charge);
      if (leave(next)) next.give(grant);
      else await grant.settle(0);
      return;
    }
    if (found.kind === 'busy') return whenOneEnds(found.tokens);
    const wait = found.at - now();
    if (wait > patience) {
      if (leave(next)) next.fail(limitReached(wait));
      return;
    }
    // Someone urgent may come while the first in line waits.
    nap = new AbortController();
    await pause(wait, nap.signal);
    nap = undefined;
  }

  /** Returns at once where one of them has ended meanwhile. Others, which may not be asked with now, do not matter. */
  async function whenOneEnds(wanted: readonly string[]): Promise<void> {
    if (wanted.length === 0 || !wanted.every((token) => isUsable(token) && isBusy(token))) return;
    await new Promise<void>((resolve) => {
      onEnded = resolve;
    });
    onEnded = undefined;
  }

  async function serve(): Promise<void> {
    if (serving) return;
    serving = true;
    try {
      for (;;) {
        const next = waiting.find(({ charge }) => charge.urgent) ?? waiting[0];
        if (next === undefined) return;
        await serveNext(next);
      }
    } catch (thrown) {
      const all = waiting;
      waiting = [];
      for (const { fail } of all) fail(thrown);
    } finally {
      serving = false;
    }
  }

  return {
    take(charge, signal) {
      return new Promise<Grant>((resolve, reject) => {
        const stop = (): void => {
          if (leave(waiter)) reject(new RegrowError('aborted', 'stopped while waiting for a token', { retry: 'now' }));
          nap?.abort();
        };
        const waiter: Waiter = {
          charge,
          give(grant) {
            signal?.removeEventListener('abort', stop);
            resolve(grant);
          },
          fail(error) {
            signal?.removeEventListener('abort', stop);
            reject(error);
          },
        };
        waiting.push(waiter);
        if (signal?.aborted === true) return stop();
        signal?.addEventListener('abort', stop, { once: true });
        if (charge.urgent) {
          // What is kept back for it may be there now, with a token that the first in line may not have.
          nap?.abort();
          onEnded?.();
        }
        void serve();
      });
    },
  };
}

function noToken(): RegrowError {
  return new RegrowError('forge.unauthorized', 'GitHub refuses every token for asking upstreams', {
    remedy:
      'put tokens that are valid into REGROW_WATCH_TOKEN or the file of watch.tokenFile, and start again; those that there are, are tried again in an hour',
  });
}

function limitReached(wait: number): RegrowError {
  return new RegrowError('upstream.rate-limited', 'what GitHub allows for asking upstreams is used up', {
    retry: 'later',
    retryAfter: Math.ceil(wait / 1000),
    remedy: 'it goes on by itself; more tokens in REGROW_WATCH_TOKEN, or a greater watch.quotaShare, allow more',
  });
}
