import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../src/adapters/clock.ts';
import { checkWatchTokens } from '../../../src/cli/watch-token-check.ts';
import { configSchema } from '../../../src/config/schema.ts';
import { createGraphQLFake, type GraphQLFake } from '../../fakes/github-graphql/server.ts';
import { exchangeProblems } from '../../support/github-description.ts';

let github: GraphQLFake;
beforeEach(async () => {
  github = await createGraphQLFake({ clock: systemClock, tokens: { one: 5000, two: 12_500 } });
});
afterEach(() => github.close());

const check = (...watchTokens: string[]) =>
  checkWatchTokens(configSchema.parse({ watch: { githubBaseUrl: github.apiUrl } }), { watchTokens });

it('says how many watch tokens there are and what is left of them', async () => {
  expect(await check('one', 'two')).toEqual({
    name: 'watch tokens',
    state: 'ok',
    text: '2: 17500 of 17500 points are left this hour',
  });
});

it('asks what GitHub answers', async () => {
  const got = await fetch(`${github.apiUrl}/rate_limit`, { headers: { authorization: 'token one' } });
  const { status } = got;
  const exchange = { method: 'GET', path: '/rate_limit', query: '', body: undefined, headers: {}, status };
  expect(exchangeProblems({ ...exchange, answer: await got.json() })).toEqual([]);
});

it('warns of one that cannot be used, and fails where none can', async () => {
  const one = await check('one', 'expired');
  expect([one.state, one.text]).toEqual([
    'warn',
    '1 of 2 cannot be used: not allowed to ask what a watch token may ask (401); of the others 5000 of 5000 points are left this hour',
  ]);
  expect(await check('expired')).toMatchObject({
    state: 'fail',
    remedy: expect.stringContaining('REGROW_WATCH_TOKEN'),
  });
  expect(await check()).toMatchObject({ state: 'warn', text: expect.stringContaining('60 questions an hour') });
});
