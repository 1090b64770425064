import type { TreeEntry } from '../../ports/workspace.ts';
import { directoryOf, type Findings, fileName, type ScanInput, type ScannedFile } from './findings.ts';

/**
 * Libraries of a graphics driver, the names that melange has (`isHostProvidedLibrary`): they come from the machine that the
 * package runs on, never from a package. `libnvidia-container.so.1`, for one, is no such library.
 */
const driverParts = `allocator cfg eglcore encode fbc glcore glsi glvkspirv gpucomp ml ngx nvvm opencl opticalflow
  pkcs11-openssl3 pkcs11 ptxjitcompiler rtcore tls`.split(/\s+/);
const hostLibraries = new RegExp(
  `^lib(cuda|cudadebugger|nvcuvid|nvoptix|(EGL|GLESv1_CM|GLESv2|GLX)_nvidia|nvidia-(${driverParts.join('|')}))\\.so\\.1$`,
);
/** Longest chain of links that is followed. */
const linkLimit = 16;

/** Version of a `so:` provide: what follows `.so.` where that is numeric, else 0. */
export function sonameVersion(soname: string): string {
  const version = soname.split('.so.')[1] ?? '';
  return /^\d+(\.\d+)*$/.test(version) ? version : '0';
}

/** `so:` name of a loader. musl's loader is its libc: packages name it by the second name. */
function loaderName(interpreter: string): string {
  return fileName(interpreter).replace(/^ld-musl-/, 'libc.musl-');
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
  const isLibrary = elf.interpreter === undefined || /\.so(\.|$)/.test(fileName(path));
  if (elf.soname !== undefined && isLibrary && !hostLibraries.test(elf.soname)) {
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

/** The path that a relative link leads to; undefined where it leaves the package. */
function targetOf({ path, link = '' }: TreeEntry): string | undefined {
  if (link.startsWith('/')) return undefined;
  const parts = directoryOf(path).split('/');
  for (const part of link.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.filter((part) => part !== '').join('/');
}

/** The files that links of the package lead to, under the links' paths: a loader finds a library by either. */
function linkedFiles({ entries, files }: ScanInput): ScannedFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const links = new Map(entries.flatMap((entry) => (entry.type === 'symlink' ? [[entry.path, entry] as const] : [])));
  return [...links.values()].flatMap((link): ScannedFile[] => {
    let target = targetOf(link);
    for (let followed = 0; target !== undefined && followed < linkLimit; followed += 1) {
      const file = byPath.get(target);
      if (file !== undefined) return [{ ...file, path: link.path }];
      const next = links.get(target);
      target = next === undefined ? undefined : targetOf(next);
    }
    return [];
  });
}

/**
 * `so:` provides and depends from ELF files: DT_NEEDED and PT_INTERP are depends, DT_SONAME in a library directory is a
 * provide with the version after `.so.`, and `so-ver:` with the package's. A symlink `libx.so → libx.so.1`, as a `-dev`
 * package has it, depends on the library that another package of the recipe holds. A link in a library directory to a library
 * elsewhere in the package provides it.
 */
export function scanSharedObjects(input: ScanInput): Findings {
  const directories = input.libraryDirectories;
  const found = [...input.files, ...linkedFiles(input)].map((file) => scanFile(file, directories, input.fullVersion));
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
