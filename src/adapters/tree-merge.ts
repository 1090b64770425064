import type { Stats } from 'node:fs';
import { chmod, lstat, readdir, realpath, rename } from 'node:fs/promises';
import { sep } from 'node:path';
import { RegrowError } from '../errors.ts';

// Names are bytes on Linux, and an archive may have any: paths are Buffers here.

/**
 * Moves what lies in `fresh`, a directory that trusted programs filled from untrusted data, into `into`. Both are on one file
 * system. Files and links that stand there are replaced, never written through; directories are merged. Errors:
 * build.output-unsafe when a link on the way leads out of `top`, when a file stands where a directory is due or the other
 * way round, and when `fresh` holds anything but files, directories and symlinks of its own.
 */
export async function mergeTree(fresh: string, into: string, top: string): Promise<void> {
  await checkTree(Buffer.from(fresh));
  await merge(Buffer.from(fresh), Buffer.from(into), await realpath(top));
}

async function merge(from: Buffer, to: Buffer, top: string): Promise<void> {
  for (const { path, name } of await children(from)) {
    const source = await lstat(path);
    const target = Buffer.concat([to, slash, name]);
    const there = await lstat(target).catch(() => undefined);
    if (source.isDirectory() && there !== undefined) {
      const real = there.isSymbolicLink() ? await realpath(target, { encoding: 'buffer' }) : target;
      if (!isBelow(real, top)) throw unsafe(target, 'a symlink on the way leads out of the directory');
      if (!(await lstat(real)).isDirectory()) throw unsafe(target, 'a file stands where a directory is due');
      await merge(path, real, top);
    } else if (there?.isDirectory() === true) {
      throw unsafe(target, 'a directory stands where a file is due');
    } else {
      await move(path, source, target);
    }
  }
}

/** A directory gets another parent only when it is writable. */
async function move(from: Buffer, stat: Stats, to: Buffer): Promise<void> {
  const locked = stat.isDirectory() && (stat.mode & 0o200) === 0;
  if (locked) await chmod(from, (stat.mode & 0o7777) | 0o700);
  await rename(from, to);
  if (locked) await chmod(to, stat.mode & 0o7777);
}

/** A file with a name outside of the tree is somebody else's file; a device is this machine's. */
async function checkTree(root: Buffer): Promise<void> {
  const names = new Map<string, { readonly path: Buffer; readonly all: number; found: number }>();
  const look = async (directory: Buffer): Promise<void> => {
    for (const { path } of await children(directory)) {
      const stat = await lstat(path);
      if (stat.isDirectory()) await look(path);
      else if (stat.isFile()) {
        if (stat.nlink === 1) continue;
        const key = `${stat.dev}:${stat.ino}`;
        const known = names.get(key) ?? { path, all: stat.nlink, found: 0 };
        known.found += 1;
        names.set(key, known);
      } else if (!stat.isSymbolicLink()) throw unsafe(path, 'it is no file, directory or symlink');
    }
  };
  await look(root);
  for (const { path, all, found } of names.values()) {
    if (found !== all) throw unsafe(path, 'it is a hard link to a file outside of the archive');
  }
}

const slash = Buffer.from('/');

async function children(directory: Buffer): Promise<{ readonly path: Buffer; readonly name: Buffer }[]> {
  const names = await readdir(directory, { encoding: 'buffer' });
  return names.map((name) => ({ name, path: Buffer.concat([directory, slash, name]) }));
}

function isBelow(path: Buffer, top: string): boolean {
  return path.equals(Buffer.from(top)) || path.subarray(0, Buffer.byteLength(top) + 1).equals(Buffer.from(top + sep));
}

function unsafe(path: Buffer, why: string): RegrowError {
  const shown = path.toString('utf8');
  return new RegrowError('build.output-unsafe', `${shown}: ${why}`, {
    file: shown,
    remedy: 'keep every path of the sources and of the recipe inside its own directory',
  });
}
