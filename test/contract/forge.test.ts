import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createExec } from '../../src/adapters/exec.ts';
import { createGitForge } from '../../src/adapters/git-forge/git-forge.ts';
import { createGitHubClient } from '../../src/adapters/github/client.ts';
import { createGitHubForge } from '../../src/adapters/github/forge.ts';
import { git, initRepository } from '../../src/demo/fakes/github/git.ts';
import { createGitHubFake } from '../../src/demo/fakes/github/github.ts';
import { writeBlob, writeCommit, writeTree } from '../../src/demo/fakes/github/objects.ts';
import { isAncestor, revision, updateRef } from '../../src/demo/fakes/github/refs.ts';
import type { CommitStatus } from '../../src/ports/forge.ts';
import { createManualClock } from '../fakes/manual-clock.ts';
import { exchangeProblems } from '../support/github-description.ts';
import { type ForgeWorld, forgeContract } from './forge.ts';

const noon = '2026-11-01T12:00:00.000Z';

forgeContract('GitHub', async (): Promise<ForgeWorld> => {
  const directory = await mkdtemp(join(tmpdir(), 'regrow-forge-'));
  const clock = createManualClock(noon);
  const tokens = { secret: 'regrow-bot' };
  const github = await createGitHubFake({ directory, clock, tokens });
  const repository = await github.createRepository('box', 'os');
  const client = createGitHubClient({
    baseUrl: github.apiUrl,
    token: 'secret',
    userAgent: 'regrow-test',
    throttle: false,
  });
  return {
    forge: createGitHubForge({ client, owner: 'box', repository: 'os', mainBranch: 'main' }),
    clock,
    push: (files, branch) =>
      repository.commit({ files, message: 'by hand', author: 'someone', ...(branch === undefined ? {} : { branch }) }),
    read: (path, at) => repository.read(path, at),
    head: (branch) => repository.resolve(`refs/heads/${branch}`),
    contains: (commit, ancestor) => isAncestor(repository.directory, ancestor, commit),
    async closeByHand({ number }) {
      repository.closePull(number, 'someone');
    },
    async statuses(commit) {
      return repository.statuses(commit).map(({ context, state, description, targetUrl }) => ({
        context,
        state,
        description: description ?? '',
        ...(targetUrl === null ? {} : { url: targetUrl }),
      }));
    },
    async comments(number) {
      return repository.comments(number).map(({ body }) => body);
    },
    async close() {
      // Whatever was asked must be what GitHub's published description allows.
      const problems = github.requests.filter(({ status }) => status < 400).flatMap((seen) => exchangeProblems(seen));
      await github.close();
      await rm(directory, { recursive: true, force: true });
      expect(problems).toEqual([]);
    },
  };
});

forgeContract('a bare git repository', async (): Promise<ForgeWorld> => {
  const directory = await mkdtemp(join(tmpdir(), 'regrow-forge-'));
  const repository = join(directory, 'os.git');
  const clock = createManualClock(noon);
  await initRepository(repository, 'main');
  const show = async (expression: string): Promise<string | undefined> =>
    (await revision(repository, expression)) === undefined
      ? undefined
      : git(repository, ['cat-file', 'blob', expression]);
  return {
    forge: createGitForge({ exec: createExec(), clock, repository, mainBranch: 'main' }),
    clock,
    async push(files, branch = 'main') {
      const own = await revision(repository, `refs/heads/${branch}`);
      const parent = own ?? (await revision(repository, 'refs/heads/main'));
      const changes = [];
      for (const [path, text] of Object.entries(files)) {
        changes.push({ path, mode: '100644', sha: await writeBlob(repository, text) });
      }
      const tree = await writeTree(repository, parent === undefined ? undefined : `${parent}^{tree}`, changes);
      const person = { name: 'someone', email: 'someone@example.org', time: 1 };
      const commit = await writeCommit(repository, {
        tree,
        parents: parent === undefined ? [] : [parent],
        author: person,
        committer: person,
        message: 'by hand\n',
      });
      expect(await updateRef(repository, `refs/heads/${branch}`, commit, own ?? '')).toBe(true);
      return commit;
    },
    read: (path, at) => show(`${at}:${path}`),
    head: (branch) => revision(repository, `refs/heads/${branch}`),
    contains: (commit, ancestor) => isAncestor(repository, ancestor, commit),
    async closeByHand({ branch }) {
      await git(repository, ['update-ref', '-d', `refs/heads/${branch}`]);
    },
    async statuses(commit) {
      const text = await show(`refs/regrow/statuses/${commit}`);
      return Object.values(JSON.parse(text ?? '{}') as Record<string, CommitStatus>);
    },
    async comments(number) {
      const record = JSON.parse((await show(`refs/regrow/proposals/${number}`)) ?? '{}') as {
        comments: Record<string, string>;
      };
      return Object.values(record.comments);
    },
    close: () => rm(directory, { recursive: true, force: true }),
  };
});
