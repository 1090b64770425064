import { randomUUID } from 'node:crypto';
import type { Logger } from '../log.ts';
import { openRedis, type RedisAddress } from './connection.ts';

export interface LeaseOptions {
  readonly redis: RedisAddress;
  readonly prefix?: string;
  /** What only one may be at a time: `conductor`. */
  readonly name: string;
  /** Milliseconds that it is held for without being renewed: how long a crash keeps others waiting. Default 15 000. */
  readonly ttl?: number;
  readonly log: Logger;
  /** It is ours. `token` is higher than that of everyone who held it before; `signal` aborts when it is lost. */
  readonly onGained: (token: number, signal: AbortSignal) => void;
  readonly onLost?: () => void;
}

export interface Lease {
  /** The fencing token while it is held. */
  token(): number | undefined;
  /** Gives it back, if it is ours, and stops trying. */
  close(): Promise<void>;
  /** Stops without giving it back, as a crash would. */
  kill(): void;
}

/**
 * KEYS: lease, fence. ARGV: owner, ttl. Takes the lease when it is free, renews it when it is the owner's. The token is the
 * greater of one more than the last and the server's time in milliseconds, so that it grows also when Redis was emptied.
 * Gives the token, or 0 when someone else holds it.
 */
const takeScript = `
local held = redis.call('HGET', KEYS[1], 'owner')
if held == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return redis.call('HGET', KEYS[1], 'token')
end
if held then return '0' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now)
local text = string.format('%.0f', token)
redis.call('SET', KEYS[2], text)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', text)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return text
`;

const releaseScript = `
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`;

/**
 * Tries for the lease until it is closed, and holds on to it while it has it. It counts as lost as soon as it could have run
 * out: by our clock from before the renewal was sent, whether Redis answers or not. What it protects must still refuse lower
 * tokens, since no clock is that sure.
 */
export function createLease(options: LeaseOptions): Lease {
  const { name, log, ttl = 15_000, prefix = 'regrow' } = options;
  const redis = openRedis(options.redis, { log, patient: false });
  // The braces keep both keys on one node of a cluster.
  const key = `${prefix}:{lease-${name}}`;
  const owner = randomUUID();
  const every = Math.max(10, Math.floor(ttl / 3));
  let held: { token: number; until: number; controller: AbortController } | undefined;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let trying: Promise<void> = Promise.resolve();

  function lose(why: string): void {
    if (held === undefined) return;
    const { controller, token } = held;
    held = undefined;
    log.warn({ lease: name, token, why }, 'lease lost');
    controller.abort(why);
    options.onLost?.();
  }

  async function attempt(): Promise<void> {
    const sent = performance.now();
    let token = 0;
    try {
      token = Number(await redis.eval(takeScript, 2, key, `${key}:fence`, owner, ttl));
    } catch (error) {
      log.debug({ lease: name, err: error }, 'lease could not be asked for');
      return;
    }
    if (closed) return;
    if (held !== undefined && token !== held.token) lose('someone else holds it, or Redis was emptied');
    if (token === 0) return;
    const until = sent + ttl;
    if (held !== undefined) {
      held.until = until;
      return;
    }
    const controller = new AbortController();
    held = { token, until, controller };
    log.info({ lease: name, token }, 'lease gained');
    options.onGained(token, controller.signal);
  }

  function tick(): void {
    if (closed) return;
    if (held !== undefined && performance.now() >= held.until) lose('it could not be renewed in time');
    // A try that hangs does not keep the next look at the clock from happening.
    let busy = true;
    trying = attempt().finally(() => {
      busy = false;
    });
    const again = (): void => {
      if (closed) return;
      if (!busy) return tick();
      if (held !== undefined && performance.now() >= held.until) lose('it could not be renewed in time');
      timer = setTimeout(again, every);
    };
    timer = setTimeout(again, every);
  }
  tick();

  function stop(): void {
    closed = true;
    clearTimeout(timer);
  }

  return {
    token: () => held?.token,
    async close() {
      stop();
      await trying;
      const mine = held !== undefined;
      held?.controller.abort('closed');
      held = undefined;
      if (mine && redis.status === 'ready') {
        await redis.eval(releaseScript, 1, key, owner).catch((error: unknown) => {
          log.debug({ lease: name, err: error }, 'lease could not be given back; it runs out by itself');
        });
      }
      redis.disconnect();
    },
    kill() {
      stop();
      held?.controller.abort('killed');
      held = undefined;
      redis.disconnect();
    },
  };
}
