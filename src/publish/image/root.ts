import { RegrowError } from '../../errors.ts';
import type { UnpackEntry } from '../../ports/workspace.ts';

/** One file of the image's root. Paths have no leading `/`, and no symlink on the way to their last component. */
export interface RootFile {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  /** Target of a symlink as written; path of the file that a hard link shares. */
  readonly link?: string;
  readonly content?: Uint8Array;
  /** Absent: root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** The package that it belongs to; absent for what the image itself adds. */
  readonly from?: string;
}

/** A root file system in memory. */
export type Root = Map<string, RootFile>;

const linkLimit = 40;

/**
 * Where a path leads: symlinks are followed inside the root, `..` stops at its top, and a last component that is a
 * symlink is followed only where `last` says so. Throws image.invalid for links in a circle.
 */
export function resolvePath(links: ReadonlyMap<string, string>, path: string, last: boolean): string {
  let pending = path.split('/');
  const done: string[] = [];
  for (let followed = 0; pending.length > 0; ) {
    const [part = '', ...rest] = pending;
    pending = rest;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const here = [...done, part].join('/');
    const link = rest.length > 0 || last ? links.get(here) : undefined;
    if (link === undefined) {
      done.push(part);
      continue;
    }
    followed++;
    if (followed > linkLimit) throw imageInvalid(`the symlinks of /${path} lead in a circle`, 'correct the packages');
    if (link.startsWith('/')) done.length = 0;
    pending = [...link.split('/'), ...rest];
  }
  return done.join('/');
}

/** The symlinks of a root, by path. */
export function linksOf(root: Root): ReadonlyMap<string, string> {
  const links = new Map<string, string>();
  for (const { path, type, link } of root.values()) if (type === 'symlink' && link !== undefined) links.set(path, link);
  return links;
}

/** Puts a file where its path leads, with the directories that lead there; what stood there is replaced. */
export function putFile(root: Root, file: RootFile): void {
  const path = resolvePath(linksOf(root), file.path, false);
  if (root.get(path)?.type === 'directory' && file.type !== 'directory') {
    throw imageInvalid(`/${path} cannot be a ${file.type}: it is a directory`, 'change the packages or the paths');
  }
  addParents(root, path);
  root.set(path, { ...file, path });
}

/** The same, unless something is there. */
export function putMissing(root: Root, file: RootFile): void {
  if (!root.has(resolvePath(linksOf(root), file.path, true))) putFile(root, file);
}

/** Plain directories on the way to a path, where there are none. */
export function addParents(root: Root, path: string): void {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const parent = path.slice(0, slash);
    const there = root.get(parent);
    if (there === undefined) root.set(parent, { path: parent, type: 'directory', mode: 0o755 });
    else if (there.type !== 'directory') {
      throw imageInvalid(`/${path} cannot be: /${parent} is a ${there.type}`, 'change the packages or the paths');
    }
  }
}

/** The text of a file, links followed; undefined where there is none. */
export function readText(root: Root, path: string): string | undefined {
  const file = root.get(resolvePath(linksOf(root), path, true));
  return file?.type === 'file' ? Buffer.from(file.content ?? new Uint8Array()).toString('utf8') : undefined;
}

/** All files, parents first, siblings by name, hard links after everything that they can share. */
export function sortedFiles(files: Iterable<RootFile>): readonly RootFile[] {
  const key = ({ path, type }: RootFile) => (type === 'hardlink' ? '1' : '0') + path.replaceAll('/', '\0');
  return [...files]
    .map((file) => ({ file, key: key(file) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ file }) => file);
}

/** A root as a workspace takes it. */
export function unpackEntries(root: Root): readonly UnpackEntry[] {
  return sortedFiles(root.values()).map(({ path, type, mode, link, content }) => ({
    path,
    type,
    mode,
    ...(link === undefined ? {} : { link }),
    ...(content === undefined ? {} : { content }),
  }));
}

export function imageInvalid(message: string, remedy: string, field?: string): RegrowError {
  return new RegrowError('image.invalid', message, { remedy, ...(field === undefined ? {} : { field }) });
}
