import { setTimeout as pause } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import { readBody } from '../network/body.ts';
import { follow } from '../network/follow.ts';
import { type Challenge, parseChallenge } from './challenge.ts';
import type { RegistryCredentials } from './credentials.ts';

/** Largest answer that is read: the least manifest that registries have to take (distribution-spec, "Pushing manifests"). */
const answerLimit = 4 * 1024 * 1024;
/** Milliseconds for one question with its answer. */
const timeout = 5 * 60_000;
/** How often something is asked that a moment may heal. */
const mostTries = 5;
/** Milliseconds. */
const longestWait = 60_000;
/** Seconds that a token is good for that does not say (distribution, "token authentication"). */
const usualTokenLife = 60;

export interface RegistryQuestion {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** What is done with it, `repository:NAME:pull,push`. */
  readonly scopes: readonly string[];
  readonly signal: AbortSignal | undefined;
  /** Ask once, and let the caller find out what came of it. */
  readonly once?: boolean;
}

export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Where it came from, redirects followed. */
  readonly url: string;
}

export interface TransportOptions {
  readonly dispatcher: Dispatcher;
  readonly userAgent: string;
  readonly credentials: (host: string) => RegistryCredentials | undefined;
  /** Waits for milliseconds; tests do not. */
  readonly wait?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

export interface Transport {
  /** Any status but 401, 403, 429 and those of a server in trouble is an answer. */
  ask(question: RegistryQuestion): Promise<RegistryAnswer>;
  /** Waits before the try of this number, 1 the first, as long as the other side said or twice as long as before. */
  rest(tries: number, failure: RegrowError, signal: AbortSignal | undefined): Promise<void>;
}

const tokenSchema = z
  .object({ token: z.string().optional(), access_token: z.string().optional(), expires_in: z.number().optional() })
  .transform(({ token, access_token, expires_in }, context) => {
    const value = token ?? access_token;
    if (value !== undefined) return { value, seconds: expires_in ?? usualTokenLife };
    context.addIssue({ code: 'custom', message: 'has no token' });
    return z.NEVER;
  });

interface Pass {
  readonly header: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Questions to one registry, logged in as it asks for. What leads to another origin (uploads, redirects) carries no credentials. */
export function createTransport(registry: URL, options: TransportOptions): Transport {
  const { dispatcher, userAgent, credentials } = options;
  const wait = options.wait ?? (async (time, signal) => pause(time, undefined, signal === undefined ? {} : { signal }));
  const passes = new Map<string, Pass>();

  async function ask(question: RegistryQuestion): Promise<RegistryAnswer> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await askAsOneself(question);
      } catch (thrown) {
        const failure = failureOf(question, thrown);
        if (failure.code !== 'registry.unreachable' || question.once === true || tries >= mostTries) throw failure;
        await rest(tries, failure, question.signal);
      }
    }
  }

  async function rest(tries: number, failure: RegrowError, signal: AbortSignal | undefined): Promise<void> {
    const time = failure.retryAfter === undefined ? 500 * 2 ** tries : failure.retryAfter * 1000;
    try {
      await wait(Math.min(time, longestWait), signal);
    } catch {
      throw new RegrowError('aborted', `stopped waiting for ${registry.host}`, { retry: 'now' });
    }
  }

  async function askAsOneself(question: RegistryQuestion): Promise<RegistryAnswer> {
    const own = new URL(question.url).origin === registry.origin;
    const key = [...question.scopes].toSorted().join(' ');
    const pass = passes.get(key);
    const known = own && pass !== undefined && pass.until > Date.now() ? pass.header : undefined;
    const first = await send(question, known);
    // Who it was redirected to is not asked for a token: what it says would lead the password of the registry elsewhere.
    if (first.status !== 401 || !own || new URL(first.url).origin !== registry.origin) return checked(first);
    passes.delete(key);
    const challenge = parseChallenge(first.headers['www-authenticate'] ?? '');
    const next = challenge === undefined ? undefined : await login(challenge, question);
    if (next === undefined) throw unauthorized(first.url, 'asks for a login that is not there');
    passes.set(key, next);
    return checked(await send(question, next.header));
  }

  async function login(challenge: Challenge, { scopes, signal }: RegistryQuestion): Promise<Pass | undefined> {
    const account = credentials(registry.host);
    const basic =
      account === undefined
        ? undefined
        : `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`;
    if (challenge.scheme === 'basic') return basic === undefined ? undefined : { header: basic, until: Infinity };
    const realm = URL.canParse(challenge.realm) ? new URL(challenge.realm) : undefined;
    if (realm === undefined || (registry.protocol === 'https:' && realm.protocol !== 'https:')) {
      throw unauthorized(registry.href, `sends to ${challenge.realm} for a token, which is no place for a password`);
    }
    if (challenge.service !== undefined) realm.searchParams.set('service', challenge.service);
    for (const scope of scopes) realm.searchParams.append('scope', scope);
    const answer = await send({ method: 'GET', url: realm.href, scopes, signal }, basic);
    if (answer.status === 429 || answer.status >= 500) throw inTrouble(answer);
    const token = answer.status === 200 ? tokenSchema.safeParse(jsonOf(answer)).data : undefined;
    if (token === undefined) throw unauthorized(realm.origin, `gives no token (${answer.status})`);
    return { header: `Bearer ${token.value}`, until: Date.now() + token.seconds * 900 };
  }

  function checked(answer: RegistryAnswer): RegistryAnswer {
    if (answer.status === 401 || answer.status === 403) {
      throw unauthorized(
        answer.url,
        `does not let ${credentials(registry.host)?.username ?? 'anonymous'} do that`,
        answer,
      );
    }
    if (answer.status === 429 || answer.status >= 500) throw inTrouble(answer);
    return answer;
  }

  async function send(question: RegistryQuestion, authorization: string | undefined): Promise<RegistryAnswer> {
    const timer = AbortSignal.timeout(timeout);
    const signal = question.signal === undefined ? timer : AbortSignal.any([timer, question.signal]);
    let { url } = question;
    const answer = await follow(dispatcher, {
      url,
      method: question.method,
      headers: {
        'user-agent': userAgent,
        ...question.headers,
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: question.body,
      signal,
      check: (_, next) => {
        url = next.href;
      },
    });
    const headers = Object.fromEntries(
      Object.entries(answer.headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
    );
    if (question.method === 'HEAD') {
      await answer.body.dump({ limit: 0 });
      return { status: answer.statusCode, headers, body: new Uint8Array(), url };
    }
    return { status: answer.statusCode, headers, body: await readBody(url, answer, answerLimit), url };
  }

  return { ask, rest };
}

const errorsSchema = z.object({
  errors: z.array(z.object({ code: z.string(), message: z.string().optional() })).min(1),
});

/** An address for messages, which anybody may read: whoever has what is behind the `?` of an upload, or before the `@`, may write there. */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/** What a registry says of why not: `: DENIED access forbidden`. */
export function reasonOf(answer: Pick<RegistryAnswer, 'body'>): string {
  const first = errorsSchema.safeParse(jsonOf(answer)).data?.errors[0];
  return first === undefined ? '' : `: ${first.code} ${(first.message ?? '').slice(0, 200)}`.trimEnd();
}

function jsonOf({ body }: Pick<RegistryAnswer, 'body'>): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    return undefined;
  }
}

function unauthorized(url: string, what: string, answer?: RegistryAnswer): RegrowError {
  return new RegrowError(
    'registry.unauthorized',
    `${shownUrl(url)} ${what}${answer === undefined ? '' : reasonOf(answer)}`,
    {
      retry: 'later',
      remedy: 'put a login that may push into images.authFile, or REGROW_REGISTRY_AUTH, of the publisher',
    },
  );
}

function inTrouble(answer: RegistryAnswer): RegrowError {
  const seconds = Number(answer.headers['retry-after'] ?? Number.NaN);
  const what = `${shownUrl(answer.url)} answers ${answer.status}${reasonOf(answer)}`;
  return unreachable(what, Number.isFinite(seconds) ? { retryAfter: seconds } : {});
}

function unreachable(
  message: string,
  more: { readonly cause?: unknown; readonly retryAfter?: number } = {},
): RegrowError {
  return new RegrowError('registry.unreachable', message, {
    retry: 'later',
    remedy: 'check the address and the registry; it is tried again by itself',
    ...more,
  });
}

function failureOf({ url, method, signal }: RegistryQuestion, thrown: unknown): RegrowError {
  if (signal?.aborted === true) {
    return new RegrowError('aborted', `stopped pushing to ${shownUrl(url)}`, { retry: 'now', cause: thrown });
  }
  if (thrown instanceof RegrowError && !/^upstream\.(unreachable|answer-invalid)$/.test(thrown.code)) return thrown;
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return unreachable(`${method} ${shownUrl(url)} got no answer: ${why}`, { cause: thrown });
}
