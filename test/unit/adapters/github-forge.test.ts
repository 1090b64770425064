import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGitHubClient } from '../../../src/adapters/github/client.ts';
import { createGitHubForge } from '../../../src/adapters/github/forge.ts';
import { createGitHubFake, type GitHubFake } from '../../../src/demo/fakes/github/github.ts';
import type { FakeRepository } from '../../../src/demo/fakes/github/repository.ts';
import type { Forge } from '../../../src/ports/forge.ts';
import { readProposals } from '../../../src/propose/proposals.ts';
import { propose, type Update } from '../../../src/propose/propose.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { exchangeProblems } from '../../support/github-description.ts';

const always = '2000-01-01T00:00:00Z';

let directory: string;
let clock: ManualClock;
let github: GitHubFake;
let repository: FakeRepository;
let base: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regrow-github-forge-'));
  clock = createManualClock('2026-11-01T12:00:00.000Z');
  github = await createGitHubFake({ directory, clock, tokens: { secret: 'regrow-bot' } });
  repository = await github.createRepository('box', 'os');
  base = await repository.commit({ files: { 'jq.yaml': 'version: 1\n' }, message: 'first' });
});
afterEach(async () => {
  const problems = github.requests.flatMap((seen) => exchangeProblems(seen));
  await github.close();
  await rm(directory, { recursive: true, force: true });
  if (problems.length > 0) throw new Error(problems.join('\n'));
});

function forge(token = 'secret'): Forge {
  const client = createGitHubClient({
    baseUrl: github.apiUrl,
    token,
    userAgent: 'regrow-test',
    throttle: false,
    retries: 0,
  });
  return createGitHubForge({ client, owner: 'box', repository: 'os', mainBranch: 'main' });
}

const update = (name: string, version: string): Update => ({
  package: name,
  version: `${version}-r0`,
  base,
  files: [{ path: `${name}.yaml`, text: `version: ${version}\n` }],
  changes: [{ package: name, path: `${name}.yaml`, from: '1-r0', to: `${version}-r0`, why: 'newer' }],
  because: `upstream released ${version}`,
  urgency: 'normal',
  fixes: [],
  evidence: [],
});

describe('proposals on GitHub', () => {
  it('read back as they were made, and take a newer version over', async () => {
    const first = await propose({ forge: forge() }, update('jq', '2'));
    expect(await readProposals(forge())).toEqual([first]);
    expect(await propose({ forge: forge() }, update('jq', '2'))).toEqual(first);
    const second = await propose({ forge: forge() }, update('jq', '3'));
    expect(second).toMatchObject({ number: first.number, title: 'jq/3 package update' });
    expect(await readProposals(forge())).toEqual([second]);
    expect(repository.pulls()).toHaveLength(1);
  });

  it('cost no write when there is nothing to change', async () => {
    await propose({ forge: forge() }, update('jq', '2'));
    github.forget();
    await propose({ forge: forge() }, update('jq', '2'));
    expect(github.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('are listed by reading only what changed since the last time', async () => {
    const one = forge();
    for (let index = 0; index < 3; index += 1) {
      const { number } = await propose({ forge: one }, update(`p${index}`, '2'));
      repository.closePull(number, 'ada');
      clock.advance(1000);
    }
    expect(await one.list('regrow/', always)).toHaveLength(3);
    github.forget();
    const again = await one.list('regrow/', always);
    expect(again.map(({ closedBy }) => closedBy)).toEqual(['ada', 'ada', 'ada']);
    expect(github.requests.map(({ path }) => path.replace('/api/v3/repos/box/os', ''))).toEqual(['/pulls', '/pulls']);
    const { number } = await propose({ forge: one }, update('p0', '3'));
    expect(
      (await one.list('regrow/', always)).filter(({ state }) => state === 'open').map((open) => open.number),
    ).toEqual([number]);
  });
});

describe('pull requests of other people', () => {
  it('are neither listed nor read again, and what was closed meanwhile is found', async () => {
    const one = forge();
    const { number } = await propose({ forge: one }, update('jq', '2'));
    repository.closePull(number, 'ada');
    for (let index = 0; index < 3; index += 1) {
      clock.advance(1000);
      const branch = `feature-${index}`;
      await repository.commit({ files: { 'x.txt': `${index}` }, message: 'mine', branch });
      const theirs = await one.open(branch, { title: branch, body: 'mine', labels: [] });
      repository.closePull(theirs.number, 'bob');
    }
    expect((await one.list('regrow/', always)).map((pull) => pull.number)).toEqual([number]);
    clock.advance(1000);
    const later = await propose({ forge: one }, update('yq', '2'));
    repository.closePull(later.number, 'ada');
    expect((await one.list('regrow/', always)).map((pull) => pull.number)).toEqual([later.number, number]);
    // Another question than before is answered from the start.
    expect((await one.list('feature-', always)).map((pull) => pull.branch).toSorted()).toEqual([
      'feature-0',
      'feature-1',
      'feature-2',
    ]);
    expect(await one.list('regrow/', new Date(clock.now().getTime() + 1000).toISOString())).toEqual([]);
    expect(await one.list('regrow/', always)).toHaveLength(2);
  });
});

describe('a merge that GitHub refuses', () => {
  it('by a rule is another thing than one that conflicts', async () => {
    const { number, head } = await propose({ forge: forge() }, update('jq', '2'));
    const message = 'At least 1 approving review is required';
    github.faults.add({ path: '/merge', method: 'PUT', does: { kind: 'status', status: 405, message } });
    await expect(forge().merge(number, head)).rejects.toMatchObject({ code: 'forge.refused', retry: 'later' });
    await repository.commit({ files: { 'jq.yaml': 'version: 9\n' }, message: 'by hand' });
    await expect(forge().merge(number, head)).rejects.toMatchObject({ code: 'forge.conflict', retry: 'later' });
  });
});

describe('GitHub that does not do as it should', () => {
  it('does not know the token', async () => {
    await expect(forge('wrong').list('regrow/')).rejects.toMatchObject({ code: 'forge.unauthorized', retry: 'never' });
  });

  it('answers HTML with status 200', async () => {
    github.faults.add({ path: '/pulls', does: { kind: 'html' } });
    await expect(forge().list('regrow/')).rejects.toMatchObject({ code: 'upstream.answer-invalid', retry: 'later' });
  });

  it('is limited for longer than one waits', async () => {
    github.faults.add({ path: '/pulls', does: { kind: 'secondary-rate-limit', retryAfter: 600 } });
    await expect(forge().list('regrow/')).rejects.toMatchObject({ code: 'upstream.rate-limited', retryAfter: 600 });
  });

  it('is not there', async () => {
    const client = createGitHubClient({
      baseUrl: 'http://127.0.0.1:9',
      userAgent: 'regrow-test',
      throttle: false,
      retries: 0,
    });
    const away = createGitHubForge({ client, owner: 'box', repository: 'os', mainBranch: 'main' });
    await expect(away.find('regrow/jq')).rejects.toMatchObject({ code: 'upstream.unreachable', retry: 'later' });
  });

  it('has no such repository', async () => {
    const client = createGitHubClient({
      baseUrl: github.apiUrl,
      token: 'secret',
      userAgent: 'regrow-test',
      throttle: false,
      retries: 0,
    });
    const gone = createGitHubForge({ client, owner: 'box', repository: 'gone', mainBranch: 'main' });
    await expect(gone.list('regrow/')).rejects.toMatchObject({ code: 'upstream.not-found' });
  });

  it('takes a pull request and loses the answer: there is still one', async () => {
    github.faults.add({ path: /\/issues\/\d+\/labels/, does: { kind: 'status', status: 422 } });
    await expect(propose({ forge: forge() }, update('jq', '2'))).rejects.toMatchObject({ code: 'forge.refused' });
    const proposal = await propose({ forge: forge() }, update('jq', '2'));
    expect(repository.pulls()).toHaveLength(1);
    expect(await readProposals(forge())).toEqual([proposal]);
    expect(proposal.labels).toEqual(['regrow', 'package-update']);
  });
});

describe('a branch that someone moves at the very moment', () => {
  it('is left as they made it', async () => {
    const client = createGitHubClient({
      baseUrl: github.apiUrl,
      token: 'secret',
      userAgent: 'regrow-test',
      throttle: false,
      retries: 0,
    });
    const ours = createGitHubForge({ client, owner: 'box', repository: 'os', mainBranch: 'main' });
    const { head } = await propose({ forge: ours }, update('jq', '2'));
    let theirs = '';
    client.hook.before('request', async ({ method, url }) => {
      if (method !== 'PATCH' || !url.includes('/git/refs') || theirs !== '') return;
      theirs = await repository.commit({ files: { 'jq.yaml': 'mine\n' }, message: 'mine', branch: 'regrow/jq' });
    });
    await expect(propose({ forge: ours }, update('jq', '3'))).rejects.toMatchObject({ code: 'forge.conflict' });
    expect(theirs).not.toBe(head);
    expect(await repository.resolve('refs/heads/regrow/jq')).toBe(theirs);
  });

  it('is made by someone else first', async () => {
    const client = createGitHubClient({
      baseUrl: github.apiUrl,
      token: 'secret',
      userAgent: 'regrow-test',
      throttle: false,
      retries: 0,
    });
    const ours = createGitHubForge({ client, owner: 'box', repository: 'os', mainBranch: 'main' });
    let theirs = '';
    client.hook.before('request', async ({ method, url }) => {
      if (method !== 'POST' || !url.endsWith('/git/refs') || theirs !== '') return;
      theirs = await repository.commit({ files: { 'jq.yaml': 'mine\n' }, message: 'mine', branch: 'regrow/jq' });
    });
    await expect(propose({ forge: ours }, update('jq', '2'))).rejects.toMatchObject({ code: 'forge.conflict' });
    expect(await repository.resolve('refs/heads/regrow/jq')).toBe(theirs);
  });

  it('is written, and only the answer is lost', async () => {
    const client = createGitHubClient({
      baseUrl: github.apiUrl,
      token: 'secret',
      userAgent: 'regrow-test',
      throttle: false,
      retries: 0,
    });
    const ours = createGitHubForge({ client, owner: 'box', repository: 'os', mainBranch: 'main' });
    let lost = false;
    client.hook.after('request', async (_answer, { method, url }) => {
      if (method !== 'POST' || !url.endsWith('/git/refs') || lost) return;
      lost = true;
      throw new Error('the connection was cut');
    });
    await expect(propose({ forge: ours }, update('jq', '2'))).rejects.toMatchObject({ code: 'upstream.unreachable' });
    const proposal = await propose({ forge: ours }, update('jq', '2'));
    expect(repository.pulls()).toHaveLength(1);
    expect(await repository.resolve('refs/heads/regrow/jq')).toBe(proposal.head);
  });
});
