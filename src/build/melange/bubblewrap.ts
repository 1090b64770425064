import { cacheInGuest } from './context.ts';

export interface BubblewrapFacts {
  /** Absolute path of the real one. */
  readonly program: string;
  readonly network: boolean;
  /** Whether melange runs as root. */
  readonly isRoot: boolean;
  /** Checked-out repositories by their folder in the cache: what a step that clones `repository` gets. */
  readonly repositories: readonly { readonly repository: string; readonly folder: string }[];
}

/**
 * The `bwrap` that melange finds first on its PATH: the real one with what melange leaves out. No network unless it is
 * configured; no real root where the daemon is root; git reads checked-out repositories in place of their addresses, by
 * settings that come with the environment, as no file of the guest is ours.
 */
export function bubblewrapScript(facts: BubblewrapFacts): string {
  const { program, network, isRoot, repositories } = facts;
  const options = [
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
  const run = ['exec', program, ...options].map(quote).join(' ');
  if (environment.length === 0) return `#!/bin/sh\n${run} "$@"\n`;
  // What is set before --clearenv is gone.
  return `#!/bin/sh
for argument do
  shift
  set -- "$@" "$argument"
  if [ "$argument" = --clearenv ]; then set -- "$@" ${environment.map(quote).join(' ')}; fi
done
${run} "$@"
`;
}

function quote(text: string): string {
  return /^[A-Za-z0-9_/.=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
