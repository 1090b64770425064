import { mkdir } from 'node:fs/promises';
import { RegrowError } from '../errors.ts';
import type { Git, GitCheckout, GitCommit, GitRef } from '../ports/git.ts';
import {
  createGitCommand,
  type GitCommand,
  type GitOptions,
  gitFailed,
  gitText,
  plainArgument,
} from './git-command.ts';

/** Upstream's git repositories, through the git program. */
export function createGit(options: GitOptions): Git {
  const git = createGitCommand(options);
  return {
    lsRemote: (repository, signal) => listRefs(git, repository, [], signal),
    checkout: (request) => checkout(git, request),
  };
}

async function listRefs(
  git: GitCommand,
  repository: string,
  patterns: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly GitRef[]> {
  const address = plainArgument(repository, 'repository');
  const text = await gitText(git, repository, ['ls-remote', '--quiet', '--', address, ...patterns], { signal });
  return parseRefs(text);
}

/** Heads and tags of `git ls-remote`; the commit of an annotated tag stands in the extra line `TAG^{}`. */
export function parseRefs(text: string): readonly GitRef[] {
  const commits = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [id = '', name = ''] = line.split('\t');
    const ref = name.endsWith('^{}') ? name.slice(0, -3) : name;
    if (/^[0-9a-f]{40,64}$/.test(id) && /^refs\/(heads|tags)\//.test(ref)) commits.set(ref, id);
  }
  return [...commits].map(([name, commit]) => ({ name, commit }));
}

async function checkout(git: GitCommand, request: GitCheckout): Promise<GitCommit> {
  const { repository, signal } = request;
  const address = plainArgument(repository, 'repository');
  await mkdir(request.into, { recursive: true });
  const here = { directory: request.into, signal };
  await gitText(git, repository, ['init', '--quiet', '.'], here);

  const target = await fetchTarget(git, request, address);
  await gitText(git, repository, ['checkout', '--quiet', '--force', '--detach', target], here);
  if (request.recurseSubmodules === true) {
    await gitText(git, repository, ['submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1'], here);
  }
  return parseCommit(await gitText(git, repository, ['show', '--no-patch', '--format=%H %ct', 'HEAD'], here));
}

/** Brings the commit that is asked for, without its history where the server lets us. Returns what to check out. */
async function fetchTarget(git: GitCommand, request: GitCheckout, address: string): Promise<string> {
  const { repository, signal } = request;
  const here = { directory: request.into, signal };
  const shallow = ['fetch', '--quiet', '--no-tags', '--depth', '1', '--', address];
  const ref = namedRef(request);
  if (ref !== undefined) {
    // ls-remote tells a ref that is not there from a server that is not there; the exit code of fetch does not.
    const found = (await listRefs(git, repository, [ref, `${ref}^{}`], signal)).find((each) => each.name === ref);
    if (found === undefined) throw noSuchRef(repository, ref);
    await gitText(git, repository, [...shallow, `+${ref}:${ref.replace('refs/heads/', 'refs/remotes/origin/')}`], here);
    if (request.commit === undefined || request.tag !== undefined || found.commit === request.commit)
      return found.commit;
  }
  const commit = request.commit;
  if (commit === undefined) {
    await gitText(git, repository, [...shallow, 'HEAD'], here);
    return 'FETCH_HEAD';
  }
  if (!/^[0-9a-f]{40,64}$/.test(commit)) throw noSuchRef(repository, commit);
  if ((await git([...shallow, commit], here)).exitCode === 0) return commit;
  // Servers may refuse a commit by its id; then everything is fetched.
  const all = ['fetch', '--quiet', ...((await isShallow(git, here)) ? ['--unshallow'] : []), '--', address];
  const result = await git([...all, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'], here);
  if (result.exitCode !== 0) throw gitFailed(repository, 'fetch', result);
  if ((await git(['cat-file', '-e', `${commit}^{commit}`], here)).exitCode !== 0) throw noSuchRef(repository, commit);
  return commit;
}

async function isShallow(git: GitCommand, here: { readonly directory: string }): Promise<boolean> {
  return (await gitText(git, here.directory, ['rev-parse', '--is-shallow-repository'], here)).trim() === 'true';
}

function namedRef(request: GitCheckout): string | undefined {
  if (request.tag !== undefined) return `refs/tags/${plainArgument(request.tag, 'tag')}`;
  if (request.branch !== undefined) return `refs/heads/${plainArgument(request.branch, 'branch')}`;
  return undefined;
}

/** `COMMIT SECONDS` */
export function parseCommit(text: string): GitCommit {
  const [commit = '', time = ''] = text.trim().split(' ');
  return { commit, time: Number(time) };
}

function noSuchRef(repository: string, ref: string): RegrowError {
  return new RegrowError('upstream.not-found', `${repository} has no ${ref}`, {
    remedy: 'correct the tag, branch or commit in the recipe, or see whether upstream removed it',
  });
}
