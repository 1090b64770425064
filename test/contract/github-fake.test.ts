import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Octokit } from 'octokit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createGitHubFake, type GitHubFake } from '../../src/demo/fakes/github/github.ts';
import type { FakeRepository } from '../../src/demo/fakes/github/repository.ts';
import { exchangeProblems } from '../support/github-description.ts';

const run = promisify(execFile);
const at = { owner: 'octo', repo: 'lib' };
const noon = new Date('2026-11-01T12:00:00Z');

let directory: string;
let github: GitHubFake;
let repository: FakeRepository;
let octokit: Octokit;
let first: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regrow-github-'));
  github = await createGitHubFake({ directory, clock: { now: () => noon }, tokens: { secret: 'regrow-bot' } });
  repository = await github.createRepository(at.owner, at.repo);
  first = await repository.commit({ files: { 'README.md': '# lib\n', 'src/a.c': 'int a;\n' }, message: 'first' });
  octokit = new Octokit({
    baseUrl: github.apiUrl,
    auth: 'secret',
    throttle: { enabled: false },
    retry: { enabled: false },
  });
});

afterEach(async () => {
  await github.close();
  await rm(directory, { recursive: true, force: true });
});

/** A branch with one commit that changes a file, through the API alone. */
async function branch(name: string, path: string, content: string): Promise<string> {
  const blob = await octokit.rest.git.createBlob({ ...at, content, encoding: 'utf-8' });
  const entry = { path, mode: '100644', type: 'blob', sha: blob.data.sha } as const;
  const parent = (await octokit.rest.git.getCommit({ ...at, commit_sha: first })).data;
  const tree = await octokit.rest.git.createTree({ ...at, base_tree: parent.tree.sha, tree: [entry] });
  const commit = await octokit.rest.git.createCommit({
    ...at,
    message: `${path}`,
    tree: tree.data.sha,
    parents: [first],
  });
  await octokit.rest.git.createRef({ ...at, ref: `refs/heads/${name}`, sha: commit.data.sha });
  return commit.data.sha;
}

async function refused(promise: Promise<unknown>): Promise<{ status: number; message: string }> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown as { status: number; response: { data: { message: string } } },
  );
  return { status: error?.status ?? 0, message: error?.response.data.message ?? '' };
}

describe('every exchange fits GitHub’s published description', () => {
  test('reading a repository', async () => {
    await repository.tag('v1.0.0', { message: 'the first' });
    await repository.publishRelease({ tag: 'v1.0.0', assets: { 'lib.tar': Buffer.from('x') } });
    await repository.publishRelease({ tag: 'v1.1.0-rc1', prerelease: true });
    await octokit.rest.users.getAuthenticated();
    await octokit.rest.rateLimit.get();
    await octokit.rest.repos.get(at);
    await octokit.rest.repos.listReleases(at);
    await octokit.rest.repos.getLatestRelease(at);
    await octokit.rest.repos.getReleaseByTag({ ...at, tag: 'v1.1.0-rc1' });
    await octokit.rest.repos.listTags(at);
    await octokit.rest.repos.getBranch({ ...at, branch: 'main' });
    await octokit.rest.repos.getCommit({ ...at, ref: 'main' });
    await octokit.rest.repos.getContent({ ...at, path: 'src/a.c' });
    await octokit.rest.repos.getContent({ ...at, path: 'src' });
    const ref = await octokit.rest.git.getRef({ ...at, ref: 'tags/v1.0.0' });
    expect(ref.data.object.type).toBe('tag');
    const tag = await octokit.rest.git.getTag({ ...at, tag_sha: ref.data.object.sha });
    expect(tag.data.object).toMatchObject({ sha: first, type: 'commit' });
    await octokit.rest.git.listMatchingRefs({ ...at, ref: 'heads/' });
    const tree = await octokit.rest.git.getTree({ ...at, tree_sha: first, recursive: 'true' });
    expect(tree.data.tree.map(({ path }) => path)).toEqual(['README.md', 'src', 'src/a.c']);
    await octokit.rest.git.getBlob({ ...at, file_sha: tree.data.tree[0]?.sha ?? '' });
    await refused(octokit.rest.repos.get({ ...at, repo: 'none' }));
    expect(github.requests.flatMap(exchangeProblems)).toEqual([]);
    expect(github.requests.length).toBe(17);
  });

  test('the life of a pull request', async () => {
    const head = await branch('regrow/lib', 'src/a.c', 'int a = 1;\n');
    const pull = await octokit.rest.pulls.create({
      ...at,
      title: 'lib/1.1 package update',
      head: 'regrow/lib',
      base: 'main',
      body: 'why',
    });
    const issue = { ...at, issue_number: pull.data.number };
    expect(pull.data).toMatchObject({ state: 'open', mergeable: true, changed_files: 1, head: { sha: head } });
    await octokit.rest.issues.addLabels({ ...issue, labels: ['automated', 'request-version-update'] });
    await octokit.rest.issues.removeLabel({ ...issue, name: 'automated' });
    const comment = await octokit.rest.issues.createComment({ ...issue, body: 'the build failed' });
    await octokit.rest.issues.updateComment({ ...at, comment_id: comment.data.id, body: 'the build passed' });
    expect((await octokit.rest.issues.listComments(issue)).data.map(({ body }) => body)).toEqual(['the build passed']);
    await octokit.rest.repos.createCommitStatus({ ...at, sha: head, state: 'pending', context: 'regrow' });
    await octokit.rest.repos.createCommitStatus({ ...at, sha: head, state: 'success', context: 'regrow' });
    const status = await octokit.rest.repos.getCombinedStatusForRef({ ...at, ref: head });
    expect(status.data).toMatchObject({ state: 'success', total_count: 1 });
    await octokit.rest.repos.listCommitStatusesForRef({ ...at, ref: head });
    await octokit.rest.pulls.update({ ...at, pull_number: pull.data.number, title: 'lib/1.2 package update' });
    await octokit.rest.pulls.listFiles({ ...at, pull_number: pull.data.number });
    await octokit.rest.repos.compareCommitsWithBasehead({ ...at, basehead: 'main...regrow/lib' });
    await octokit.rest.pulls.merge({ ...at, pull_number: pull.data.number, sha: head });
    const after = await octokit.rest.pulls.get({ ...at, pull_number: pull.data.number });
    expect(after.data).toMatchObject({
      state: 'closed',
      merged: true,
      title: 'lib/1.2 package update',
      merged_by: { login: 'regrow-bot' },
    });
    expect((await octokit.rest.issues.get(issue)).data).toMatchObject({
      state: 'closed',
      closed_by: { login: 'regrow-bot' },
    });
    await octokit.rest.git.deleteRef({ ...at, ref: 'heads/regrow/lib' });
    const listed = await octokit.rest.pulls.list({ ...at, state: 'all', head: 'octo:regrow/lib' });
    expect(listed.data.map(({ number, merged_at }) => [number, merged_at])).toEqual([[1, '2026-11-01T12:00:00Z']]);
    expect(await repository.read('src/a.c')).toBe('int a = 1;\n');
    expect(github.requests.flatMap(exchangeProblems)).toEqual([]);
  });

  test('the checker finds what does not fit', () => {
    const exchange = {
      method: 'POST',
      path: '/api/v3/repos/o/r/pulls',
      query: '?nonsense=1',
      body: { title: 1 },
      headers: {},
      status: 201,
      answer: { number: 'x' },
    };
    const problems = exchangeProblems(exchange);
    expect(problems).toContain('POST /repos/o/r/pulls 201: there is no query parameter nonsense');
    expect(problems).toContain('POST /repos/o/r/pulls 201: request.base: is missing');
    expect(problems).toContain('POST /repos/o/r/pulls 201: answer.number: is string, not integer');
    expect(exchangeProblems({ ...exchange, path: '/api/v3/repos/o/r/nothing' })).toHaveLength(1);
  });
});

describe('what GitHub refuses', () => {
  test('a branch that is moved backwards or made twice', async () => {
    const head = await branch('regrow/lib', 'b.txt', 'b\n');
    const second = await branch('other', 'c.txt', 'c\n');
    expect(await refused(octokit.rest.git.updateRef({ ...at, ref: 'heads/regrow/lib', sha: second }))).toEqual({
      status: 422,
      message: 'Update is not a fast forward',
    });
    expect(await refused(octokit.rest.git.createRef({ ...at, ref: 'refs/heads/other', sha: head }))).toEqual({
      status: 422,
      message: 'Reference already exists',
    });
    await octokit.rest.git.updateRef({ ...at, ref: 'heads/regrow/lib', sha: second, force: true });
    expect(await repository.resolve('refs/heads/regrow/lib')).toBe(second);
  });

  test('a second pull request of a branch, one without commits, a merge of another head, a conflict', async () => {
    const head = await branch('regrow/lib', 'src/a.c', 'int a = 2;\n');
    const request = { ...at, title: 't', head: 'regrow/lib', base: 'main' };
    await octokit.rest.pulls.create(request);
    expect((await refused(octokit.rest.pulls.create(request))).status).toBe(422);
    await octokit.rest.git.createRef({ ...at, ref: 'refs/heads/same', sha: first });
    expect((await refused(octokit.rest.pulls.create({ ...request, head: 'same' }))).status).toBe(422);
    expect((await refused(octokit.rest.pulls.merge({ ...at, pull_number: 1, sha: first }))).status).toBe(409);
    await repository.commit({ files: { 'src/a.c': 'int a = 3;\n' }, message: 'meanwhile' });
    expect((await octokit.rest.pulls.get({ ...at, pull_number: 1 })).data.mergeable).toBe(false);
    expect((await refused(octokit.rest.pulls.merge({ ...at, pull_number: 1, sha: head }))).status).toBe(405);
  });

  test('a token that is wrong, and writing without one', async () => {
    const wrong = new Octokit({
      baseUrl: github.apiUrl,
      auth: 'nonsense',
      throttle: { enabled: false },
      retry: { enabled: false },
    });
    expect(await refused(wrong.rest.repos.get(at))).toEqual({ status: 401, message: 'Bad credentials' });
    const nobody = new Octokit({ baseUrl: github.apiUrl, throttle: { enabled: false }, retry: { enabled: false } });
    await nobody.rest.repos.get(at);
    expect((await refused(nobody.rest.git.createBlob({ ...at, content: 'x' }))).status).toBe(401);
  });
});

describe('pull requests follow their branches', () => {
  test('a new commit moves the head; a deleted branch closes; a merge by hand is a merge', async () => {
    await branch('regrow/lib', 'b.txt', 'b\n');
    await branch('regrow/other', 'c.txt', 'c\n');
    await octokit.rest.pulls.create({ ...at, title: 'one', head: 'regrow/lib', base: 'main' });
    await octokit.rest.pulls.create({ ...at, title: 'two', head: 'regrow/other', base: 'main' });
    const moved = await repository.commit({ branch: 'regrow/lib', files: { 'b.txt': 'B\n' }, message: 'again' });
    expect((await octokit.rest.pulls.get({ ...at, pull_number: 1 })).data.head.sha).toBe(moved);
    await octokit.rest.git.updateRef({ ...at, ref: 'heads/main', sha: moved });
    expect((await octokit.rest.pulls.get({ ...at, pull_number: 1 })).data).toMatchObject({
      merged: true,
      merge_commit_sha: moved,
    });
    await octokit.rest.git.deleteRef({ ...at, ref: 'heads/regrow/other' });
    expect(repository.pulls().map(({ state, mergedAt }) => [state, mergedAt !== null])).toEqual([
      ['closed', true],
      ['closed', false],
    ]);
  });
});

describe('answers on the wire', () => {
  test('pages with links, an ETag that costs nothing, rate-limit headers', async () => {
    for (let patch = 0; patch < 5; patch += 1) await repository.publishRelease({ tag: `v1.0.${patch}` });
    const pages = await octokit.paginate(octokit.rest.repos.listReleases, { ...at, per_page: 2 });
    expect(pages.map(({ tag_name }) => tag_name)).toEqual(['v1.0.4', 'v1.0.3', 'v1.0.2', 'v1.0.1', 'v1.0.0']);
    const one = await octokit.rest.repos.listReleases(at);
    const left = github.rateLimit.remaining;
    expect(one.headers['x-ratelimit-remaining']).toBe(String(left));
    const again = await fetch(`${github.apiUrl}/repos/octo/lib/releases`, {
      headers: { 'if-none-match': one.headers.etag ?? '' },
    });
    expect([again.status, await again.text(), github.rateLimit.remaining]).toEqual([304, '', left]);
    await repository.publishRelease({ tag: 'v2.0.0' });
    expect(
      (
        await fetch(`${github.apiUrl}/repos/octo/lib/releases`, {
          headers: { 'if-none-match': one.headers.etag ?? '' },
        })
      ).status,
    ).toBe(200);
  });

  test('faults: a status, HTML with 200, a secondary rate limit, a cut, nothing at all, an empty budget', async () => {
    const url = `${github.apiUrl}/repos/octo/lib`;
    github.faults.add({ path: '/repos/octo/lib', does: { kind: 'status', status: 502 } });
    expect((await fetch(url)).status).toBe(502);
    github.faults.add({ path: '/repos/octo/lib', does: { kind: 'html' } });
    const page = await fetch(url);
    expect([page.status, page.headers.get('content-type'), (await page.text()).startsWith('<!DOCTYPE')]).toEqual([
      200,
      'text/html; charset=utf-8',
      true,
    ]);
    github.faults.add({ path: '/repos/octo/lib', does: { kind: 'secondary-rate-limit', retryAfter: 7 } });
    const limited = await fetch(url);
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([403, '7']);
    github.faults.add({ path: '/repos/octo/lib', does: { kind: 'cut' } });
    await expect(fetch(url)).rejects.toThrow('fetch failed');
    github.faults.add({ path: '/repos/octo/lib', does: { kind: 'hang' } });
    await expect(fetch(url, { signal: AbortSignal.timeout(50) })).rejects.toThrow('timeout');
    expect(github.faults.unused()).toEqual([]);
    github.rateLimit.remaining = 0;
    const empty = await fetch(url);
    expect([empty.status, empty.headers.get('x-ratelimit-remaining')]).toEqual([403, '0']);
  });
});

describe('github.com', () => {
  test('clones, also one tag without history, by every protocol version', async () => {
    await repository.tag('v1.0.0', { message: 'signed off' });
    for (const version of ['0', '1', '2']) {
      const into = join(directory, `clone-${version}`);
      await run('git', [
        '-c',
        `protocol.version=${version}`,
        '-c',
        'advice.detachedHead=false',
        'clone',
        '-q',
        '--depth',
        '1',
        '--branch',
        'v1.0.0',
        `${github.url}/octo/lib.git`,
        into,
      ]);
      expect(await readFile(join(into, 'src/a.c'), 'utf8')).toBe('int a;\n');
    }
    const remote = await run('git', ['ls-remote', `${github.url}/octo/lib`]);
    expect(remote.stdout).toContain(`${first}\trefs/tags/v1.0.0^{}`);
  });

  test('a pull request has a page, on which nothing of what is written is HTML', async () => {
    await branch('regrow/lib', 'src/a.c', 'int a = 1 < 2;\n');
    const text = { title: 'lib/1.1 <b>update</b>', body: '<script>alert(1)</script><!-- hidden -->' };
    await octokit.rest.pulls.create({ ...at, ...text, head: 'regrow/lib', base: 'main' });
    const page = await (await fetch(`${github.url}/octo/lib/pull/1`)).text();
    expect(page).toContain('<h1>lib/1.1 &lt;b&gt;update&lt;/b&gt;</h1>');
    expect(page).toContain('+int a = 1 &lt; 2;');
    expect(page).not.toMatch(/<script>|hidden/);
    expect(await (await fetch(`${github.url}/octo/lib`)).text()).toContain('href="/octo/lib/pull/1"');
    expect((await fetch(`${github.url}/octo/lib/pull/2`)).status).toBe(404);
  });

  test('archives have one folder, and the same bytes each time; files of releases; HTML for what is not there', async () => {
    await repository.publishRelease({ tag: 'v1.0.0', assets: { 'lib.bin': Buffer.from('bytes') } });
    const answer = await fetch(`${github.url}/octo/lib/archive/refs/tags/v1.0.0.tar.gz`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(bytes.equals(Buffer.from(await repository.archive('v1.0.0')))).toBe(true);
    const file = join(directory, 'lib.tar.gz');
    await writeFile(file, bytes);
    expect((await run('tar', ['-tzf', file])).stdout.split('\n')).toContain('lib-1.0.0/src/a.c');
    expect(await (await fetch(`${github.url}/octo/lib/releases/download/v1.0.0/lib.bin`)).text()).toBe('bytes');
    expect((await fetch(`${github.url}/octo/lib/archive/refs/tags/v9.tar.gz`)).status).toBe(404);
  });
});
