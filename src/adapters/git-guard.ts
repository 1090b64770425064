import { isIP } from 'node:net';
import { RegrowError } from '../errors.ts';
import type { GitCommand } from './git-command.ts';
import type { NetworkGuard } from './network/guard.ts';
import { rewriteUrl, type UrlRewrite } from './network/rewrite.ts';

/**
 * The git program for one repository: its server is looked up here, and git is told to connect to the addresses that were checked.
 * That holds for this server only: where it redirects, and submodules, git looks up by itself.
 * Throws upstream.address-refused, upstream.unreachable.
 */
export async function guardedGit(
  git: GitCommand,
  repository: string,
  guard: NetworkGuard,
  rewrite: readonly UrlRewrite[],
): Promise<GitCommand> {
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
    throw new RegrowError('upstream.unreachable', `${repository}: ${hostname} cannot be looked up`, {
      retry: 'later',
      cause: thrown,
      remedy: 'check the address and the network; it is tried again by itself',
    });
  }
}
