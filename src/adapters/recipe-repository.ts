import { mkdir } from 'node:fs/promises';
import { RegrowError } from '../errors.ts';
import type { GitFile, GitRef, RecipeRepository } from '../ports/git.ts';
import { parseCommit } from './git.ts';
import { createGitCommand, type GitOptions, gitText, plainArgument } from './git-command.ts';

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
      }
    },
    async head() {
      const ref = `refs/heads/${plainArgument(options.mainBranch, 'branch')}`;
      const found = await git(['show', '--no-patch', '--format=%H %ct', ref], here);
      if (found.exitCode !== 0) {
        throw new RegrowError('upstream.not-found', `${repository} has no branch ${options.mainBranch}`, {
          retry: 'later',
          remedy: 'push the branch, or correct forge.mainBranch in the configuration',
        });
      }
      return parseCommit(new TextDecoder().decode(found.stdout));
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
    async contains(commit, ancestor) {
      const args = ['merge-base', '--is-ancestor', plainArgument(ancestor, 'commit'), plainArgument(commit, 'commit')];
      return (await git(args, here)).exitCode === 0;
    },
  };
}

/** Regular files of `git ls-tree -r -z`: `MODE TYPE ID\tPATH`. Symlinks and submodules are no recipes. */
export function parseTree(listing: string): readonly GitFile[] {
  const files: GitFile[] = [];
  for (const line of listing.split('\0')) {
    const match = /^100\d{3} blob ([0-9a-f]+)\t(.+)$/s.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) files.push({ path: match[2], blob: match[1] });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Answers of `git cat-file --batch`: `ID TYPE SIZE\n`, the bytes, `\n`; or `ID missing\n`. */
export function parseBatch(
  bytes: Uint8Array,
  ids: readonly string[],
  repository: string,
): ReadonlyMap<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  let at = 0;
  for (const id of ids) {
    const end = bytes.indexOf(10, at);
    const header = new TextDecoder().decode(bytes.subarray(at, Math.max(end, at)));
    const size = Number(/^[0-9a-f]+ blob (\d+)$/.exec(header)?.[1] ?? Number.NaN);
    if (end < 0 || Number.isNaN(size) || end + 1 + size > bytes.length) {
      throw new RegrowError('upstream.not-found', `the mirror of ${repository} has no blob ${id}`, {
        retry: 'later',
        remedy: 'the next refresh brings it; when it does not, remove the mirror under the state directory',
      });
    }
    contents.set(id, bytes.subarray(end + 1, end + 1 + size));
    at = end + 2 + size;
  }
  return contents;
}
