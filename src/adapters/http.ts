import { RegrowError } from '../errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../ports/http.ts';

const defaultLimit = 16 * 1024 * 1024;
const defaultTimeout = 60_000;
const redirectLimit = 10;
/** What a server on another origin must never see. */
const credentials = new Set(['authorization', 'cookie', 'proxy-authorization', 'private-token']);

export interface HttpOptions {
  /** Sent with every request, so that upstreams know whom to write to. */
  readonly userAgent: string;
}

/** The Http port over Node's fetch. A body is read as a stream and dropped as soon as it is over the limit. */
export function createHttp(options: HttpOptions): Http {
  return { request: (request) => send(request, options) };
}

async function send(request: HttpRequest, options: HttpOptions): Promise<HttpAnswer> {
  const timer = AbortSignal.timeout(request.timeout ?? defaultTimeout);
  const signal = request.signal === undefined ? timer : AbortSignal.any([timer, request.signal]);
  try {
    const response = await follow(request, options, signal);
    const headers = Object.fromEntries(response.headers);
    refuseWhenLimited(request.url, response.status, headers);
    const body = await readBody(request, response);
    return { status: response.status, headers, body };
  } catch (thrown) {
    if (thrown instanceof RegrowError) throw thrown;
    throw failure(request, timer, thrown);
  }
}

/** Redirects by hand: no credentials to another origin, and never from https down to http. */
async function follow(request: HttpRequest, options: HttpOptions, signal: AbortSignal): Promise<Response> {
  let url = parseUrl(request.url);
  let headers: Record<string, string> = {
    'user-agent': options.userAgent,
    ...request.headers,
    ...(request.etag === undefined ? {} : { 'if-none-match': request.etag }),
  };
  for (let hop = 0; hop <= redirectLimit; hop += 1) {
    const response = await fetch(url, { method: request.method ?? 'GET', headers, redirect: 'manual', signal });
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || response.status === 304 || location === null) return response;
    await response.body?.cancel();
    const next = parseUrl(location, url);
    if (url.protocol === 'https:' && next.protocol !== 'https:') {
      throw new RegrowError('upstream.answer-invalid', `${request.url} redirects from https to ${next.protocol}//`, {
        remedy: 'ask upstream, or name the right address in the recipe',
      });
    }
    if (next.origin !== url.origin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !credentials.has(name.toLowerCase())));
    }
    url = next;
  }
  throw new RegrowError('upstream.answer-invalid', `${request.url} redirects more than ${redirectLimit} times`);
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new RegrowError('upstream.answer-invalid', `${text} is not an http or https address`);
  }
  return url;
}

/** 429 always, and 403 or 503 that say when to come back (RFC 9110 section 10.2.3; GitHub answers 403). */
function refuseWhenLimited(url: string, status: number, headers: Readonly<Record<string, string>>): void {
  const retryAfter = secondsOf(headers['retry-after']);
  const spent = headers['x-ratelimit-remaining'] === '0';
  const limited = status === 429 || (status === 403 && (spent || retryAfter !== undefined));
  if (!limited && !(status === 503 && retryAfter !== undefined)) return;
  throw new RegrowError('upstream.rate-limited', `${new URL(url).host} asks to be left alone for a while`, {
    retry: 'later',
    ...(retryAfter === undefined ? {} : { retryAfter }),
    remedy: 'nothing to do: it is asked again later; a token raises the limit',
  });
}

function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter);
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

async function readBody(request: HttpRequest, response: Response): Promise<Uint8Array> {
  const limit = request.limit ?? defaultLimit;
  const announced = Number(response.headers.get('content-length') ?? 0);
  if (response.body === null) return new Uint8Array();
  if (announced > limit) {
    await response.body.cancel();
    throw tooLarge(request.url, limit);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    // Leaving the loop by a throw cancels the stream, so the rest is never downloaded.
    if (size > limit) throw tooLarge(request.url, limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(url: string, limit: number): RegrowError {
  return new RegrowError('upstream.too-large', `${url} is larger than ${limit} bytes`, {
    remedy: 'raise the limit in the configuration where the size is right',
  });
}

function failure(request: HttpRequest, timer: AbortSignal, thrown: unknown): RegrowError {
  if (request.signal?.aborted === true) {
    return new RegrowError('aborted', `stopped asking ${request.url}`, { retry: 'now', cause: thrown });
  }
  const why = timer.aborted ? `gave no whole answer in ${request.timeout ?? defaultTimeout} ms` : 'cannot be reached';
  return new RegrowError('upstream.unreachable', `${request.url} ${why}${reasonOf(thrown)}`, {
    retry: 'later',
    cause: thrown,
    remedy: 'check the address and the network; it is tried again by itself',
  });
}

/** fetch says only "fetch failed": the system's error is its cause. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : '';
}
