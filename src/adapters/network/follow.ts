import type { Dispatcher } from 'undici';
import { RegrowError } from '../../errors.ts';
import { rewriteUrl, type UrlRewrite } from './rewrite.ts';

const redirectLimit = 10;
/** What a server on another origin must never see. */
const credentials = new Set(['authorization', 'cookie', 'proxy-authorization', 'private-token']);

export interface FollowRequest {
  readonly url: string;
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | undefined;
  readonly body?: Uint8Array | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Mirrors; they hold for every address on the way. */
  readonly rewrite?: readonly UrlRewrite[] | undefined;
  /** Looks at a redirect from the address that was asked for first; throws where it must not be followed. */
  readonly check?: ((first: URL, next: URL) => void) | undefined;
}

/**
 * The answer at the end of the redirects, its body not read yet. No credentials go to another origin, and nothing goes from https
 * down to http. Throws upstream.answer-invalid, upstream.redirect-refused, upstream.address-refused, and what the connection says.
 */
export async function follow(dispatcher: Dispatcher, request: FollowRequest): Promise<Dispatcher.ResponseData> {
  const { method = 'GET', body, signal, rewrite = [] } = request;
  let { headers } = request;
  const first = httpUrl(request.url);
  let named = first;
  let asked = httpUrl(rewriteUrl(named.href, rewrite));
  for (let hop = 0; hop <= redirectLimit; hop += 1) {
    const path = `${asked.pathname}${asked.search}`;
    const answer = await dispatcher.request({
      origin: asked.origin,
      path,
      method,
      headers,
      signal,
      body: body ?? null,
    });
    const { location } = answer.headers;
    const { statusCode } = answer;
    if (!isFollowed(method, statusCode) || typeof location !== 'string') return answer;
    // Read to its end where it is short, so that the connection is used again.
    await answer.body.dump({ limit: 16_384, signal });
    const next = httpUrl(location, named);
    request.check?.(first, next);
    const nextAsked = httpUrl(rewriteUrl(next.href, rewrite));
    if (asked.protocol === 'https:' && nextAsked.protocol !== 'https:') {
      throw new RegrowError('upstream.redirect-refused', `${request.url} redirects from https to ${next.href}`, {
        remedy: 'ask upstream, or name the right address in the recipe',
      });
    }
    if (nextAsked.origin !== asked.origin) {
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !credentials.has(name.toLowerCase())));
    }
    named = next;
    asked = nextAsked;
  }
  throw new RegrowError('upstream.answer-invalid', `${request.url} redirects more than ${redirectLimit} times`, {
    retry: 'later',
  });
}

/** What is sent goes elsewhere only where the method stays what it is (RFC 9110 section 15.4). */
function isFollowed(method: string, status: number): boolean {
  if (method !== 'GET' && method !== 'HEAD') return status === 307 || status === 308;
  return status >= 300 && status <= 399 && status !== 304;
}

/** Lets a redirect stay on its host, `www.` or not, or go to a host that is named; its port may change from http's to https's only. */
export function onSameHost(alsoTo: ReadonlySet<string>): (first: URL, next: URL) => void {
  const bare = ({ hostname }: URL): string => hostname.replace(/^www\./, '');
  return (first, next) => {
    if (bare(first) === bare(next) && first.port === next.port) return;
    if (alsoTo.has(next.hostname)) return;
    throw new RegrowError('upstream.redirect-refused', `${first.href} redirects to another host, ${next.host}`, {
      remedy: `where ${next.host} is right, name it in the recipe, or in network.redirectHosts in the configuration`,
    });
  };
}

function httpUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new RegrowError('upstream.answer-invalid', `${text} is not an http or https address`);
}
