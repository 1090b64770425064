import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createExec } from '../../src/adapters/exec.ts';
import { createGitForge } from '../../src/adapters/git-forge/git-forge.ts';
import type { Forge } from '../../src/ports/forge.ts';
import { createManualClock, type ManualClock } from '../fakes/manual-clock.ts';

/** A forge on a bare repository in a folder of its own, and hands to act on it as a person with git would. */
export interface BareForge {
  readonly forge: Forge;
  readonly clock: ManualClock;
  readonly repository: string;
  push(files: Readonly<Record<string, string>>, branch?: string): Promise<string>;
  read(path: string, at: string): Promise<string | undefined>;
  head(branch: string): Promise<string | undefined>;
  contains(commit: string, ancestor: string): Promise<boolean>;
  run(...args: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

const who = { NAME: 'someone', EMAIL: 'someone@example.org', DATE: '@1000000000 +0000' };
const identity = Object.entries(who).flatMap(([key, value]) => [
  [`GIT_AUTHOR_${key}`, value],
  [`GIT_COMMITTER_${key}`, value],
]);

/** Runs git as `someone`; rejects with what it printed when it fails. */
async function git(args: readonly string[], index: string, input?: string): Promise<string> {
  const result = await createExec().run({
    argv: ['git', ...args],
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_INDEX_FILE: index,
      ...Object.fromEntries(identity),
    },
    ...(input === undefined ? {} : { input }),
  });
  if (result.exitCode !== 0) throw new Error(`git ${args.join(' ')}: ${result.stderr}`);
  return new TextDecoder().decode(result.stdout);
}

export async function createBareForge(start = '2026-11-01T12:00:00.000Z'): Promise<BareForge> {
  const directory = await mkdtemp(join(tmpdir(), 'regrow-forge-'));
  const repository = join(directory, 'os.git');
  const index = join(directory, 'index');
  const clock = createManualClock(start);
  await git(['init', '--quiet', '--bare', '--initial-branch=main', repository], index);
  const run = (args: readonly string[], input?: string): Promise<string> =>
    git([`--git-dir=${repository}`, ...args], index, input);
  const optional = (args: readonly string[]): Promise<string | undefined> => run(args).catch(() => undefined);
  const resolve = async (ref: string): Promise<string | undefined> =>
    (await optional(['rev-parse', '--verify', '--quiet', ref]))?.trim();
  return {
    forge: createGitForge({ exec: createExec(), clock, repository, mainBranch: 'main' }),
    clock,
    repository,
    async push(files, branch = 'main') {
      const own = await resolve(`refs/heads/${branch}`);
      const parent = own ?? (await resolve('refs/heads/main'));
      await run(parent === undefined ? ['read-tree', '--empty'] : ['read-tree', parent]);
      for (const [path, text] of Object.entries(files)) {
        const blob = (await run(['hash-object', '-w', '--stdin'], text)).trim();
        await run(['update-index', '--add', '--cacheinfo', `100644,${blob},${path}`]);
      }
      const tree = (await run(['write-tree'])).trim();
      const parents = parent === undefined ? [] : ['-p', parent];
      const commit = (await run(['commit-tree', tree, ...parents, '-m', 'by hand'])).trim();
      await run(['update-ref', `refs/heads/${branch}`, commit, own ?? '0'.repeat(40)]);
      return commit;
    },
    read: (path, at) => optional(['cat-file', 'blob', `${at}:${path}`]),
    head: (branch) => resolve(`refs/heads/${branch}`),
    contains: async (commit, ancestor) =>
      (await optional(['merge-base', '--is-ancestor', ancestor, commit])) !== undefined,
    run: (...args) => run(args),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}
