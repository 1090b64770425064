import type { Apk } from '../../formats/apk.ts';
import type { PackageInfo } from '../../model/artifact.ts';
import { parseDependency, satisfies } from '../../model/dependency.ts';
import { addParents, imageInvalid, type Root, type RootFile, resolvePath } from './root.ts';

/** A package that goes into the image: taken apart, and the size of its file in bytes. */
export interface ImagePackage {
  readonly apk: Apk;
  readonly bytes: number;
}

/**
 * The files of all packages in one root, as apk would install them. A symlink to a directory wins over the directory (a
 * merged `/usr`), and what others have below it goes where it leads. Of two packages with a file of the same path, one has
 * to replace the other or share its origin, or the files have to be the same; else image.invalid names both.
 */
export function installPackages(packages: readonly ImagePackage[]): Root {
  const root: Root = new Map();
  const links = new Map<string, string>();
  for (const { apk } of packages) {
    for (const { path, type, link } of apk.entries()) {
      if (type === 'symlink' && link !== undefined && !links.has(path)) links.set(path, link);
    }
  }
  const infos = new Map(packages.map(({ apk }) => [apk.info.name, apk.info]));
  const shared: SharedFile[] = [];
  for (const { apk } of packages) {
    const own = new Map(apk.entries().map((entry) => [entry.path, entry]));
    for (const entry of apk.entries()) {
      const { type, mode, content, link } = entry;
      const path = resolvePath(links, entry.path, type === 'directory');
      if (path === '') continue;
      const target = type === 'hardlink' && link !== undefined ? resolvePath(links, link, false) : link;
      const file = { path, type, mode, from: apk.info.name, ...(type === 'file' ? { content } : {}) };
      addParents(root, path);
      install(root, target === undefined ? file : { ...file, link: target }, infos);
      const original = type === 'hardlink' ? own.get(link ?? '') : undefined;
      if (original?.type === 'file')
        shared.push({ ...file, type: 'file', mode: original.mode, content: original.content });
    }
  }
  for (const file of shared) unshare(root, file);
  return root;
}

/** What a hard link is when it stands alone. */
type SharedFile = RootFile & { readonly type: 'file' };

/** A hard link to a file that another package's took the place of is a file, with what its own package has. */
function unshare(root: Root, file: SharedFile): void {
  const link = root.get(file.path);
  if (link?.type !== 'hardlink' || link.from !== file.from) return;
  const target = root.get(link.link ?? '');
  if (target === undefined || !sameFile(target, file)) root.set(file.path, file);
}

function install(root: Root, file: RootFile, infos: ReadonlyMap<string, PackageInfo>): void {
  const there = root.get(file.path);
  if (there === undefined) root.set(file.path, file);
  else if (there.type === 'directory' && file.type === 'directory') root.set(file.path, mergeDirectory(there, file));
  else if (!sameFile(there, file) && prevails(file, there, infos)) root.set(file.path, file);
}

/** Directories belong to all who have them; the one that says something special of its mode is heard (`/tmp` is 1777). */
function mergeDirectory(there: RootFile, file: RootFile): RootFile {
  return there.mode === 0o755 || there.from === undefined ? { ...there, ...file } : there;
}

function sameFile(a: RootFile, b: RootFile): boolean {
  const same = a.type === b.type && a.mode === b.mode && a.link === b.link && a.type !== 'directory';
  return same && Buffer.compare(a.content ?? new Uint8Array(), b.content ?? new Uint8Array()) === 0;
}

/** Whether the later package's file takes the place of the earlier one's. Throws image.invalid where neither may. */
function prevails(file: RootFile, there: RootFile, infos: ReadonlyMap<string, PackageInfo>): boolean {
  const later = infos.get(file.from ?? '');
  const earlier = infos.get(there.from ?? '');
  if (later !== undefined && earlier !== undefined && file.type !== 'directory' && there.type !== 'directory') {
    const forth = replaces(later, earlier);
    const back = replaces(earlier, later);
    if (forth && back) return (later.replacesPriority ?? 0) > (earlier.replacesPriority ?? 0);
    if (forth || back) return forth;
    if (later.origin === earlier.origin) return true;
  }
  throw imageInvalid(
    `/${file.path} is a ${there.type} in ${label(earlier)} and a ${file.type} in ${label(later)}`,
    'let one of the packages say `replaces` of the other, or leave one out of the image',
    'contents.packages',
  );
}

export function replaces(a: PackageInfo, b: PackageInfo): boolean {
  return a.replaces.some((text) => {
    const dependency = parseDependency(text);
    return dependency.name === b.name && satisfies(b.version, dependency);
  });
}

function label(info: PackageInfo | undefined): string {
  return info === undefined ? 'the image' : `${info.name}-${info.version}`;
}
