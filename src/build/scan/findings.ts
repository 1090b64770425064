import type { ElfFile } from '../../formats/elf.ts';
import type { TreeEntry } from '../../ports/workspace.ts';

/** A regular file of the package that is scanned, with its content. */
export interface ScannedFile {
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
  /** Undefined when it is no ELF file. */
  readonly elf: ElfFile | undefined;
}

/** What the scanners look at. They read nothing else, and write nothing. */
export interface ScanInput {
  readonly name: string;
  /** `1.2.3-r0` */
  readonly fullVersion: string;
  /** Names in the recipe's own `dependencies.runtime`. */
  readonly declaredDepends: readonly string[];
  /** All entries of the package, links and directories too. */
  readonly entries: readonly TreeEntry[];
  readonly files: readonly ScannedFile[];
  /** Where loaders look: `libraryDirectories`, and what any package of the recipe adds by way of `/etc/ld.so.conf.d`. */
  readonly libraryDirectories: ReadonlySet<string>;
  /** DT_SONAME of the library of this file name in one of those of any package of the recipe. */
  readonly sonameOf: (fileName: string) => string | undefined;
}

/** `vendored`: what the package carries for itself, `so:NAME` or `pc:NAME`; neither provided nor depended on. */
export interface Findings {
  readonly provides: readonly string[];
  readonly depends: readonly string[];
  readonly vendored?: readonly string[];
}

/** The directories that a loader searches by itself; a library elsewhere is its package's own affair. */
export const libraryDirectories = ['lib', 'usr/lib', 'lib64', 'usr/lib64'] as const;

export function directoryOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
