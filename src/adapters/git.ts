import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegrowError } from '../errors.ts';
import type { ExecResult } from '../ports/exec.ts';
import type { Git, GitCheckout, GitCommit, GitFilesRequest, GitRef } from '../ports/git.ts';
import {
  createGitCommand,
  type GitCommand,
  type GitOptions,
  gitFailed,
  gitText,
  plainArgument,
} from './git-command.ts';
import { guardedGit } from './git-guard.ts';
import { parseBatch, parseTree } from './git-objects.ts';
import { createDispatcher } from './network/dispatcher.ts';
import { createNetworkGuard, hostsOf } from './network/guard.ts';

/** Bytes: some hundred thousand branches and tags. */
const refsLimit = 64 * 1024 * 1024;
/** Milliseconds: a list is short, and others wait behind it. */
const refsTimeout = 120_000;

export interface UpstreamGitOptions extends GitOptions {
  /** Hosts and networks that may be asked though they are private, as `createNetworkGuard` reads them. Default none. */
  readonly allowPrivate?: readonly string[];
}

/** Upstream's git repositories, through the git program. Throws config.invalid. */
export function createGit(options: UpstreamGitOptions): Git {
  const { allowPrivate = [], rewrite = [] } = options;
  const command = createGitCommand(options);
  // Mirrors may be private: the operator named them.
  const guard = createNetworkGuard([...allowPrivate, ...hostsOf(rewrite.map(({ to }) => to))]);
  const network = { guard, dispatcher: createDispatcher(guard), rewrite };
  const gitFor = (repository: string): Promise<GitCommand> => guardedGit(command, repository, network);
  return {
    lsRemote: async (repository, signal) => listRefs(await gitFor(repository), repository, [], signal),
    checkout: async (request) => checkout(await gitFor(request.repository), request),
    files: async (request) => files(await gitFor(request.repository), request),
  };
}

async function listRefs(
  git: GitCommand,
  repository: string,
  patterns: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly GitRef[]> {
  const address = plainArgument(repository, 'repository');
  // A server that knows version 2 of git's protocol then sends no pull requests, of which there may be a hundred thousand.
  const args = ['ls-remote', '--quiet', '--heads', '--tags', '--', address, ...patterns];
  const result = await git(args, { signal, limit: refsLimit, timeout: refsTimeout });
  if (result.exitCode !== 0) throw refsFailed(repository, result);
  return parseRefs(new TextDecoder().decode(result.stdout));
}

/** What a server said, in the words of git's remote-curl.c, which its fixed locale keeps as they are. */
function refsFailed(repository: string, result: ExecResult): RegrowError {
  const error = gitFailed(repository, 'ls-remote', result);
  const status = /The requested URL returned error: (\d{3})/.exec(result.stderr)?.[1];
  const options = { retry: 'later', remedy: error.remedy ?? '' } as const;
  if (status === '429') return new RegrowError('upstream.rate-limited', error.message, options);
  if (/^fatal: repository .* not found$/m.test(result.stderr) || ['404', '410', '451'].includes(status ?? '')) {
    return new RegrowError('upstream.not-found', error.message, {
      remedy: 'correct the address in the recipe, or see whether upstream moved or became private',
    });
  }
  if (/not valid: is this a git repository|protocol error|malformed response/.test(result.stderr)) {
    return new RegrowError('upstream.answer-invalid', error.message, {
      remedy: 'look at the address with a browser: it may be a page, or no git repository',
    });
  }
  return error;
}

/** Heads and tags of `git ls-remote`; the commit of an annotated tag stands in the extra line `TAG^{}`. */
export function parseRefs(text: string): readonly GitRef[] {
  const refs = new Map<string, GitRef>();
  for (const line of text.split('\n')) {
    const [id = '', peeled = ''] = line.split('\t');
    if (!/^[0-9a-f]{40,64}$/.test(id) || !/^refs\/(heads|tags)\//.test(peeled)) continue;
    const name = peeled.replace(/\^\{\}$/, '');
    const object = peeled === name ? undefined : refs.get(name)?.commit;
    refs.set(name, { name, commit: id, ...(object === undefined ? {} : { object }) });
  }
  return [...refs.values()];
}

async function checkout(git: GitCommand, request: GitCheckout): Promise<GitCommit> {
  const { repository, signal } = request;
  const address = plainArgument(repository, 'repository');
  await mkdir(request.into, { recursive: true });
  // Modes of files get into packages: they are the same on every machine.
  const here = { directory: request.into, signal, umask: 0o022 };
  await gitText(git, repository, ['init', '--quiet', '.'], here);

  const target = await fetchTarget(git, request, address);
  await gitText(git, repository, ['checkout', '--quiet', '--force', '--detach', target], here);
  if (request.recurseSubmodules === true) {
    await gitText(git, repository, ['submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1'], here);
  }
  return parseCommit(await gitText(git, repository, ['show', '--no-patch', '--format=%H %ct', 'HEAD'], here));
}

/**
 * Brings the commit with its trees alone, where the server can (`--filter`; one that cannot sends the files too), then the
 * files that are asked for.
 */
async function files(git: GitCommand, request: GitFilesRequest): Promise<ReadonlyMap<string, Uint8Array>> {
  const { repository, commit, limit, signal } = request;
  const address = plainArgument(repository, 'repository');
  const directory = await mkdtemp(join(tmpdir(), 'regrow-files-'));
  const here = { directory, signal };
  try {
    await gitText(git, repository, ['init', '--quiet', '--bare', '.'], here);
    const target = await fetchTarget(git, { ...request, into: directory }, address, ['--filter=blob:none']);
    if (target !== commit) throw noSuchRef(repository, commit);
    const tree = ['--literal-pathspecs', 'ls-tree', '-z', '--full-tree', commit, '--', ...request.paths];
    const found = parseTree(await gitText(git, repository, tree, here));
    const blobs = [...new Set(found.map(({ blob }) => blob))];
    if (blobs.length === 0) return new Map();
    // All at once; those that a server will not give so are asked for one by one as they are read.
    await git(['fetch', '--quiet', '--no-tags', '--depth', '1', '--', address, ...blobs], here);
    const input = (ids: readonly string[]): string => ids.map((id) => `${id}\n`).join('');
    const sizes = await gitText(git, repository, ['cat-file', '--batch-check'], { ...here, input: input(blobs) });
    const small = blobs.filter((blob) => Number(new RegExp(`^${blob} blob (\\d+)$`, 'm').exec(sizes)?.[1]) <= limit);
    const result = await git(['cat-file', '--batch'], { ...here, input: input(small) });
    if (result.exitCode !== 0) throw gitFailed(repository, 'cat-file', result);
    const contents = parseBatch(result.stdout, small, repository);
    return new Map(
      found.flatMap(({ path, blob }): [string, Uint8Array][] => {
        const content = contents.get(blob);
        return content === undefined ? [] : [[path, content]];
      }),
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Brings the commit that is asked for, without its history where the server lets us. Returns what to check out. */
async function fetchTarget(
  git: GitCommand,
  request: GitCheckout,
  address: string,
  options: readonly string[] = [],
): Promise<string> {
  const { repository, signal } = request;
  const here = { directory: request.into, signal };
  const shallow = ['fetch', '--quiet', '--no-tags', '--depth', '1', ...options, '--', address];
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
  const unshallow = (await isShallow(git, here)) ? ['--unshallow'] : [];
  const all = ['fetch', '--quiet', ...unshallow, ...options, '--', address];
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
