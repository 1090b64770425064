import type { Clock } from '../../../src/ports/clock.ts';

const window = 3_600_000;

/** The hourly points of one token. */
export interface TokenLimit {
  readonly limit: number;
  used: number;
  /** Milliseconds since 1970. */
  resetAt: number;
}

export interface Limits {
  /** The state of a token's window, a new one when the last is over; undefined for a token that nobody has. */
  of(token: string): TokenLimit | undefined;
  /** The token is good no more. */
  revoke(token: string): void;
}

export function createLimits(tokens: Readonly<Record<string, number>>, clock: Clock): Limits {
  const known = new Map<string, TokenLimit>();
  for (const [token, limit] of Object.entries(tokens)) known.set(token, { limit, used: 0, resetAt: 0 });
  return {
    of(token) {
      const one = known.get(token);
      const now = clock.now().getTime();
      if (one !== undefined && now >= one.resetAt) {
        one.used = 0;
        one.resetAt = (Math.floor(now / 1000) + window / 1000) * 1000;
      }
      return one;
    },
    revoke(token) {
      known.delete(token);
    },
  };
}

/** The headers of every answer. */
export function limitHeaders({ limit, used, resetAt }: TokenLimit): Record<string, string> {
  return {
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(Math.max(0, limit - used)),
    'x-ratelimit-used': String(used),
    'x-ratelimit-reset': String(resetAt / 1000),
    'x-ratelimit-resource': 'graphql',
  };
}

/** What the schema's `rateLimit` is read from. */
export function rateLimitObject({ limit, used, resetAt }: TokenLimit, cost: number, nodes: number): object {
  return {
    cost,
    limit,
    nodeCount: nodes,
    remaining: Math.max(0, limit - used),
    resetAt: new Date(resetAt).toISOString(),
    used,
  };
}
