import { access } from 'node:fs/promises';
import type { SandboxRun } from '../ports/sandbox.ts';

/** Folders of the host outside `/usr` that its tools need: Debian's `cc` goes by way of `/etc/alternatives`. */
const hostEtc = ['/etc/alternatives'];

/** The uid and gid that everything in the sandbox runs as. */
export const buildUser = 1000;

/** Folders of the host that a sandbox with `host` sees, each under `/host`. */
export async function hostFolders(): Promise<readonly string[]> {
  const folders = ['/usr'];
  for (const path of hostEtc) {
    await access(path).then(
      () => folders.push(path),
      () => undefined,
    );
  }
  return folders;
}

/** Directories that the root must have, relative to it, before anything can be mounted. */
export function mountPoints(run: SandboxRun, folders: readonly string[]): readonly string[] {
  return [
    '/proc',
    '/dev',
    '/tmp',
    ...folders.map((folder) => `/host${folder}`),
    ...(run.binds ?? []).map((bind) => bind.to),
  ];
}

/** How this machine lets a sandbox be made. */
export interface SandboxMeans {
  /**
   * Root that may mount: no user namespace, and a real change to the build user inside. The kernel applies no process
   * limit to root, not even to root under another name in a user namespace, so this is the only way to have one.
   */
  readonly privileged: boolean;
  /** bwrap 0.8 and later can forbid user namespaces inside. */
  readonly disableUserNamespaces: boolean;
}

/** The argument vector of bwrap (bwrap(1)), without the program itself. Order matters: later mounts stand on earlier ones. */
export function bubblewrapArguments(run: SandboxRun, means: SandboxMeans): readonly string[] {
  const host =
    run.host === true
      ? ['--ro-bind', '/usr', '/host/usr', ...hostEtc.flatMap((path) => ['--ro-bind-try', path, `/host${path}`])]
      : [];
  return [
    ...(means.privileged ? privilegedNamespaces : userNamespaces(means)),
    '--die-with-parent',
    '--new-session',
    '--hostname',
    'regrow',
    run.rootWritable === true ? '--bind' : '--ro-bind',
    run.root,
    '/',
    ...host,
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--perms',
    '1777',
    '--tmpfs',
    '/tmp',
    ...(run.binds ?? []).flatMap((bind) => [bind.writable === true ? '--bind' : '--ro-bind', bind.from, bind.to]),
    '--chdir',
    run.cwd,
    '--clearenv',
    ...Object.entries(run.env).flatMap(([name, value]) => ['--setenv', name, value]),
    '--json-status-fd',
    '3',
    '--',
    ...limits(run, means),
    ...run.argv,
  ];
}

const privilegedNamespaces = [
  '--unshare-ipc',
  '--unshare-pid',
  '--unshare-net',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--cap-drop',
  'ALL',
  // Given up by setpriv before the program starts.
  '--cap-add',
  'CAP_SETUID',
  '--cap-add',
  'CAP_SETGID',
  '--cap-add',
  'CAP_SETPCAP',
];

function userNamespaces(means: SandboxMeans): readonly string[] {
  return [
    '--unshare-all',
    '--unshare-user',
    ...(means.disableUserNamespaces ? ['--disable-userns'] : []),
    '--cap-drop',
    'ALL',
    '--uid',
    String(buildUser),
    '--gid',
    String(buildUser),
  ];
}

/**
 * The host's prlimit and setpriv, as seen inside. RLIMIT_NPROC is a brake well above the limit, because it counts every
 * process of the user; the limit itself is counted outside, where going over it can be named.
 */
function limits(run: SandboxRun, means: SandboxMeans): readonly string[] {
  if (run.host !== true) return [];
  const brake =
    run.processLimit === undefined ? [] : ['/host/usr/bin/prlimit', `--nproc=${run.processLimit * 2 + 64}`, '--'];
  const user = [
    '/host/usr/bin/setpriv',
    `--reuid=${buildUser}`,
    `--regid=${buildUser}`,
    '--clear-groups',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--bounding-set=-all',
    '--',
  ];
  return means.privileged ? [...brake, ...user] : brake;
}
