import { cacheInGuest, sandboxBegins } from './context.ts';

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
 * configured; no real root where the daemon is root; settings of the kernel cannot be written, which it lets its root do without any
 * capability; limits; git reads checked-out repositories in place of their addresses, by settings that come with the environment,
 * as no file of the guest is ours. What is put in has to stand behind melange's own `--proc` and `--clearenv`, which come before
 * anything that a recipe says.
 */
export function bubblewrapScript(facts: BubblewrapFacts): string {
  const { program, network, isRoot, statusFile, processBrake, repositories } = facts;
  const options = [
    '--json-status-fd',
    '9',
    ...(network ? [] : ['--unshare-net']),
    // Before melange adds some: root has every capability that it does not give up.
    ...(isRoot ? ['--cap-drop', 'ALL'] : []),
  ];
  const settings = repositories.flatMap(({ repository, folder }, index): (readonly [string, string])[] => [
    [`GIT_CONFIG_KEY_${index}`, `url.file://${cacheInGuest}/${folder}.insteadOf`],
    [`GIT_CONFIG_VALUE_${index}`, repository],
  ]);
  if (settings.length > 0) settings.unshift(['GIT_CONFIG_COUNT', String(repositories.length)]);
  const environment = settings.flatMap(([name, value]) => ['--setenv', name, value]);
  const limits = ['prlimit', '--core=0', `--nproc=${processBrake}`, '--'];
  const run = `exec 9>> ${quote(statusFile)}\necho ${sandboxBegins} >&9\n${['exec', ...limits, program, ...options].map(quote).join(' ')}`;
  const inGuest =
    environment.length === 0 ? '' : `\n    --clearenv) set -- "$@" ${environment.map(quote).join(' ')} ;;`;
  return `#!/bin/sh
${closeInherited}isOurs=yes last= user=
for argument do
  shift
  ${isRoot ? nobodysRoot : ''}set -- "$@" "$argument"
  if [ "$isOurs" = yes ]; then case $argument in
    --setenv) isOurs= ;;
    /proc) if [ "$last" = --proc ]; then set -- "$@" --ro-bind /proc/sys /proc/sys; fi ;;${inGuest}
  esac; fi
  last=$argument
done
${isRoot ? someUser : ''}${run} "$@"
`;
}

/** The user that melange gives environments, and has steps run as where it is not root itself. */
const buildUser = '1000';

/** melange as root says whom steps run as for recipes that do alone; bwrap wants to be told once. */
const someUser = `[ -n "$user" ] || set -- --unshare-user --uid ${buildUser} --gid ${buildUser} "$@"
`;

/**
 * A recipe's `run-as` cannot make its steps root either: under a daemon that is root they would be that to the kernel, and could take
 * away what bwrap mounted read-only. Ten digits may be zero to bwrap, which cuts them off.
 */
const nobodysRoot = `if [ "$isOurs" = yes ] && [ "$last" = --uid ]; then case $argument in
    ??????????* | [!1-9]* | *[!0-9]* | '') argument=${buildUser} ;;
  esac; user=$argument; fi
  `;

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
