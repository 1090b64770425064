import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createExec } from '../../src/adapters/exec.ts';
import { createGitHubClient } from '../../src/adapters/github/client.ts';
import { createGitHubForge } from '../../src/adapters/github/forge.ts';
import { createGitHubFake } from '../../src/demo/fakes/github/github.ts';
import type { CommitStatus } from '../../src/ports/forge.ts';
import { createManualClock } from '../fakes/manual-clock.ts';
import { createBareForge } from '../support/bare-forge.ts';
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
    async contains(commit, ancestor) {
      const args = [`--git-dir=${repository.directory}`, 'merge-base', '--is-ancestor', ancestor, commit];
      const { exitCode } = await createExec().run({
        argv: ['git', ...args],
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      });
      return exitCode === 0;
    },
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
      const problems = github.requests.flatMap((seen) => exchangeProblems(seen));
      await github.close();
      await rm(directory, { recursive: true, force: true });
      if (problems.length > 0) throw new Error(problems.join('\n'));
    },
  };
});

forgeContract('a bare git repository', async (): Promise<ForgeWorld> => {
  const bare = await createBareForge(noon);
  return {
    ...bare,
    async closeByHand({ branch }) {
      await bare.run('update-ref', '-d', `refs/heads/${branch}`);
    },
    async statuses(commit) {
      const text = await bare.run('cat-file', 'blob', `refs/regrow/statuses/${commit}`);
      return Object.values(JSON.parse(text) as Record<string, CommitStatus>);
    },
    async comments(number) {
      const text = await bare.run('cat-file', 'blob', `refs/regrow/proposals/${number}`);
      return Object.values((JSON.parse(text) as { comments: Record<string, string> }).comments);
    },
  };
});
