import { parse, validate } from 'graphql';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createGitHubRepositories, type RepositoriesOptions } from '../../src/adapters/github/repositories.ts';
import { tokenName } from '../../src/adapters/github/token-pool.ts';
import { createMemoryQuota } from '../../src/adapters/memory-quota.ts';
import type { QuotaStore } from '../../src/ports/quota.ts';
import type { RepositoryQuestion } from '../../src/ports/releases.ts';
import { gitHubSchema } from '../fakes/github-graphql/schema.ts';
import { createGraphQLFake, type GraphQLFake } from '../fakes/github-graphql/server.ts';
import { commitId, type FakeTag } from '../fakes/github-graphql/state.ts';
import { createManualClock, type ManualClock } from '../fakes/manual-clock.ts';

let clock: ManualClock;
let github: GraphQLFake;
let store: QuotaStore;
let warnings: string[];
let pauses: number[];

beforeEach(async () => {
  clock = createManualClock('2026-11-01T12:00:00.000Z');
  github = await createGraphQLFake({ clock, tokens: { one: 5000, two: 5000, small: 10 } });
  store = createMemoryQuota();
  warnings = [];
  pauses = [];
});

afterEach(async () => {
  const problems = github.questions.flatMap(({ query }) => validate(gitHubSchema(), parse(query)));
  await github.close();
  if (problems.length > 0) throw new Error(problems.join('\n'));
});

/** Time passes where the adapter waits, and nowhere else. */
const open = (options: Partial<RepositoriesOptions> = {}) =>
  createGitHubRepositories({
    baseUrl: github.apiUrl,
    tokens: ['one'],
    store,
    clock,
    share: 0.5,
    userAgent: 'regrow-test',
    warn: (message) => warnings.push(message),
    pause: async (milliseconds) => {
      pauses.push(milliseconds);
      clock.advance(milliseconds);
    },
    ...options,
  });

const tagOf = (name: string, day: number): FakeTag => ({
  name,
  commit: commitId(name),
  committedAt: new Date(Date.UTC(2026, 0, day)).toISOString(),
});

function putRepository(fullName: string, tags: readonly FakeTag[]): void {
  const [owner = '', name = ''] = fullName.split('/');
  github.put({ owner, name, tags: [...tags], releases: [] });
}

const both = { releases: { size: 50 }, tags: { size: 50 } };
function questionOf(fullName: string, pages: RepositoryQuestion['pages'] = both): RepositoryQuestion {
  const [owner = '', repository = ''] = fullName.split('/');
  return { owner, repository, pages };
}
const normal = { urgent: false };

describe('one question about many repositories', () => {
  it('gives releases and tags, each in its order, tags peeled and dated', async () => {
    github.put({
      owner: 'jqlang',
      name: 'jq',
      tags: [{ ...tagOf('jq-1.8.2', 20), taggedAt: '2026-02-01T08:00:00Z' }, tagOf('jq-1.8.1', 10)],
      releases: [
        { tag: 'jq-2.0', publishedAt: '2026-03-01T00:00:00Z', draft: true },
        { tag: 'jq-1.9-rc1', publishedAt: '2026-02-02T00:00:00Z', prerelease: true },
        { tag: 'jq-1.8.2', publishedAt: '2026-02-01T09:00:00Z' },
      ],
    });
    putRepository('madler/zlib', [tagOf('v1.3', 1)]);
    const answers = await open().ask(
      [questionOf('jqlang/jq'), questionOf('madler/zlib', { tags: { size: 1 } })],
      normal,
    );
    expect(answers).toMatchObject([
      {
        pages: {
          releases: {
            kind: 'page',
            tags: [
              {
                tag: 'jq-1.9-rc1',
                prerelease: true,
                publishedAt: '2026-02-02T00:00:00Z',
                url: `${github.apiUrl}/jqlang/jq/releases/tag/jq-1.9-rc1`,
              },
              {
                tag: 'jq-1.8.2',
                prerelease: false,
                commit: commitId('jq-1.8.2'),
                publishedAt: '2026-02-01T09:00:00Z',
                url: `${github.apiUrl}/jqlang/jq/releases/tag/jq-1.8.2`,
              },
            ],
          },
          tags: {
            kind: 'page',
            tags: [
              {
                tag: 'jq-1.8.2',
                prerelease: false,
                commit: commitId('jq-1.8.2'),
                object: expect.stringMatching(/^[0-9a-f]{40}$/),
                publishedAt: '2026-02-01T08:00:00Z',
              },
              {
                tag: 'jq-1.8.1',
                prerelease: false,
                commit: commitId('jq-1.8.1'),
                publishedAt: '2026-01-10T00:00:00.000Z',
              },
            ],
          },
        },
      },
      {
        pages: {
          tags: {
            kind: 'page',
            tags: [
              { tag: 'v1.3', prerelease: false, commit: commitId('v1.3'), publishedAt: '2026-01-01T00:00:00.000Z' },
            ],
          },
        },
      },
    ]);
    expect(github.questions.map(({ points, status }) => [points, status])).toEqual([[1, 200]]);
  });

  it('goes on behind the page before, through 20 000 tags in no time', async () => {
    putRepository(
      'big/repo',
      Array.from({ length: 20_000 }, (_, index) => tagOf(`v1.${20_000 - index}`, 1)),
    );
    const repositories = open();
    const seen: string[] = [];
    let after: string | undefined;
    const begun = performance.now();
    for (let page = 0; page < 3; page += 1) {
      const wanted = { size: 100, ...(after === undefined ? {} : { after }) };
      const [answer] = await repositories.ask([questionOf('big/repo', { tags: wanted })], normal);
      const got = answer?.pages.tags;
      if (got?.kind !== 'page') throw new Error('there is no page');
      seen.push(...got.tags.map(({ tag }) => tag));
      after = got.next;
    }
    expect([seen.length, new Set(seen).size, seen[0], seen.at(-1)]).toEqual([300, 300, 'v1.20000', 'v1.19701']);
    expect(after).toBeDefined();
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('of one that is gone, moved or blocked, is wrong about that one alone', async () => {
    putRepository('old/name', [tagOf('v1', 1)]);
    putRepository('fine/repo', [tagOf('v2', 1)]);
    putRepository('blocked/repo', [tagOf('v3', 1)]);
    github.rename('old/name', 'new/home');
    github.fault = () => ({ kind: 'part', repository: 'blocked/repo', type: 'FORBIDDEN', message: 'access blocked' });
    const names = ['never/was', 'old/name', 'blocked/repo', 'fine/repo'];
    const answers = await open().ask(
      names.map((name) => questionOf(name, { tags: { size: 10 } })),
      normal,
    );
    const said = answers.map(({ pages: { tags } }) => (tags?.kind === 'page' ? tags.tags[0]?.tag : tags?.error.code));
    expect(said).toEqual(['upstream.not-found', 'v1', 'upstream.not-found', 'v2']);
    const [gone, , blocked] = answers.map(({ pages: { tags } }) => (tags?.kind === 'failed' ? tags.error : undefined));
    expect([gone?.message, gone?.retry]).toEqual([
      'could not read the tags of never/was: there is no such repository',
      'never',
    ]);
    expect(blocked?.message).toContain('access blocked');
  });

  it('in which GitHub left a part out says that this part may come in a smaller one', async () => {
    putRepository('fine/repo', [tagOf('v2', 1)]);
    putRepository('slow/repo', [tagOf('v2', 1)]);
    github.fault = () => ({
      kind: 'part',
      repository: 'slow/repo',
      type: 'RESOURCE_LIMITS_EXCEEDED',
      message: 'limits',
    });
    const [fine, slow] = await open().ask([questionOf('fine/repo'), questionOf('slow/repo')], normal);
    expect(fine?.pages.tags?.kind).toBe('page');
    expect(slow?.pages.tags).toMatchObject({
      kind: 'failed',
      error: { code: 'upstream.answer-invalid', retry: 'now' },
    });
  });

  it('is asked of an enterprise server where its GraphQL is', async () => {
    putRepository('in/house', [tagOf('v1', 1)]);
    const [answer] = await open({ baseUrl: `${github.apiUrl}/api/v3` }).ask([questionOf('in/house')], normal);
    expect(answer?.pages.tags?.kind).toBe('page');
  });

  it('costs what GitHub says, and no more than 100 connections a point', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `many/r${index}`);
    for (const name of names) putRepository(name, [tagOf('v1', 1)]);
    await open().ask(
      names.map((name) => questionOf(name)),
      normal,
    );
    expect(github.questions[0]?.points).toBe(2);
    expect(await store.read(tokenName('one'))).toMatchObject({ limit: 5000, remaining: 4998, spent: 2 });
  });
});

describe('a question that is not answered', () => {
  const ask = (repositories = open()) => repositories.ask([questionOf('jqlang/jq')], normal);
  beforeEach(() => putRepository('jqlang/jq', [tagOf('v1', 1)]));

  it.each([
    ['a bad gateway', { kind: 'status', status: 502 }, 'upstream.unreachable'],
    ['something that went wrong', { kind: 'went-wrong' }, 'upstream.unreachable'],
  ] as const)('for %s is put again by who asked, smaller, after a pause that grows', async (_, fault, code) => {
    const repositories = open();
    github.fault = (_question, number) => (number <= 3 ? fault : undefined);
    for (let time = 0; time < 3; time += 1) await expect(ask(repositories)).rejects.toMatchObject({ code });
    await ask(repositories);
    await ask(repositories);
    expect(pauses).toEqual([1000, 2000, 4000]);
    expect(github.questions).toHaveLength(5);
  });

  it('because it is HTML is a wrong answer', async () => {
    github.fault = () => ({ kind: 'html' });
    await expect(ask()).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
  });

  it('because the server has no GraphQL says so, and not that there are no repositories', async () => {
    const repositories = open({ baseUrl: `${github.apiUrl}/nothing` });
    await expect(ask(repositories)).rejects.toMatchObject({
      code: 'upstream.answer-invalid',
      remedy: expect.stringContaining('watch.githubBaseUrl'),
    });
  });

  it('because it was stopped, is stopped', async () => {
    github.fault = () => ({ kind: 'hang' });
    const controller = new AbortController();
    const asking = open().ask([questionOf('jqlang/jq')], { urgent: false, signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(asking).rejects.toMatchObject({ code: 'aborted' });
  });

  it('because of a secondary limit waits as long as GitHub says, a minute where it says nothing', async () => {
    github.fault = (_question, number) =>
      number === 1 ? { kind: 'secondary', retryAfter: 7 } : number === 2 ? { kind: 'secondary' } : undefined;
    expect((await ask())[0]?.pages.tags?.kind).toBe('page');
    expect(pauses).toEqual([7000, 60_000]);
  });

  it('because of a limit in an answer with status 200 waits too', async () => {
    github.fault = (_question, number) => (number === 1 ? { kind: 'rate-limited' } : undefined);
    expect((await ask())[0]?.pages.tags?.kind).toBe('page');
    expect(pauses).toEqual([60_000]);
  });

  it('because of a long limit ends, and says how long', async () => {
    github.fault = () => ({ kind: 'secondary', retryAfter: 900 });
    await expect(ask()).rejects.toMatchObject({ code: 'upstream.rate-limited', retryAfter: 900 });
    // Also to who asks next, and GitHub is not asked again.
    await expect(ask()).rejects.toMatchObject({ code: 'upstream.rate-limited', retryAfter: 900 });
    expect(github.questions).toHaveLength(1);
  });
});

describe('tokens', () => {
  beforeEach(() => putRepository('jqlang/jq', [tagOf('v1', 1)]));
  const ask = (repositories: ReturnType<typeof open>, urgent = false) =>
    repositories.ask([questionOf('jqlang/jq')], { urgent });

  it('take turns by what is left', async () => {
    const repositories = open({ tokens: ['one', 'two'] });
    for (let time = 0; time < 10; time += 1) await ask(repositories);
    const used = ['one', 'two'].map((token) => github.questions.filter((seen) => seen.token === token).length);
    expect(used).toEqual([5, 5]);
  });

  it('spend their share on what nobody waits for, the rest on what somebody does, and begin anew with the next window', async () => {
    const repositories = open({ tokens: ['small'] });
    for (let time = 0; time < 5; time += 1) await ask(repositories);
    await expect(ask(repositories)).rejects.toMatchObject({ code: 'upstream.rate-limited', retryAfter: 3600 });
    for (let time = 0; time < 5; time += 1) await ask(repositories, true);
    await expect(ask(repositories, true)).rejects.toMatchObject({ code: 'upstream.rate-limited' });
    expect(github.questions).toHaveLength(10);
    clock.advance(3_600_000);
    await ask(repositories);
    expect(github.questions).toHaveLength(11);
  });

  it('that end within a minute are waited for', async () => {
    const repositories = open({ tokens: ['small'] });
    for (let time = 0; time < 5; time += 1) await ask(repositories);
    clock.advance(3_600_000 - 30_000);
    await ask(repositories);
    expect(pauses).toEqual([30_000]);
  });

  it('are remembered after a restart, by every poller, and learned anew from an emptied Redis', async () => {
    const before = open({ tokens: ['small'] });
    for (let time = 0; time < 5; time += 1) await ask(before);
    await expect(ask(open({ tokens: ['small'] }))).rejects.toMatchObject({ code: 'upstream.rate-limited' });
    store = createMemoryQuota();
    // One question to learn: what was used before may have been ours, so it was.
    await ask(open({ tokens: ['small'] }));
    await expect(ask(open({ tokens: ['small'] }))).rejects.toMatchObject({ code: 'upstream.rate-limited' });
    expect(github.questions).toHaveLength(6);
  });

  it('that GitHub refuses are left with a warning that does not tell them; the others go on', async () => {
    const repositories = open({ tokens: ['bad-token', 'one'] });
    for (let time = 0; time < 4; time += 1) await ask(repositories);
    expect(warnings.filter((text) => text.includes('401'))).toHaveLength(1);
    expect(warnings.join()).not.toContain('bad-token');
    expect(github.questions.map(({ token }) => token)).toEqual(['one', 'one', 'one', 'one']);
    await expect(ask(open({ tokens: ['bad-token'] }))).rejects.toMatchObject({ code: 'forge.unauthorized' });
  });

  it('of an account that is suspended rest for an hour, and are used again once it is let in', async () => {
    github.fault = ({ token }) => (token === 'one' ? { kind: 'status', status: 403 } : undefined);
    const repositories = open({ tokens: ['one', 'two'] });
    for (let time = 0; time < 3; time += 1) await ask(repositories);
    expect(github.questions.map(({ token }) => token)).toEqual(['one', 'two', 'two', 'two']);
    expect(warnings.filter((text) => text.includes('403'))).toHaveLength(1);
    github.fault = () => undefined;
    github.forget();
    clock.advance(3_600_000);
    for (let time = 0; time < 2; time += 1) await ask(repositories);
    expect(github.questions.map(({ token }) => token).toSorted()).toEqual(['one', 'two']);
  });

  it('that are blocked let others go before', async () => {
    github.fault = ({ token }) => (token === 'one' ? { kind: 'secondary', retryAfter: 600 } : undefined);
    const repositories = open({ tokens: ['one', 'two'] });
    await ask(repositories);
    await ask(repositories);
    expect(github.questions.filter(({ status }) => status === 200).map(({ token }) => token)).toEqual(['two', 'two']);
    expect(pauses).toEqual([]);
  });

  it('of which one is used up and the other on its way are looked at once more when that one ends, and by who is urgent', async () => {
    const spent = { limit: 5000, remaining: 2500, resetAt: clock.now().getTime() + 3_000_000, spent: 2500 };
    await store.change(tokenName('two'), () => spent);
    let reads = 0;
    const memory = store;
    store = { ...memory, read: (name) => ((reads += 1), memory.read(name)) };
    const repositories = open({ tokens: ['one', 'two'] });
    github.latency = 50;
    const asking = Array.from({ length: 4 }, () => ask(repositories));
    await vi.waitUntil(() => github.questions.length === 2);
    await ask(repositories, true);
    await Promise.all(asking);
    expect(github.questions.map(({ token }) => token)).toEqual(['one', 'one', 'two', 'one', 'one']);
    expect(reads).toBeLessThan(30);
  });

  it('serve who is urgent before who waited longer, two questions of a token at a time', async () => {
    const repositories = open();
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const name of names) putRepository(`q/${name}`, []);
    github.latency = 20;
    await Promise.all(names.map((name) => repositories.ask([questionOf(`q/${name}`)], { urgent: name === 'e' })));
    const asked = github.questions.map(({ repositories: [name] }) => name);
    expect(asked.slice(0, 2).toSorted()).toEqual(['q/a', 'q/e']);
    expect(asked.toSorted()).toEqual(names.map((name) => `q/${name}`));
    expect(github.mostTogether).toBe(2);
  });
});
