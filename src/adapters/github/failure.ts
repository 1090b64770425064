import { RequestError } from 'octokit';
import { type ZodType, z } from 'zod';
import { RegrowError } from '../../errors.ts';

/** The status of a failed request; undefined where there was no answer. */
export function statusOf(thrown: unknown): number | undefined {
  return thrown instanceof RequestError && thrown.response !== undefined ? thrown.status : undefined;
}

/** Any failure of a GitHub call as a coded error. `doing` says what was being done, `read jqlang/jq`. */
export function gitHubFailure(doing: string, thrown: unknown, signal?: AbortSignal): RegrowError {
  if (thrown instanceof RegrowError) return thrown;
  if (signal?.aborted === true) return new RegrowError('aborted', `stopped: ${doing}`, { retry: 'now', cause: thrown });
  const status = statusOf(thrown);
  const headers = thrown instanceof RequestError ? (thrown.response?.headers ?? {}) : {};
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  const options = { cause: thrown };
  if (status === undefined || status >= 500) {
    return new RegrowError('upstream.unreachable', `could not ${doing}: ${said}`, {
      ...options,
      retry: 'later',
      remedy: 'it is tried again by itself; see the status page of the server',
    });
  }
  if (thrown instanceof RequestError && isLimitRefusal(thrown)) {
    const retryAfter = secondsUntil(headers);
    return new RegrowError('upstream.rate-limited', `could not ${doing}: the rate limit is used up`, {
      ...options,
      retry: 'later',
      ...(retryAfter === undefined ? {} : { retryAfter }),
      remedy: 'it goes on by itself; a token raises the limit',
    });
  }
  if (status === 401 || status === 403) {
    return new RegrowError('forge.unauthorized', `not allowed to ${doing} (${status})`, {
      ...options,
      remedy:
        'check the token and its permissions: contents, pull requests, commit statuses and issues, read and write',
    });
  }
  if (status === 404 || status === 410 || status === 451) {
    return new RegrowError('upstream.not-found', `could not ${doing}: there is no such thing (${status})`, {
      ...options,
      remedy: 'check the name; a private repository needs a token that may read it',
    });
  }
  return new RegrowError('forge.refused', `could not ${doing}: ${said}`, options);
}

/** Where GitHub's documentation of a refusal is when it is for asking too much; headers may say nothing then. */
const limitDocumentation = z.object({ documentation_url: z.string().regex(/rate-?limit/) });

/** Whether something was refused because too much was asked, be it the hourly limit or a secondary one. */
export function isLimitRefusal({ status, response }: RequestError): boolean {
  if (status === 429) return true;
  if (status !== 403 || response === undefined) return false;
  const { headers, data } = response;
  return (
    headers['x-ratelimit-remaining'] === '0' ||
    headers['retry-after'] !== undefined ||
    limitDocumentation.safeParse(data).success
  );
}

function secondsUntil(headers: Readonly<Record<string, unknown>>): number | undefined {
  const after = Number(headers['retry-after']);
  if (Number.isFinite(after)) return after;
  const reset = Number(headers['x-ratelimit-reset']);
  return Number.isFinite(reset) ? Math.max(0, Math.ceil(reset - Date.now() / 1000)) : undefined;
}

/** An answer in the shape that we read; a page of HTML or anything else is upstream.answer-invalid. */
export function readAnswer<S extends ZodType>(schema: S, data: unknown, doing: string): z.infer<S> {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const got = typeof data === 'string' ? 'text that is not JSON' : (parsed.error.issues[0]?.message ?? 'another shape');
  throw new RegrowError('upstream.answer-invalid', `could not ${doing}: the answer is ${got}`, {
    retry: 'later',
    cause: parsed.error,
    remedy: 'check that the configured address is that of the API',
  });
}
