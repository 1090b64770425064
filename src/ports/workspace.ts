import type { Libc } from '../model/target.ts';

/** One entry of a tree, path relative to its root, `/` between components, no leading `./`. */
export interface TreeEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  /** Bytes, of files. */
  readonly size: number;
  /** Target of a symlink, or the path of the first entry that shares a hard link's file. */
  readonly link?: string;
}

/** What a file outside any package is unpacked from. */
export interface UnpackEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  readonly link?: string;
  readonly content?: Uint8Array;
}

/**
 * The directory that one build works in; removed when it is done. Paths are relative to it and may not leave it: one that
 * does is build.output-unsafe, also by way of a symlink. Errors: storage.full.
 */
export interface Workspace {
  /** Absolute path of a relative one, for the sandbox. */
  path(relative: string): string;
  makeDirectory(relative: string): Promise<void>;
  write(relative: string, content: Uint8Array | string, mode?: number): Promise<void>;
  /** A file, or no more than its first `most` bytes. */
  read(relative: string, most?: number): Promise<Uint8Array>;
  exists(relative: string): Promise<boolean>;
  /** Names in a directory, sorted. */
  list(relative: string): Promise<readonly string[]>;
  /** All entries below a directory, parents first, each directory's children sorted by name (bytewise); links not followed. */
  walk(relative: string): Promise<readonly TreeEntry[]>;
  /** Puts entries below a directory, never through a symlink to outside of it. */
  unpack(relative: string, entries: Iterable<UnpackEntry>): Promise<void>;
  /**
   * Has `work` fill a fresh, empty directory, given by its absolute path, and moves what it left there below `into`. For
   * programs of the host that would follow links which a step put there. Nothing is written outside of `within`, a
   * directory at or above `into`; the whole workspace when absent. So it is for `extract` and `copy`.
   */
  fill<T>(into: string, work: (directory: string) => Promise<T>, within?: string): Promise<T>;
  /** Unpacks a source archive (tar, tar.gz, tar.bz2, tar.xz, zip by its content) below a directory, leaving out leading path components. */
  extract(archive: string, into: string, stripComponents: number, within?: string): Promise<void>;
  /** Copies a file of the host (one of the cache of sources) to a relative path. */
  copy(file: string, relative: string, within?: string): Promise<void>;
  /**
   * Fills the gaps of a root with links to the host's files: what the root does not have, and the host's
   * `/usr/{bin,sbin,lib,lib64,include,libexec,share}` has, becomes a link to `/host/usr/…`. The root's own files always win.
   * In a musl root the C compiler is musl-gcc under every name, and the host C library's headers are left out.
   */
  mergeHost(relative: string, libc: Libc): Promise<void>;
  /** Sets the modification time of a file, or of a directory and everything below it, seconds since 1970. */
  setTimes(relative: string, time: number): Promise<void>;
  remove(relative: string): Promise<void>;
  /** Whether nothing more can be written where it is. */
  isDiskFull(): Promise<boolean>;
}

export interface Workspaces {
  /** An empty directory of its own. */
  create(label: string): Promise<Workspace & { dispose(): Promise<void> }>;
}
