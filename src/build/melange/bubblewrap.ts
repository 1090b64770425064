import { cacheInGuest } from './context.ts';

export interface BubblewrapFacts {
  /** Absolute path of the real one. */
  readonly program: string;
  readonly network: boolean;
  /** Whether melange runs as root. */
  readonly isRoot: boolean;
  /** Absolute path of the file that says of each sandbox which processes are in it. */
  readonly statusFile: string;
  /** RLIMIT_NPROC; for a daemon that is root it does not count. */
  readonly processBrake: number;
  /** Checked-out repositories by their folder in the cache: what a step that clones `repository` gets. */
  readonly repositories: readonly { readonly repository: string; readonly folder: string }[];
}

/**
 * The `bwrap` that melange finds first on its PATH: the real one with what melange leaves out. No network unless it is
 * configured; no real root where the daemon is root; limits; git reads checked-out repositories in place of their addresses, by
 * settings that come with the environment, as no file of the guest is ours.
 */
export function bubblewrapScript(facts: BubblewrapFacts): string {
  const { program, network, isRoot, statusFile, processBrake, repositories } = facts;
  const options = [
    '--json-status-fd',
    '9',
    ...(network ? [] : ['--unshare-net']),
    // Before melange's own, which are for recipes that say whom they run as.
    ...(isRoot ? ['--unshare-user', '--uid', '1000', '--gid', '1000'] : []),
  ];
  const settings = repositories.flatMap(({ repository, folder }, index): (readonly [string, string])[] => [
    [`GIT_CONFIG_KEY_${index}`, `url.file://${cacheInGuest}/${folder}.insteadOf`],
    [`GIT_CONFIG_VALUE_${index}`, repository],
  ]);
  if (settings.length > 0) settings.unshift(['GIT_CONFIG_COUNT', String(repositories.length)]);
  const environment = settings.flatMap(([name, value]) => ['--setenv', name, value]);
  const limits = ['prlimit', '--core=0', `--nproc=${processBrake}`, '--'];
  const run = `exec 9>> ${quote(statusFile)}\n${['exec', ...limits, program, ...options].map(quote).join(' ')}`;
  const inGuest =
    environment.length === 0
      ? ''
      : // What is set before --clearenv is gone.
        `for argument do
  shift
  set -- "$@" "$argument"
  if [ "$argument" = --clearenv ]; then set -- "$@" ${environment.map(quote).join(' ')}; fi
done
`;
  return `#!/bin/sh\n${closeInherited}${inGuest}${run} "$@"\n`;
}

/**
 * What whoever started the daemon left open in it reaches melange, and would reach steps. Only bash can close descriptors of
 * two digits; 255 is its own.
 */
const closeInherited = `if [ -z "$BASH_VERSION" ] && command -v bash > /dev/null; then exec bash "$0" "$@"; fi
if [ -n "$BASH_VERSION" ]; then
  for one in /proc/$$/fd/*; do
    one=\${one##*/}
    [ "$one" -le 2 ] || [ "$one" -eq 255 ] || eval 'exec {one}>&-'
  done
fi
`;

function quote(text: string): string {
  return /^[A-Za-z0-9_/.=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
