import {
  directoryOf,
  type Findings,
  fileName,
  libraryDirectories,
  type ScanInput,
  type ScannedFile,
} from './findings.ts';

/** Libraries of a graphics driver: they come from the machine that the package runs on, never from a package. */
const hostLibraries = /^lib(cuda|nvidia-.*|nvcuvid|nvoptix)\.so\./;

/** Version of a `so:` provide: what follows `.so.` where that is numeric, else 0. */
export function sonameVersion(soname: string): string {
  const version = soname.split('.so.')[1] ?? '';
  return /^\d+(\.\d+)*$/.test(version) ? version : '0';
}

/** `so:` name of a loader. musl's loader is its libc: packages name it by the second name. */
function loaderName(interpreter: string): string {
  return fileName(interpreter).replace(/^ld-musl-/, 'libc.musl-');
}

/** Library directories that a package adds to the loader's own by way of `/etc/ld.so.conf.d`. */
function ownLibraryDirectories(input: ScanInput): Set<string> {
  const directories = new Set<string>(libraryDirectories);
  for (const file of input.files) {
    if (directoryOf(file.path) !== 'etc/ld.so.conf.d' || !file.path.endsWith('.conf')) continue;
    for (const line of Buffer.from(file.content).toString('utf8').split('\n')) {
      const directory = line.replace(/#.*/, '').trim();
      if (directory.startsWith('/')) directories.add(directory.replace(/^\/+|\/+$/g, ''));
    }
  }
  return directories;
}

/** Debug information is ELF too, with the names of the library it belongs to. */
function isDebugFile(path: string): boolean {
  return path.endsWith('.debug') || path.startsWith('usr/lib/debug/');
}

function scanFile(file: ScannedFile, directories: ReadonlySet<string>, fullVersion: string): Findings {
  const { elf, path } = file;
  if (elf === undefined || elf.type === 'relocatable' || elf.type === 'core' || isDebugFile(path)) {
    return { provides: [], depends: [] };
  }
  const depends = elf.needed
    .filter((name) => name.includes('.so.') && !hostLibraries.test(name))
    .map((name) => `so:${name}`);
  if (elf.interpreter !== undefined) depends.push(`so:${loaderName(elf.interpreter)}`);
  const provides: string[] = [];
  const vendored: string[] = [];
  const searched = directories.has(directoryOf(path));
  // A program has an interpreter, and its soname, where it has one, is an accident; libc.so.6 has both and is a library.
  if (elf.soname !== undefined && (elf.interpreter === undefined || fileName(path).includes('.so.'))) {
    if (searched) {
      provides.push(`so:${elf.soname}=${sonameVersion(elf.soname)}`, `so-ver:${elf.soname}=${fullVersion}`);
    } else {
      vendored.push(`so:${elf.soname}`);
    }
  }
  if (searched && fileName(path).startsWith('ld-musl-')) provides.push(muslProvide(path));
  return { provides, depends, vendored };
}

/** What answers the `so:libc.musl-ARCH.so.1` that programs linked against musl depend on. */
function muslProvide(path: string): string {
  return `so:${loaderName(path)}=1`;
}

/**
 * `so:` provides and depends from ELF files: DT_NEEDED and PT_INTERP are depends, DT_SONAME in a library directory is a
 * provide with the version after `.so.`, and `so-ver:` with the package's. A symlink `libx.so → libx.so.1`, as a `-dev`
 * package has it, depends on the library that another package of the recipe holds.
 */
export function scanSharedObjects(input: ScanInput): Findings {
  const directories = ownLibraryDirectories(input);
  const found = input.files.map((file) => scanFile(file, directories, input.fullVersion));
  const depends = found.flatMap((one) => one.depends);
  const provides = found.flatMap((one) => one.provides);
  for (const entry of input.entries) {
    if (entry.type !== 'symlink' || isDebugFile(entry.path)) continue;
    if (directories.has(directoryOf(entry.path)) && fileName(entry.path).startsWith('ld-musl-')) {
      provides.push(muslProvide(entry.path));
    } else if (fileName(entry.path).includes('.so')) {
      const soname = input.sonameOf(fileName(entry.link ?? ''));
      if (soname !== undefined) depends.push(`so:${soname}`);
    }
  }
  return { provides, depends, vendored: found.flatMap((one) => one.vendored ?? []) };
}
