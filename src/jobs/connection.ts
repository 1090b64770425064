import { Redis } from 'ioredis';
import { RegrowError } from '../errors.ts';
import type { Logger } from '../log.ts';

/** Where Redis is: `redis://`, `rediss://` with everything in it, `unix:///path`; or the path of a unix socket. */
export type RedisAddress = { readonly url: string } | { readonly socket: string };

export interface RedisOpenOptions {
  readonly log: Logger;
  /** What is asked of Redis waits for it for ever; otherwise it fails within seconds. */
  readonly patient: boolean;
}

/** The address as it may be shown: without user and password. */
export function addressText(address: RedisAddress): string {
  if ('socket' in address) return address.socket;
  if (!URL.canParse(address.url)) return 'the configured URL';
  const url = new URL(address.url);
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function socketOf(address: RedisAddress): string | undefined {
  if ('socket' in address) return address.socket;
  if (!URL.canParse(address.url)) return undefined;
  const url = new URL(address.url);
  return url.protocol === 'unix:' ? decodeURIComponent(url.pathname) : undefined;
}

/**
 * A connection that comes back by itself and never throws out of nowhere: that Redis is gone, and that it is there again,
 * is each logged once.
 */
export function openRedis(address: RedisAddress, options: RedisOpenOptions): Redis {
  const settings = {
    connectTimeout: 5000,
    retryStrategy: (times: number) => Math.min(100 * times, 2000),
    maxRetriesPerRequest: options.patient ? null : 1,
    ...(options.patient ? {} : { commandTimeout: 15_000 }),
  };
  const socket = socketOf(address);
  const redis =
    socket === undefined && 'url' in address
      ? new Redis(address.url, settings)
      : new Redis({ ...settings, path: socket ?? '' });
  let gone = false;
  redis.on('error', (error: Error) => {
    if (gone) return;
    gone = true;
    options.log.error({ code: 'queue.unreachable', redis: addressText(address), err: error }, 'Redis is out of reach');
  });
  redis.on('ready', () => {
    if (gone) options.log.info({ redis: addressText(address) }, 'Redis is there again');
    gone = false;
  });
  return redis;
}

/** ioredis counts its retries where it should say why they were needed. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.name === 'MaxRetriesPerRequestError' ? 'no connection to it can be made, or stays' : cause.message;
}

export function unreachable(address: RedisAddress, cause: unknown): RegrowError {
  const why = reasonOf(cause);
  return new RegrowError('queue.unreachable', `Redis at ${addressText(address)} does not answer: ${why}`, {
    retry: 'later',
    cause,
    field: 'redis.url',
    remedy: 'see that it runs and that `redis.url` is right, or leave `redis.url` out to use a private one',
  });
}

/** Resolves when the connection can be used; queue.unreachable when that takes longer than `patience` milliseconds. */
export async function whenReady(redis: Redis, address: RedisAddress, patience: number): Promise<void> {
  if (redis.status === 'ready') return;
  let last: unknown = new Error('not connected');
  const note = (error: unknown): void => {
    last = error;
  };
  redis.on('error', note);
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => settle(reject), redis.status === 'end' ? 0 : patience);
      const ready = (): void => settle(resolve);
      const end = (): void => settle(reject);
      function settle(done: () => void): void {
        clearTimeout(timer);
        redis.off('ready', ready);
        redis.off('end', end);
        done();
      }
      redis.on('ready', ready);
      redis.on('end', end);
    });
  } catch {
    throw unreachable(address, last);
  } finally {
    redis.off('error', note);
  }
}
