import { mkdir } from 'node:fs/promises';
import { RegrowError } from '../errors.ts';
import type { GitCommit, GitRef, RecipeRepository } from '../ports/git.ts';
import { parseCommit } from './git.ts';
import { createGitCommand, type GitOptions, gitText, plainArgument } from './git-command.ts';
import { parseBatch, parseTree } from './git-objects.ts';

export interface RecipeRepositoryOptions extends GitOptions {
  readonly repository: string;
  /** The folder of the bare mirror; made when absent. */
  readonly directory: string;
  readonly mainBranch: string;
}

/** A bare mirror of the recipes, read by commit: no work tree, so nothing that is read can change under the reader. */
export function createRecipeRepository(options: RecipeRepositoryOptions): RecipeRepository {
  const git = createGitCommand(options);
  const { repository, directory } = options;
  const here = { directory };
  const branches = '+refs/heads/*:refs/heads/*';
  const fetch = ['fetch', '--quiet', '--prune', '--no-tags', '--', plainArgument(repository, 'repository'), branches];
  /** Whether the folder was seen to be a repository; looked at again after a fetch that failed. */
  let isMirror = false;
  /** Main as it has been since the last fetch; nobody else moves it, and it is asked for in every round. */
  let head: GitCommit | undefined;
  let fetches = 0;
  const text = (args: readonly string[]): Promise<string> => gitText(git, repository, args, here);
  const describe = async (revision: string) =>
    parseCommit(await text(['show', '--no-patch', '--format=%H %ct', revision]));

  return {
    async refresh(signal) {
      if (!isMirror) {
        await mkdir(directory, { recursive: true });
        const found = await git(['rev-parse', '--is-bare-repository'], { ...here, signal });
        isMirror = found.exitCode === 0 && new TextDecoder().decode(found.stdout).trim() === 'true';
        if (!isMirror) await gitText(git, repository, ['init', '--quiet', '--bare', '.'], { ...here, signal });
        isMirror = true;
      }
      try {
        await gitText(git, repository, fetch, { ...here, signal });
      } catch (thrown) {
        isMirror = false;
        throw thrown;
      } finally {
        fetches += 1;
        head = undefined;
      }
    },
    async head() {
      if (head !== undefined) return head;
      const before = fetches;
      const ref = `refs/heads/${plainArgument(options.mainBranch, 'branch')}`;
      const found = await git(['show', '--no-patch', '--format=%H %ct', ref], here);
      if (found.exitCode !== 0) {
        throw new RegrowError('upstream.not-found', `${repository} has no branch ${options.mainBranch}`, {
          retry: 'later',
          remedy: 'push the branch, or correct forge.mainBranch in the configuration',
        });
      }
      const commit = parseCommit(new TextDecoder().decode(found.stdout));
      if (fetches === before) head = commit;
      return commit;
    },
    async branches(prefix) {
      const lines = await text(['for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads/']);
      return lines
        .split('\n')
        .filter((line) => line.startsWith(`refs/heads/${prefix}`))
        .map((line): GitRef => {
          const space = line.lastIndexOf(' ');
          return { name: line.slice(0, space), commit: line.slice(space + 1) };
        });
    },
    commit: (id) => describe(plainArgument(id, 'commit')),
    async files(commit) {
      const listing = await text(['ls-tree', '-r', '-z', '--full-tree', plainArgument(commit, 'commit')]);
      return parseTree(listing);
    },
    async read(blobs) {
      const ids = [...new Set(blobs)];
      if (ids.length === 0) return new Map();
      const result = await git(['cat-file', '--batch'], { ...here, input: `${ids.join('\n')}\n` });
      return parseBatch(result.stdout, ids, repository);
    },
    async lastChange(commit, path) {
      const format = '--format=%H%x00%ct%x00%an';
      const line = await text(['log', '-1', format, plainArgument(commit, 'commit'), '--', path]);
      const [hash = '', time = '', author = ''] = line.trim().split('\0');
      if (hash === '') return undefined;
      // Names are what anyone writes.
      const name = author.replace(/\p{Cc}/gu, '');
      return { commit: hash, at: new Date(Number(time) * 1000).toISOString(), author: name };
    },
    async contains(commit, ancestor) {
      const args = ['merge-base', '--is-ancestor', plainArgument(ancestor, 'commit'), plainArgument(commit, 'commit')];
      return (await git(args, here)).exitCode === 0;
    },
  };
}
