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
  /** The daemon is root: the sandbox is made by the build user, in a stage that root sets up. */
  readonly staged: boolean;
  /** bwrap 0.8 and later can forbid user namespaces inside, and limit a tmpfs. */
  readonly recent: boolean;
}

/** Bytes that `/tmp`, and `/dev/shm`, may hold: it is memory. */
const temporarySize = 2 * 1024 ** 3;

/** The program to run, with all its arguments: bwrap (bwrap(1)) as this user, or as the build user when this is root. */
export function sandboxCommand(run: SandboxRun, means: SandboxMeans, bubblewrap: string): readonly string[] {
  if (!means.staged) return [bubblewrap, ...bubblewrapArguments(run, means)];
  const binds = run.binds ?? [];
  const inner: SandboxRun = {
    ...run,
    root: stagedPath(0),
    binds: binds.map((bind, index) => ({ ...bind, from: stagedPath(index + 1) })),
  };
  const sources = [run.root, ...binds.map((bind) => bind.from)];
  // A program that is named by its path may lie where only root comes.
  const path = bubblewrap.includes('/') ? [bubblewrap] : [];
  const program = path.length === 0 ? bubblewrap : stagedPath(sources.length);
  return [...stage([...sources, ...path]), program, ...bubblewrapArguments(inner, means)];
}

/**
 * The stage: in a mount namespace of its own, root shows the sandbox's directories under a path that the build user can
 * reach, then becomes the build user, for good. No root, real or mapped, is ever inside the sandbox: the kernel applies no
 * process limit to root and lets it write to /proc/sys without any capability. Each program replaces the one before, so
 * that the process that is started is bwrap itself in the end, and ending it ends all. /sys is where the stage stands
 * because no state directory can be there.
 */
const stageScript = `set -e
mount -n -t tmpfs -o mode=0755,size=1m tmpfs /sys
number=0
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -m 0755 "/sys/$number"; else : > "/sys/$number"; fi
  mount -n --rbind "$1" "/sys/$number"
  number=$((number + 1))
  shift
done
shift
exec setpriv --reuid=${buildUser} --regid=${buildUser} --clear-groups --inh-caps=-all --ambient-caps=-all \\
  --bounding-set=-all --pdeathsig KILL -- "$@"`;

function stage(sources: readonly string[]): readonly string[] {
  return ['unshare', '--mount', '--propagation', 'private', '--', '/bin/sh', '-c', stageScript, 'sh', ...sources, '--'];
}

function stagedPath(index: number): string {
  return `/sys/${index}`;
}

/** What root has to be able to do for `sandboxCommand`: the stage, with a program in it. */
export function stageProbe(): readonly [string, ...string[]] {
  return ['unshare', ...stage(['/usr']).slice(1), '/usr/bin/true'];
}

/** The argument vector of bwrap, without the program itself. Order matters: later mounts stand on earlier ones. */
function bubblewrapArguments(run: SandboxRun, means: SandboxMeans): readonly string[] {
  const host =
    run.host === true
      ? ['--ro-bind', '/usr', '/host/usr', ...hostEtc.flatMap((path) => ['--ro-bind-try', path, `/host${path}`])]
      : [];
  return [
    '--unshare-all',
    '--unshare-user',
    ...(means.recent ? ['--disable-userns'] : []),
    '--cap-drop',
    'ALL',
    '--uid',
    String(buildUser),
    '--gid',
    String(buildUser),
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
    '--ro-bind',
    '/proc/sys',
    '/proc/sys',
    '--dev',
    '/dev',
    ...(means.recent ? ['--size', String(temporarySize)] : []),
    '--perms',
    '1777',
    '--tmpfs',
    '/dev/shm',
    // It is memory too, and without a limit.
    '--remount-ro',
    '/dev',
    ...(means.recent ? ['--size', String(temporarySize)] : []),
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
    ...run.argv,
  ];
}
