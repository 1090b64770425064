import { chmod, lstat, lutimes, readdir, readlink } from 'node:fs/promises';
import { RegrowError } from '../errors.ts';
import type { TreeEntry } from '../ports/workspace.ts';

/**
 * Everything below a directory, parents first, children by the bytes of their names, links not followed. Of a file with
 * several names the first is the file and the others are hard links to it. Directories that their owner could not look into are
 * open afterwards; their entries have the modes that were found.
 */
export async function walkTree(root: string): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = [];
  const linked = new Map<string, string>();
  await walk(root, '', entries, linked);
  return entries;
}

async function walk(root: string, prefix: string, entries: TreeEntry[], linked: Map<string, string>): Promise<void> {
  const directory = prefix === '' ? root : `${root}/${prefix}`;
  const names = (await readdir(directory, { encoding: 'buffer' })).sort(Buffer.compare);
  for (const raw of names) {
    const name = raw.toString('utf8');
    if (!Buffer.from(name, 'utf8').equals(raw)) {
      throw new RegrowError('build.output-unsafe', `a name in ${prefix === '' ? '/' : prefix} is not UTF-8`, {
        file: prefix,
        remedy: 'rename the file in the recipe',
      });
    }
    const path = prefix === '' ? name : `${prefix}/${name}`;
    const full = `${root}/${path}`;
    const stat = await lstat(full);
    const mode = stat.mode & 0o7777;
    if (stat.isDirectory()) {
      entries.push({ path, type: 'directory', mode, size: 0 });
      // A package may have directories that only root can look into; whoever builds as somebody else opens their own.
      if ((mode & 0o500) !== 0o500) await chmod(full, mode | 0o700);
      await walk(root, path, entries, linked);
    } else if (stat.isSymbolicLink()) {
      entries.push({ path, type: 'symlink', mode, size: 0, link: await readlink(full) });
    } else if (stat.isFile()) {
      const key = `${stat.dev}:${stat.ino}`;
      const first = stat.nlink > 1 ? linked.get(key) : undefined;
      if (first !== undefined) {
        entries.push({ path, type: 'hardlink', mode, size: 0, link: first });
        continue;
      }
      if (stat.nlink > 1) linked.set(key, path);
      entries.push({ path, type: 'file', mode, size: stat.size });
    } else {
      entries.push({ path, type: 'other', mode, size: 0 });
    }
  }
}

/** Sets the modification time of a path and of everything below it, links not followed, whatever the bytes of the names. */
export async function setTreeTimes(path: Buffer, time: number): Promise<void> {
  if ((await lstat(path)).isDirectory()) {
    for (const name of await readdir(path, { encoding: 'buffer' })) {
      await setTreeTimes(Buffer.concat([path, Buffer.from('/'), name]), time);
    }
  }
  // Children first: writing into a directory would change its time again.
  await lutimes(path, time, time);
}
