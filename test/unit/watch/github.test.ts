import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createGit } from '../../../src/adapters/git.ts';
import { createGitHubClient } from '../../../src/adapters/github/client.ts';
import { createGitHubReleases } from '../../../src/adapters/github/releases.ts';
import { createGitHubFake, type GitHubFake } from '../../../src/demo/fakes/github/github.ts';
import type { FakeRepository } from '../../../src/demo/fakes/github/repository.ts';
import { pollSource, pollSources } from '../../../src/watch/poll.ts';
import type { PollAnswer, WatchPorts } from '../../../src/watch/source.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { exchangeProblems } from '../../support/github-description.ts';
import { createLoopbackHttp } from '../../support/loopback-http.ts';

const releasesKey = 'github:jqlang/jq/releases';
const tagsKey = 'github:jqlang/jq/tags';

let directory: string;
let github: GitHubFake;
let repository: FakeRepository;
let ports: WatchPorts;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regrow-watch-'));
  const clock = createManualClock('2026-11-01T12:00:00.000Z');
  github = await createGitHubFake({ directory, clock });
  repository = await github.createRepository('jqlang', 'jq');
  await repository.commit({ files: { 'jq.c': 'int main;\n' }, message: 'first' });
  const client = createGitHubClient({ baseUrl: github.apiUrl, userAgent: 'regrow-test', throttle: false, retries: 0 });
  ports = {
    releases: createGitHubReleases(client),
    http: createLoopbackHttp(),
    git: createGit({ exec: createExec() }),
    clock,
  };
});
afterEach(async () => {
  const problems = github.requests.flatMap((seen) => exchangeProblems(seen));
  await github.close();
  await rm(directory, { recursive: true, force: true });
  if (problems.length > 0) throw new Error(problems.join('\n'));
});

const poll = (source: string, cursor?: string): Promise<PollAnswer> => pollSource({ source, cursor }, ports);

async function observe(source: string, cursor?: string) {
  const answer = await poll(source, cursor);
  if (answer.kind !== 'observed') throw new Error(`it is ${answer.kind}: ${JSON.stringify(answer)}`);
  return answer;
}

describe('releases', () => {
  it('are upstream tags with date, page and mark, drafts left out', async () => {
    await repository.publishRelease({ tag: 'jq-1.8.1' });
    await repository.publishRelease({ tag: 'jq-1.9-rc1', prerelease: true });
    await repository.publishRelease({ tag: 'jq-2.0', draft: true });
    const { observation } = await observe(releasesKey);
    expect(observation).toMatchObject({ kind: 'release', source: releasesKey, observedAt: '2026-11-01T12:00:00.000Z' });
    expect(observation.tags.map(({ tag, prerelease }) => [tag, prerelease])).toEqual([
      ['jq-1.9-rc1', true],
      ['jq-1.8.1', false],
    ]);
    expect(observation.tags[1]?.publishedAt).toMatch(/^2026-11-01T12:00:00/);
    expect(observation.tags[1]?.url).toContain('/jqlang/jq/releases/tag/jq-1.8.1');
  });

  it('are unchanged until there is another, at no cost', async () => {
    await repository.publishRelease({ tag: 'jq-1.8.1' });
    const first = await observe(releasesKey);
    const left = github.rateLimit.remaining;
    expect(await poll(releasesKey, first.cursor)).toEqual({ kind: 'unchanged' });
    expect(github.rateLimit.remaining).toBe(left);
    await repository.publishRelease({ tag: 'jq-1.8.2' });
    expect((await observe(releasesKey, first.cursor)).observation.tags[0]?.tag).toBe('jq-1.8.2');
  });

  it('are read anew with a cursor that cannot be read', async () => {
    await repository.publishRelease({ tag: 'jq-1.8.1' });
    expect((await observe(releasesKey, 'W/"old"')).observation.tags).toHaveLength(1);
    expect((await observe(releasesKey, '{}')).observation.tags).toHaveLength(1);
  });
});

describe('tags', () => {
  it('have the commit that they peel to', async () => {
    await repository.tag('jq-1.8.1');
    await repository.tag('jq-1.8.2', { message: 'annotated' });
    const { observation } = await observe(tagsKey);
    const head = await repository.resolve('main');
    expect(observation.tags.map(({ tag, commit }) => [tag, commit]).toSorted()).toEqual([
      ['jq-1.8.1', head],
      ['jq-1.8.2', head],
    ]);
  });

  it('are read to the last page, and one that sorts behind a full page is seen', async () => {
    for (let minor = 0; minor < 100; minor += 1) await repository.tag(`v1.${String(minor).padStart(3, '0')}`);
    const first = await observe(tagsKey);
    expect(first.observation.tags).toHaveLength(100);
    expect(await poll(tagsKey, first.cursor)).toEqual({ kind: 'unchanged' });
    await repository.tag('v0.9');
    await repository.tag('v2.0');
    const second = await observe(tagsKey, first.cursor);
    expect(second.observation.tags.map(({ tag }) => tag)).toEqual(expect.arrayContaining(['v0.9', 'v2.0']));
    expect(await poll(tagsKey, second.cursor)).toEqual({ kind: 'unchanged' });
  });
});

describe('a source that fails', () => {
  it('answers HTML with status 200: one failure, of that source alone', async () => {
    await repository.publishRelease({ tag: 'jq-1.8.1' });
    github.faults.add({ path: '/repos/jqlang/jq/releases', does: { kind: 'html' } });
    expect(await poll(releasesKey)).toEqual({
      kind: 'failed',
      failure: {
        kind: 'failure',
        source: releasesKey,
        code: 'upstream.answer-invalid',
        message: 'could not read the releases of jqlang/jq: the answer is text that is not JSON',
        observedAt: '2026-11-01T12:00:00.000Z',
      },
    });
    expect((await poll(tagsKey)).kind).toBe('observed');
    expect((await poll(releasesKey)).kind).toBe('observed');
  });

  it('is not there', async () => {
    const answer = await poll('github:jqlang/gone/releases');
    expect(answer).toMatchObject({ kind: 'failed', failure: { code: 'upstream.not-found' } });
  });

  it('answers none of several in a row: the rest is not asked, and fails as they did', async () => {
    // The seventh would be told that there is no such repository.
    github.faults.add({ path: '/repos/', times: 6, does: { kind: 'status', status: 502 } });
    const sources = Array.from({ length: 20 }, (_, i) => `github:acme/p${i}/tags`);
    const told = new Map<string, PollAnswer>();
    const unasked = await pollSources(
      sources.map((source) => ({ source })),
      ports,
      async ({ source }, answer) => void told.set(source, answer),
    );
    expect(unasked.sources).toEqual([]);
    expect([...told.keys()]).toEqual(sources);
    for (const [source, answer] of told) {
      expect(answer).toMatchObject({ kind: 'failed', failure: { source, code: 'upstream.unreachable' } });
    }
  });

  it('has a key that no kind knows', async () => {
    expect(await poll('cvs:somewhere')).toMatchObject({ kind: 'failed', failure: { code: 'internal' } });
    expect(await poll('github:somewhere')).toMatchObject({ kind: 'failed', failure: { code: 'internal' } });
  });

  it('is limited: nobody’s failure, and it says how long', async () => {
    github.faults.add({ path: '/releases', does: { kind: 'secondary-rate-limit', retryAfter: 3600 } });
    await expect(poll(releasesKey)).rejects.toMatchObject({ code: 'upstream.rate-limited', retryAfter: 3600 });
  });

  it('is stopped', async () => {
    github.faults.add({ path: '/releases', does: { kind: 'hang' } });
    const controller = new AbortController();
    const answer = pollSource({ source: releasesKey, signal: controller.signal }, ports);
    controller.abort();
    await expect(answer).rejects.toMatchObject({ code: 'aborted' });
  });
});
