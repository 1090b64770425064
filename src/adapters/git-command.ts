import { RegrowError } from '../errors.ts';
import type { Exec, ExecResult } from '../ports/exec.ts';
import type { UrlRewrite } from './network/rewrite.ts';

export interface GitOptions {
  readonly exec: Exec;
  readonly rewrite?: readonly UrlRewrite[];
  /** Transports that may be used; others (ssh, ext, …) are refused by git itself. Default https, http and git, which run no program. */
  readonly protocols?: readonly string[];
  /** Sent to this origin alone (`https://github.com`), and never as an argument, which others on the machine could read. */
  readonly credential?: { readonly origin: string; readonly token: string };
  /** Milliseconds for one git command; default ten minutes. */
  readonly timeout?: number;
}

export interface GitCommandRequest {
  readonly directory?: string;
  readonly input?: string | Uint8Array;
  /** Bytes of output; default 1 GiB, because a tree of recipes is read whole. */
  readonly limit?: number;
  /** Milliseconds, where this command must not take what others may. */
  readonly timeout?: number;
  readonly signal?: AbortSignal | undefined;
  /** As of `ExecRequest`. */
  readonly umask?: number;
}

export type GitCommand = (args: readonly string[], request?: GitCommandRequest) => Promise<ExecResult>;

/**
 * The git program, cut off from this machine's configuration, credentials, hooks and prompts: what it does depends on its
 * arguments alone.
 */
export function createGitCommand(options: GitOptions): GitCommand {
  const rewrites = (options.rewrite ?? []).flatMap(({ from, to }) => ['-c', `url.${to}.insteadOf=${from}`]);
  const settings = [
    'core.hooksPath=/dev/null',
    'core.autocrlf=false',
    'core.quotePath=false',
    'gc.auto=0',
    'maintenance.auto=false',
    'fetch.recurseSubmodules=false',
    'safe.directory=*',
    'advice.detachedHead=false',
  ].flatMap((setting) => ['-c', setting]);
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_ALLOW_PROTOCOL: (options.protocols ?? ['https', 'http', 'git']).join(':'),
    ...(options.credential === undefined ? {} : credentialSettings(options.credential)),
  };
  return (args, request = {}) =>
    options.exec.run({
      argv: ['git', ...settings, ...rewrites, ...args],
      env,
      timeout: Math.min(request.timeout ?? Number.POSITIVE_INFINITY, options.timeout ?? 10 * 60_000),
      limit: request.limit ?? 1024 ** 3,
      ...(request.directory === undefined ? {} : { cwd: request.directory }),
      ...(request.input === undefined ? {} : { input: request.input }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
      ...(request.umask === undefined ? {} : { umask: request.umask }),
    });
}

/** GitHub takes a token as the password of any user (docs.github.com, git over HTTPS). */
function credentialSettings({ origin, token }: { readonly origin: string; readonly token: string }) {
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
  };
}

/** Standard output as text; a command that failed is upstream.unreachable with what git said. */
export async function gitText(
  git: GitCommand,
  repository: string,
  args: readonly string[],
  request?: GitCommandRequest,
): Promise<string> {
  const result = await git(args, request);
  if (result.exitCode !== 0) throw gitFailed(repository, args[0] ?? '', result);
  return new TextDecoder().decode(result.stdout);
}

/** The reason: git's first complaint. What comes after it is advice, and what comes before it is progress. */
function whatGitSaid(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const reason = lines.find((line) => /^(?:fatal|error|remote): /.test(line)) ?? lines[0] ?? 'it did not say why';
  return reason.replace(/^(?:fatal|error): /, '');
}

export function gitFailed(repository: string, command: string, result: ExecResult): RegrowError {
  const said = result.timedOut ? 'it took too long' : whatGitSaid(result.stderr);
  return new RegrowError('upstream.unreachable', `git ${command} of ${repository} failed: ${said}`, {
    retry: 'later',
    remedy: `check that ${repository} can be reached from this machine without a password`,
  });
}

/** Keeps an address or ref from being read as an option or as another kind of ref. */
export function plainArgument(text: string, what: string): string {
  if (
    text === '' ||
    text.startsWith('-') ||
    /[\s\0:?*[\\^~]|\.\./.test(what === 'repository' ? text.replaceAll(/[:?~]/g, '') : text)
  ) {
    throw new RegrowError('upstream.not-found', `${JSON.stringify(text)} is no ${what} that git could find`, {
      remedy: `correct the ${what} in the recipe`,
    });
  }
  return text;
}
