import { z } from 'zod';
import { createGitHubClient } from '../adapters/github/client.ts';
import { gitHubFailure, readAnswer } from '../adapters/github/failure.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { reportError } from '../errors.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

const name = 'watch tokens';
const remedy = 'put tokens that are valid into REGROW_WATCH_TOKEN, or the file of watch.tokenFile';

const rateLimitSchema = z.object({
  resources: z.object({ graphql: z.object({ limit: z.number(), remaining: z.number() }).optional() }),
});

/** Each token for asking upstreams on GitHub, and what it may still ask. Asking that costs nothing. */
export async function checkWatchTokens(config: Pick<Config, 'watch'>, { watchTokens = [] }: Secrets): Promise<Check> {
  if (watchTokens.length === 0) {
    return warn(
      name,
      'there is none: GitHub answers 60 questions an hour',
      'set REGROW_WATCH_TOKEN to one or more tokens that may only read',
    );
  }
  const asked = await Promise.all(watchTokens.map((token) => allowanceOf(token, config)));
  const good = asked.flatMap((one) => (typeof one === 'string' ? [] : [one]));
  const bad = asked.filter((one) => typeof one === 'string');
  const sum = (of: 'limit' | 'remaining'): number => good.reduce((total, one) => total + one[of], 0);
  const points = `${sum('remaining')} of ${sum('limit')} points are left this hour`;
  if (bad.length === 0) return ok(name, `${good.length === 1 ? 'one' : good.length}: ${points}`);
  const text = `${bad.length} of ${asked.length} cannot be used: ${bad[0]}`;
  return good.length === 0 ? fail(name, text, remedy) : warn(name, `${text}; of the others ${points}`, remedy);
}

/** What a token may ask, or why it may not. */
async function allowanceOf(
  token: string,
  { watch }: Pick<Config, 'watch'>,
): Promise<{ limit: number; remaining: number } | string> {
  const doing = 'ask what a watch token may ask';
  const client = createGitHubClient({
    userAgent: 'regrow doctor',
    token,
    retries: 0,
    ...(watch.githubBaseUrl === undefined ? {} : { baseUrl: watch.githubBaseUrl, throttle: false }),
  });
  try {
    const { data } = await client.rest.rateLimit.get();
    const { graphql } = readAnswer(rateLimitSchema, data, doing).resources;
    return graphql ?? 'the server has no GraphQL';
  } catch (thrown) {
    return reportError(gitHubFailure(doing, thrown)).message;
  }
}
