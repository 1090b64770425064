import type { Dispatcher } from 'undici';
import { RegrowError } from '../errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../ports/http.ts';
import { encodings, readBody } from './network/body.ts';
import { createDispatcher } from './network/dispatcher.ts';
import { follow, onSameHost } from './network/follow.ts';
import { createNetworkGuard, hostsOf } from './network/guard.ts';
import { leftAlone, type Pace } from './network/pace.ts';
import type { UrlRewrite } from './network/rewrite.ts';

const defaultLimit = 16 * 1024 * 1024;
const defaultTimeout = 60_000;
/** Seconds for which a host is left alone that does not say how long: most limits are of a minute. */
const usualRetryAfter = 60;

export interface HttpOptions {
  /** Sent with every request, so that upstreams know whom to write to. */
  readonly userAgent: string;
  /** Hosts and networks that may be asked though they are private, as `createNetworkGuard` reads them. Default none. */
  readonly allowPrivate?: readonly string[];
  /** Mirrors. Their hosts may be private: the operator named them. */
  readonly rewrite?: readonly UrlRewrite[];
  /** Hosts that a request which stays on its host may be sent to nevertheless. */
  readonly redirectHosts?: readonly string[];
  /** Default: as fast as the requests come, and no host is left alone. */
  readonly pace?: Pace;
}

interface HttpDoor {
  readonly options: HttpOptions;
  readonly dispatcher: Dispatcher;
  readonly sameHost: ReturnType<typeof onSameHost>;
}

/**
 * The Http port over undici: connections only where the guard of networks lets them go, redirects followed by hand, bodies read as
 * streams and dropped as soon as they are over the limit. Throws config.invalid.
 */
export function createHttp(options: HttpOptions): Http {
  const { allowPrivate = [], rewrite = [], redirectHosts = [] } = options;
  const guard = createNetworkGuard([...allowPrivate, ...hostsOf(rewrite.map(({ to }) => to))]);
  const door = { options, dispatcher: createDispatcher(guard), sameHost: onSameHost(new Set(redirectHosts)) };
  return {
    async request(request) {
      const host = URL.canParse(request.url) ? new URL(request.url).host : '';
      const leave = await enter(options.pace, host, request);
      try {
        return await send(request, host, door);
      } finally {
        leave?.();
      }
    },
  };
}

async function enter(pace: Pace | undefined, host: string, request: HttpRequest): Promise<(() => void) | undefined> {
  try {
    return await pace?.enter(host, request.signal);
  } catch (thrown) {
    throw failure(request, undefined, thrown);
  }
}

async function send(request: HttpRequest, host: string, door: HttpDoor): Promise<HttpAnswer> {
  const { options, dispatcher } = door;
  const timer = AbortSignal.timeout(request.timeout ?? defaultTimeout);
  const signal = request.signal === undefined ? timer : AbortSignal.any([timer, request.signal]);
  try {
    const answer = await follow(dispatcher, {
      url: request.url,
      method: request.method,
      headers: {
        'user-agent': options.userAgent,
        'accept-encoding': encodings,
        ...request.headers,
        ...(request.etag === undefined ? {} : { 'if-none-match': request.etag }),
      },
      signal,
      rewrite: options.rewrite,
      check: request.redirects === 'same-host' ? door.sameHost : undefined,
    });
    const headers = Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
    );
    const limit = limitOf(answer.statusCode, headers);
    if (limit !== undefined) {
      await answer.body.dump({ limit: 16_384, signal });
      options.pace?.leaveAlone(host, limit.retryAfter ?? usualRetryAfter);
      throw leftAlone(host, limit.retryAfter);
    }
    const body =
      request.method === 'HEAD' ? new Uint8Array() : await readBody(request.url, answer, request.limit ?? defaultLimit);
    return { status: answer.statusCode, headers, body };
  } catch (thrown) {
    throw failure(request, timer, thrown);
  }
}

/** 429 always, and 403 or 503 that say when to come back (RFC 9110 section 10.2.3; GitHub answers 403). Seconds. */
function limitOf(
  status: number,
  headers: Readonly<Record<string, string>>,
): { readonly retryAfter: number | undefined } | undefined {
  const retryAfter = secondsOf(headers['retry-after']);
  const spent = headers['x-ratelimit-remaining'] === '0';
  const limited = status === 429 || (status === 403 && (spent || retryAfter !== undefined));
  return limited || (status === 503 && retryAfter !== undefined) ? { retryAfter } : undefined;
}

function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter);
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

function failure(request: HttpRequest, timer: AbortSignal | undefined, thrown: unknown): RegrowError {
  if (thrown instanceof RegrowError) return thrown;
  if (request.signal?.aborted === true) {
    return new RegrowError('aborted', `stopped asking ${request.url}`, { retry: 'now', cause: thrown });
  }
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : undefined;
  if (code?.startsWith('Z_') === true || code?.startsWith('ERR_BROTLI') === true) {
    return new RegrowError('upstream.answer-invalid', `${request.url} answers with a body that cannot be unpacked`, {
      retry: 'later',
      cause: thrown,
    });
  }
  const why =
    timer?.aborted === true ? `gave no whole answer in ${request.timeout ?? defaultTimeout} ms` : 'cannot be reached';
  const reason = timer?.aborted === true || code === undefined ? '' : ` (${code})`;
  return new RegrowError('upstream.unreachable', `${request.url} ${why}${reason}`, {
    retry: 'later',
    cause: thrown,
    remedy: 'check the address and the network; it is tried again by itself',
  });
}
