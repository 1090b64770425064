import type { Libc } from '../../model/target.ts';

/**
 * Packages that the host stands in for: the name that recipes ask for, and the commands that must then be on this machine.
 * An empty list is a package whose files every host has, or whose work the engine does itself.
 */
export type HostTools = Readonly<Record<string, readonly string[]>>;

const compiler = ['cc', 'gcc', 'ld', 'ar', 'as'];
const binutils = ['ld', 'ar', 'as', 'ranlib', 'strip', 'objcopy', 'readelf'];
const coreutils = ['cp', 'mv', 'install', 'sort', 'stat', 'mktemp', 'sha256sum'];
const autotools = ['autoconf', 'autoheader', 'autoreconf'];
const automake = ['automake', 'aclocal'];

const builtinTools: HostTools = {
  'ca-certificates-bundle': [],
  'alpine-baselayout': [],
  'wolfi-base': [],
  'wolfi-baselayout': [],
  // The engine's own strip pipeline reads ELF headers without it.
  scanelf: [],
  autoconf: autotools,
  automake,
  bash: ['bash'],
  binutils,
  bison: ['bison'],
  'build-base': [...compiler, ...binutils, 'make', 'patch'],
  busybox: ['sh', 'sed', 'grep', 'find', 'awk', 'tar', 'gzip', ...coreutils],
  bzip2: ['bzip2'],
  cmake: ['cmake'],
  coreutils,
  curl: ['curl'],
  diffutils: ['diff', 'cmp'],
  file: ['file'],
  findutils: ['find', 'xargs'],
  flex: ['flex'],
  gawk: ['gawk'],
  gcc: compiler,
  gettext: ['gettext'],
  'gettext-dev': ['msgfmt', 'xgettext', 'autopoint'],
  git: ['git'],
  // The host's C library, its headers and those of the kernel come with its compiler.
  'glibc-dev': compiler,
  grep: ['grep'],
  gzip: ['gzip'],
  help2man: ['help2man'],
  libtool: ['libtoolize'],
  'linux-headers': compiler,
  m4: ['m4'],
  make: ['make'],
  // It starts ninja, which distributions' packages of it bring.
  meson: ['meson', 'ninja'],
  'musl-dev': compiler,
  ninja: ['ninja'],
  'ninja-build': ['ninja'],
  patch: ['patch'],
  perl: ['perl'],
  'perl-base': ['perl'],
  pkgconf: ['pkg-config'],
  'pkgconf-dev': ['pkg-config'],
  posix: ['sh'],
  python3: ['python3'],
  'python-3': ['python3'],
  rsync: ['rsync'],
  samurai: ['ninja'],
  sed: ['sed'],
  tar: ['tar'],
  texinfo: ['makeinfo'],
  unzip: ['unzip'],
  wget: ['wget'],
  which: ['which'],
  xz: ['xz'],
  zip: ['zip'],
  zstd: ['zstd'],
};

/** The table of the engine with what a configuration adds to it, or says otherwise. */
export function createHostTools(configured: HostTools = {}): HostTools {
  return { ...builtinTools, ...configured };
}

/** Commands that the packages stand for, sorted, once each. For musl the compiler is musl-gcc. */
export function hostCommands(tools: HostTools, packages: readonly string[], libc: Libc): readonly string[] {
  const commands = new Set<string>();
  for (const name of packages) {
    for (const command of Object.hasOwn(tools, name) ? (tools[name] ?? []) : []) commands.add(command);
  }
  if (libc === 'musl' && commands.has('gcc')) commands.add('musl-gcc');
  return [...commands].toSorted();
}
