import type { ImageDefinition, ImagePath } from '../../model/image-definition.ts';
import { imageInvalid, linksOf, putFile, putMissing, type Root, type RootFile, resolvePath } from './root.ts';

/** What every Linux root has to have as mount points or scratch space, where no package brings it. */
const systemDirectories: Readonly<Record<string, number>> = {
  dev: 0o755,
  etc: 0o755,
  proc: 0o555,
  root: 0o700,
  run: 0o755,
  sys: 0o555,
  tmp: 0o1777,
  'var/tmp': 0o1777,
};

export function addSystemDirectories(root: Root): void {
  for (const [path, mode] of Object.entries(systemDirectories)) putMissing(root, { path, type: 'directory', mode });
}

/** The directory that the image's program starts in, where nothing brings it. Throws image.invalid when it is something else. */
export function addWorkDirectory(root: Root, { workDirectory = '' }: ImageDefinition): void {
  const path = resolvePath(linksOf(root), workDirectory, true);
  if (path === '') return;
  putMissing(root, { path, type: 'directory', mode: 0o755 });
  const there = root.get(path);
  if (there !== undefined && there.type !== 'directory')
    throw imageInvalid(`/${path} is a ${there.type}`, 'name a directory to work in', 'work-dir');
}

/** Carries out `paths` of the definition, in order. Throws image.invalid for one that is not there to be changed. */
export function applyPaths(root: Root, definition: ImageDefinition): void {
  for (const [i, path] of definition.paths.entries()) applyPath(root, path, `paths.${i}`);
}

function applyPath(root: Root, wish: ImagePath, field: string): void {
  const path = wish.path.replace(/^\/+|\/+$/g, '');
  const owner = wish.uid === undefined && wish.gid === undefined ? {} : { owner: ownerOf(wish) };
  const source = wish.source ?? '';
  switch (wish.type) {
    case 'directory':
      putMissing(root, { path, type: 'directory', mode: wish.permissions ?? 0o755, ...owner });
      change(root, wish, path, field);
      break;
    case 'empty-file':
      putFile(root, { path, type: 'file', mode: wish.permissions ?? 0o644, content: new Uint8Array(), ...owner });
      break;
    case 'symlink':
      putFile(root, { path, type: 'symlink', mode: 0o777, link: source, ...owner });
      break;
    case 'hardlink':
      putFile(root, { ...existing(root, source, `${field}.source`), path, ...hardlinkTo(root, source, field) });
      break;
    case 'permissions':
      change(root, wish, path, field);
      break;
  }
}

function hardlinkTo(root: Root, source: string, field: string): Pick<RootFile, 'type' | 'link'> {
  const target = existing(root, source, `${field}.source`);
  if (target.type !== 'file') throw imageInvalid(`/${target.path} is a ${target.type}`, 'link to a file', field);
  return { type: 'hardlink', link: target.path };
}

/** Sets mode and owner of what is there, and of all below it where the wish is recursive. */
function change(root: Root, wish: ImagePath, path: string, field: string): void {
  const top = existing(root, path, `${field}.path`);
  for (const file of root.values()) {
    const below = wish.recursive === true && file.path.startsWith(`${top.path}/`);
    if (file !== top && !below) continue;
    const mode = file.type === 'symlink' ? file.mode : (wish.permissions ?? file.mode);
    const owner = wish.uid === undefined && wish.gid === undefined ? {} : { owner: ownerOf(wish, file) };
    root.set(file.path, { ...file, mode, ...owner });
  }
}

function ownerOf(wish: ImagePath, file?: RootFile): { readonly uid: number; readonly gid: number } {
  return { uid: wish.uid ?? file?.owner?.uid ?? 0, gid: wish.gid ?? file?.owner?.gid ?? 0 };
}

function existing(root: Root, path: string, field: string): RootFile {
  const file = root.get(resolvePath(linksOf(root), path, true));
  if (file === undefined)
    throw imageInvalid(`there is no /${path.replace(/^\/+/, '')} in the image`, 'correct the path', field);
  return file;
}
