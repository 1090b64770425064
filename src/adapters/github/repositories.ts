import { RequestError } from 'octokit';
import { RegrowError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { QuotaStore } from '../../ports/quota.ts';
import type { AskOptions, Repositories, RepositoryQuestion } from '../../ports/releases.ts';
import type { Seen } from './allowance.ts';
import { createGitHubClient, type GitHubClient } from './client.ts';
import { gitHubFailure, isLimitRefusal, readAnswer, statusOf } from './failure.ts';
import { type Envelope, envelopeSchema, rateOf, readRepositories } from './graphql-answer.ts';
import { type GraphQLQuery, writeQuery } from './graphql-query.ts';
import { type Pause, realPause } from './pause.ts';
import { createTokenPool, type Grant } from './token-pool.ts';

/** Milliseconds. GitHub itself gives up after ten seconds. */
const answerPatience = 30_000;
/** How often one question is put anew because GitHub wants to be left alone. */
const limitTries = 3;
/** Milliseconds that nothing is asked after a secondary limit that does not say how long: GitHub's advice. */
const secondaryPause = 60_000;
/** Milliseconds: the pause after an answer that did not come; twice as long after the next, up to the longest. */
const firstPause = 1000;
const longestPause = 30_000;

export interface RepositoriesOptions {
  /** `https://api.github.com`, or the API address of another server. */
  readonly baseUrl?: string;
  /** At least one: GraphQL is not for nobody. */
  readonly tokens: readonly string[];
  readonly store: QuotaStore;
  readonly clock: Clock;
  /** Part of each token's limit that look-ups may spend which nobody waits for, 0 to 1. */
  readonly share: number;
  readonly userAgent: string;
  readonly warn: (message: string) => void;
  readonly pause?: Pause;
}

const doing = 'read releases and tags by GraphQL';

type Outcome =
  | { readonly kind: 'answered'; readonly envelope: Envelope }
  | { readonly kind: 'limited'; readonly until: number; readonly seen: Seen | undefined }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'failed'; readonly error: RegrowError };

/** Many repositories in one question, by GitHub's GraphQL; with the tokens taking turns, within what they allow. */
export function createGitHubRepositories(options: RepositoriesOptions): Repositories {
  const { clock, warn, userAgent, baseUrl, pause = realPause } = options;
  const pool = createTokenPool(options);
  const clients = new Map<string, GitHubClient>();
  let failuresInRow = 0;

  function clientOf(token: string): GitHubClient {
    const known = clients.get(token);
    if (known !== undefined) return known;
    // The throttling plugin lets one write a second pass, and takes every question of GraphQL for a write; the pool does its
    // work. A question that failed is not put again as it was, but smaller.
    const client = createGitHubClient({
      userAgent,
      token,
      throttle: false,
      retries: 0,
      timeout: answerPatience,
      ...(baseUrl === undefined ? {} : { baseUrl }),
      warn,
    });
    clients.set(token, client);
    return client;
  }

  async function restAfterFailure(signal: AbortSignal | undefined): Promise<void> {
    if (failuresInRow === 0) return;
    await pause(Math.min(longestPause, firstPause * 2 ** (failuresInRow - 1)), signal);
  }

  async function put(query: GraphQLQuery, grant: Grant, signal: AbortSignal | undefined): Promise<Outcome> {
    const outcome = await send(clientOf(grant.token), query, clock, signal);
    if (outcome.kind === 'answered') {
      const rate = rateOf(outcome.envelope);
      await grant.settle(rate?.cost ?? query.points, rate);
    } else if (outcome.kind === 'limited') await grant.limited(outcome.until, outcome.seen);
    else if (outcome.kind === 'refused') grant.refused(outcome.status);
    // It may have been counted, so it stays counted.
    else await grant.settle(query.points);
    return outcome;
  }

  return {
    async ask(questions: readonly RepositoryQuestion[], { urgent, signal }: AskOptions) {
      const query = writeQuery(questions);
      await restAfterFailure(signal);
      for (let limits = 0; ; ) {
        const grant = await pool.take({ points: query.points, urgent }, signal);
        const outcome = await put(query, grant, signal);
        if (outcome.kind === 'answered') {
          failuresInRow = 0;
          return readRepositories(questions, outcome.envelope);
        }
        if (outcome.kind === 'failed') {
          if (outcome.error.code !== 'aborted') failuresInRow += 1;
          throw outcome.error;
        }
        if (outcome.kind === 'limited') {
          limits += 1;
          if (limits >= limitTries) throw limited(outcome.until - clock.now().getTime());
        }
      }
    },
  };
}

async function send(
  client: GitHubClient,
  query: GraphQLQuery,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  const now = (): number => clock.now().getTime();
  try {
    const data: unknown = await client.graphql(query.text, {
      ...query.variables,
      ...(signal === undefined ? {} : { request: { signal } }),
    });
    return outcomeOf(readAnswer(envelopeSchema, { data: data ?? null }, doing), {}, now());
  } catch (thrown) {
    const answer = partialAnswer(thrown);
    if (answer !== undefined) return outcomeOf(answer.envelope, answer.headers, now());
    const status = statusOf(thrown);
    if (status === 404) return { kind: 'failed', error: noAnswer('there is no GraphQL at this address') };
    if (thrown instanceof RequestError && isLimitRefusal(thrown)) {
      const headers = thrown.response?.headers ?? {};
      return { kind: 'limited', until: untilOf(headers, now()), seen: seenOf(headers) };
    }
    if (status === 401 || status === 403) return { kind: 'refused', status };
    return { kind: 'failed', error: gitHubFailure(doing, thrown, signal) };
  }
}

type Headers = Readonly<Record<string, unknown>>;

/** Octokit throws an answer that has errors in it, also where most of it is data. */
function partialAnswer(thrown: unknown): { envelope: Envelope; headers: Headers } | undefined {
  if (!(thrown instanceof Error) || thrown.name !== 'GraphqlResponseError') return undefined;
  if (!('response' in thrown) || !('headers' in thrown)) return undefined;
  const envelope = envelopeSchema.safeParse(thrown.response).data;
  return envelope === undefined ? undefined : { envelope, headers: (thrown.headers ?? {}) as Headers };
}

function outcomeOf(envelope: Envelope, headers: Headers, now: number): Outcome {
  const { data, errors } = envelope;
  if (errors.some(({ type }) => type === 'RATE_LIMITED')) {
    return { kind: 'limited', until: untilOf(headers, now), seen: rateOf(envelope) ?? seenOf(headers) };
  }
  if (data !== null && data !== undefined) return { kind: 'answered', envelope };
  const [first] = errors;
  const said = first === undefined ? 'the answer is not one of GraphQL' : `${first.type ?? 'error'}: ${first.message}`;
  const tooLarge = first?.type === 'MAX_NODE_LIMIT_EXCEEDED' || first?.type === 'RESOURCE_LIMITS_EXCEEDED';
  return { kind: 'failed', error: noAnswer(said, tooLarge ? 'upstream.unreachable' : 'upstream.answer-invalid') };
}

function noAnswer(
  said: string,
  code: 'upstream.unreachable' | 'upstream.answer-invalid' = 'upstream.answer-invalid',
): RegrowError {
  return new RegrowError(code, `could not ${doing}: ${said}`, {
    retry: 'later',
    remedy: 'check that watch.githubBaseUrl is the address of an API that has GraphQL',
  });
}

/** When something may be asked again, in milliseconds since 1970, as a refusal says. */
function untilOf(headers: Headers, now: number): number {
  const after = numberOf(headers['retry-after']);
  if (after !== undefined) return now + after * 1000;
  const reset = numberOf(headers['x-ratelimit-reset']);
  if (headers['x-ratelimit-remaining'] === '0' && reset !== undefined) return Math.max(now, reset * 1000);
  return now + secondaryPause;
}

function seenOf(headers: Headers): Seen | undefined {
  const [limit, remaining, used, reset] = ['limit', 'remaining', 'used', 'reset'].map((name) =>
    numberOf(headers[`x-ratelimit-${name}`]),
  );
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined;
  return { limit, remaining, used: used ?? limit - remaining, resetAt: reset * 1000 };
}

function numberOf(header: unknown): number | undefined {
  const number = typeof header === 'string' && header !== '' ? Number(header) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

function limited(wait: number): RegrowError {
  return new RegrowError('upstream.rate-limited', 'GitHub wants to be left alone, again and again', {
    retry: 'later',
    retryAfter: Math.max(1, Math.ceil(wait / 1000)),
    remedy: 'it goes on by itself',
  });
}
