import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { git, tryGit } from './git.ts';

/** What a revision expression (`refs/heads/main`, `v1.0^{commit}`) is; undefined when it is nothing. */
export async function revision(directory: string, expression: string): Promise<string | undefined> {
  const branch = /^refs\/heads\/[\w./-]+(?=\^\{commit\}$|$)/.exec(expression)?.[0];
  if (branch !== undefined && !branch.includes('..')) {
    // A branch is most often a file that holds a commit's id; git is asked where it is not.
    const id = (await readFile(join(directory, branch), 'utf8').catch(() => '')).trim();
    if (/^[0-9a-f]{40}$/.test(id)) return id;
  }
  const run = await tryGit(directory, ['rev-parse', '--verify', '--quiet', '--end-of-options', expression]);
  return run.code === 0 ? run.stdout.toString().trim() : undefined;
}

export async function listRefs(
  directory: string,
  prefix: string,
): Promise<readonly { readonly name: string; readonly sha: string; readonly type: string; readonly commit: string }[]> {
  const text = await git(directory, [
    'for-each-ref',
    '--format=%(refname)%09%(objectname)%09%(objecttype)%09%(*objectname)',
  ]);
  return text
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .map((line) => {
      const [name = '', sha = '', type = '', peeled = ''] = line.split('\t');
      return { name, sha, type, commit: peeled === '' ? sha : peeled };
    });
}

/** Moves a ref only from where it is said to be; the empty string means: it must not exist. */
export async function updateRef(directory: string, ref: string, to: string, from: string): Promise<boolean> {
  return (await tryGit(directory, ['update-ref', ref, to, from === '' ? '0'.repeat(40) : from])).code === 0;
}

export async function isAncestor(directory: string, ancestor: string, commit: string): Promise<boolean> {
  return (await tryGit(directory, ['merge-base', '--is-ancestor', ancestor, commit])).code === 0;
}

/** The tree of a merge, or undefined where it conflicts. */
export async function mergeTree(directory: string, ours: string, theirs: string): Promise<string | undefined> {
  const run = await tryGit(directory, ['merge-tree', '--write-tree', '--no-messages', ours, theirs]);
  return run.code === 0 ? run.stdout.toString().trim().split('\n')[0] : undefined;
}
