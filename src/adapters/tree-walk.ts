import { lstat, readdir, readlink } from 'node:fs/promises';
import { RegrowError } from '../errors.ts';
import type { TreeEntry } from '../ports/workspace.ts';

/**
 * Everything below a directory, parents first, children by the bytes of their names, links not followed. Of a file with
 * several names the first is the file and the others are hard links to it.
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
