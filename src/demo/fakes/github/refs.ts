import { readdir, readFile } from 'node:fs/promises';
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

export interface RepositoryRef {
  readonly name: string;
  readonly sha: string;
  readonly type: string;
  readonly commit: string;
}

/** What git said last of each repository, and of which refs: upstreams are asked every second, and seldom have anything new. */
const listings = new Map<string, { readonly stamp: string; readonly refs: readonly RepositoryRef[] }>();

export async function listRefs(directory: string, prefix: string): Promise<readonly RepositoryRef[]> {
  const stamp = await stampRefs(directory);
  const known = listings.get(directory);
  const refs = known?.stamp === stamp ? known.refs : await askRefs(directory);
  listings.set(directory, { stamp, refs });
  return refs.filter(({ name }) => name.startsWith(prefix));
}

/** Every ref as git stores it, a file each or packed: what a ref is called and leads to is in it. */
async function stampRefs(directory: string): Promise<string> {
  const text = (path: string) => readFile(join(directory, path), 'utf8').catch(() => '');
  const entries = await readdir(join(directory, 'refs'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const loose = files.toSorted().map(async (file) => `${file} ${await readFile(file, 'utf8').catch(() => '')}`);
  return [await text('packed-refs'), ...(await Promise.all(loose))].join('\n');
}

async function askRefs(directory: string): Promise<readonly RepositoryRef[]> {
  const text = await git(directory, [
    'for-each-ref',
    '--format=%(refname)%09%(objectname)%09%(objecttype)%09%(*objectname)',
  ]);
  return text
    .split('\n')
    .filter((line) => line !== '')
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
