import type { Libc } from '../../model/target.ts';
import type { UnpackEntry, Workspace } from '../../ports/workspace.ts';
import type { StepClock } from '../build-run.ts';
import type { EnvironmentPackage } from '../locked.ts';

/** The user that every step runs as; so melange has it. */
const passwd =
  'root:x:0:0:root:/root:/bin/sh\nbuild:x:1000:1000:build:/home/build:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const group = 'root:x:0:\nbuild:x:1000:build\nnobody:x:65534:\n';

const link = (path: string, target: string): UnpackEntry => ({ path, type: 'symlink', mode: 0o777, link: target });
const directory = (path: string, mode = 0o755): UnpackEntry => ({ path, type: 'directory', mode });
const file = (path: string, text: string): UnpackEntry => ({
  path,
  type: 'file',
  mode: 0o644,
  content: Buffer.from(text),
});

/** The root as it is before any package: one merged `/usr`, mount points, and the users. */
const skeleton: readonly UnpackEntry[] = [
  ...['bin', 'sbin', 'lib', 'lib64', 'libexec', 'share', 'include'].map((name) => directory(`usr/${name}`)),
  ...['bin', 'sbin', 'lib', 'lib64'].map((name) => link(name, `usr/${name}`)),
  ...['dev', 'etc', 'home', 'home/build', 'opt', 'proc', 'root', 'run', 'run/regrow', 'srv', 'sys', 'var'].map((name) =>
    directory(name),
  ),
  directory('tmp', 0o1777),
  ...['var/cache', 'var/lib', 'var/log'].map((name) => directory(name)),
  directory('var/tmp', 0o1777),
  file('etc/passwd', passwd),
  file('etc/group', group),
  file('etc/hosts', '127.0.0.1 localhost\n::1 localhost\n'),
];

/** Makes a root at `relative`: packages sorted by name, later files over earlier ones, then the host in the gaps. */
export async function makeRoot(
  workspace: Workspace,
  relative: string,
  packages: readonly EnvironmentPackage[],
  libc: Libc,
): Promise<void> {
  await workspace.unpack(relative, skeleton);
  for (const { apk } of packages) await workspace.unpack(relative, apk.entries());
  await workspace.mergeHost(relative, libc);
}

/** The environment variables that every step begins with. */
export function baseEnvironment(libc: Libc, sourceDateEpoch: number): Readonly<Record<string, string>> {
  return {
    HOME: '/home/build',
    USER: 'build',
    LOGNAME: 'build',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    SOURCE_DATE_EPOCH: String(sourceDateEpoch),
    // Our own libraries before those that the host has under the same name, and no pkg-config file of the host.
    // Written so because gcc leaves /usr/lib itself out, as a folder that the linker knows; musl-gcc's linker does not.
    LIBRARY_PATH: '/usr/lib/.',
    PKG_CONFIG_LIBDIR: '/usr/lib/pkgconfig:/usr/share/pkgconfig',
    ...(libc === 'musl' ? { CC: 'musl-gcc' } : {}),
  };
}

/**
 * Has programs that are linked to the host's C library take another time for now (libfaketime(1)). Times of files stay what they
 * are, and so does the clock that only counts: nothing but what a build writes of the day may change.
 */
export function clockEnvironment(clock: StepClock | undefined): Readonly<Record<string, string>> {
  if (clock === undefined) return {};
  return {
    LD_PRELOAD: `/host${clock.library}`,
    FAKETIME: `+${clock.secondsAhead}`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
}
