import { isIP } from 'node:net';
import type { Dispatcher } from 'undici';
import { RegrowError } from '../errors.ts';
import type { ExecResult } from '../ports/exec.ts';
import type { GitCommand } from './git-command.ts';
import { follow } from './network/follow.ts';
import type { NetworkGuard } from './network/guard.ts';
import { rewriteUrl, type UrlRewrite } from './network/rewrite.ts';

export interface GitNetwork {
  readonly guard: NetworkGuard;
  /** Goes where the guard lets it go. */
  readonly dispatcher: Dispatcher;
  readonly rewrite: readonly UrlRewrite[];
}

/**
 * The git program for one repository: its server is looked up here, and git is told to connect to the addresses that were checked.
 * Where the server redirects to is found out here as well, and git is told that address instead. That holds for this repository
 * only: submodules git looks up by itself. Commands name the repository as it is given here.
 * Throws upstream.address-refused, upstream.unreachable; a command throws what `follow` does, too.
 */
export async function guardedGit(git: GitCommand, repository: string, network: GitNetwork): Promise<GitCommand> {
  const here = await pinned(git, repository, network);
  return async (args, request) => {
    // What it reads are repositories of their own, whose servers may redirect.
    if (args[0] === 'submodule') return here(args, request);
    const staying = ['-c', 'http.followRedirects=false'];
    const result = await here([...staying, ...args], request);
    if (!isRedirect(result)) return result;
    const moved = await whereTo(repository, network, request?.signal);
    const there = await pinned(git, moved, network);
    return there([...staying, ...args.map((argument) => (argument === repository ? moved : argument))], request);
  };
}

/** Git, told where the server of a repository is. */
async function pinned(git: GitCommand, repository: string, { guard, rewrite }: GitNetwork): Promise<GitCommand> {
  const address = rewriteUrl(repository, rewrite);
  const url = /^(?:https?|git):\/\//i.test(address) && URL.canParse(address) ? new URL(address) : undefined;
  // Any other protocol is one that was allowed by name, for a path of this machine.
  if (url === undefined) return git;
  // The rules of addresses for hosts, which `git:` has not: `0x7f.1` is an address.
  const { hostname } = URL.canParse(`http://${url.host}`) ? new URL(`http://${url.host}`) : url;
  const port = Number(url.port) || ({ 'http:': 80, 'https:': 443 }[url.protocol] ?? 9418);
  const addresses = await resolve(guard, repository, hostname, port);
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return git;
  const list = addresses.map(({ address: found, family }) => (family === 6 ? `[${found}]` : found)).join(',');
  // A git before 2.37 does not know the setting, and looks the name up once more.
  return (args, request) => git(['-c', `http.curloptResolve=${hostname}:${port}:${list}`, ...args], request);
}

async function resolve(guard: NetworkGuard, repository: string, hostname: string, port: number) {
  try {
    return await guard.resolve(hostname, port);
  } catch (thrown) {
    if (thrown instanceof RegrowError) throw thrown;
    throw unreachable(repository, `${hostname} cannot be looked up`, thrown);
  }
}

/** In the words of git's http.c: without following, a redirect is an error. */
function isRedirect({ exitCode, stderr }: ExecResult): boolean {
  return exitCode !== 0 && /The requested URL returned error: 30[12378]\b/.test(stderr);
}

/** What git asks first, below the address of a repository (git-scm.com/docs/http-protocol). */
const firstQuestion = '/info/refs?service=git-upload-pack';
/** Milliseconds. */
const patience = 60_000;

/** The address of the repository that a server redirects to. Throws what `follow` does, upstream.redirect-refused, upstream.unreachable. */
async function whereTo(
  repository: string,
  { dispatcher, rewrite }: GitNetwork,
  stop: AbortSignal | undefined,
): Promise<string> {
  const timer = AbortSignal.timeout(patience);
  const signal = stop === undefined ? timer : AbortSignal.any([stop, timer]);
  let end = '';
  try {
    const answer = await follow(dispatcher, {
      url: repository.replace(/\/+$/, '') + firstQuestion,
      // Servers send to a page of theirs who does not look like git.
      headers: { 'user-agent': 'git/2 (regrow)' },
      signal,
      rewrite,
      check: (_, next) => {
        end = next.href;
      },
    });
    await answer.body.dump({ limit: 0 });
  } catch (thrown) {
    if (thrown instanceof RegrowError) throw thrown;
    if (stop?.aborted === true) throw new RegrowError('aborted', `stopped asking ${repository}`, { retry: 'now' });
    throw unreachable(repository, 'where it redirects to cannot be reached', thrown);
  }
  if (end.endsWith(firstQuestion)) return end.slice(0, -firstQuestion.length);
  throw new RegrowError('upstream.redirect-refused', `${repository} redirects to ${end}, which is no git repository`, {
    remedy: 'name the right address in the recipe',
  });
}

function unreachable(repository: string, why: string, cause: unknown): RegrowError {
  return new RegrowError('upstream.unreachable', `${repository}: ${why}`, {
    retry: 'later',
    cause,
    remedy: 'check the address and the network; it is tried again by itself',
  });
}
