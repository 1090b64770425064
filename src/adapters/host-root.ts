import { linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, rmdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Libc } from '../model/target.ts';

/** Folders of the host's `/usr` that fill the gaps of a root. */
const merged = ['bin', 'sbin', 'lib', 'lib64', 'libexec', 'share', 'include'];

/** Names that the C compiler goes by; in a musl root each of them is musl-gcc. Debian's c89 and c99 are scripts around gcc. */
const compilerNames = ['cc', 'gcc'];
/** musl-gcc looks into its own folders alone, and reads no LIBRARY_PATH: our packages' have to be said to it. */
const muslCompiler = '#!/bin/sh\nexec /host/usr/bin/musl-gcc "$@" -isystem /usr/include -L/usr/lib\n';
/** There is no C++ for musl on a Debian host: libstdc++ is the other C library's. */
const absentForMusl = ['c++', 'g++'];
/** Links made at a time; a host has thousands. */
const batch = 256;
/** The kernel's headers, the only ones of the host's `/usr/include` that do not belong to its C library. */
const kernelHeaders = ['linux', 'asm-generic'];

/** Makes links to the host's files. */
export interface HostLinks {
  /** A link at `path` to a path of the host as the sandbox shows it. */
  make(hostPath: string, path: string): void;
}

/**
 * Links that are made once, in `folder`, and then shared between roots as hard links: making an inode costs some file
 * systems fifty times as much as giving it one more name, and a root has thousands.
 */
export function createHostLinks(folder: string): HostLinks {
  const made = new Set<string>();
  return {
    make(hostPath, path) {
      const target = `/host${hostPath}`;
      const shared = join(folder, hostPath.slice(1).replaceAll('%', '%25').replaceAll('/', '%2F'));
      try {
        if (!made.has(shared)) {
          mkdirSync(folder, { recursive: true });
          try {
            symlinkSync(target, shared);
          } catch (error) {
            unlessThere(error);
          }
          made.add(shared);
        }
        linkSync(shared, path);
      } catch {
        // No more names for this inode, or a file system without hard links: a link of its own does as well.
        made.delete(shared);
        symlinkSync(target, path);
      }
    },
  };
}

/**
 * A root in which packages of our own and the host's tools live together without a union file system: every gap becomes a
 * symlink to `/host/usr/…`, where the sandbox shows the host's `/usr`. Own files win by being there already.
 */
export async function mergeHost(root: string, libc: Libc, links: HostLinks): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) await linkUnlessThere(`usr/${name}`, join(root, name));
  const etc = await realFolder(root, 'etc');
  if (etc !== undefined && (await isDirectory('/etc/alternatives'))) {
    await linkUnlessThere('/host/etc/alternatives', join(etc, 'alternatives'));
  }

  const multiarch = await multiarchName();
  if (libc === 'musl') await prepareMusl(root, multiarch);
  else if (multiarch !== undefined) {
    await shadow(root, `lib/${multiarch}`, 'lib');
    await shadow(root, `lib/${multiarch}/pkgconfig`, 'lib/pkgconfig');
    await shadow(root, `include/${multiarch}`, 'include');
  }
  for (const folder of merged) {
    if (libc === 'musl' && folder === 'include') continue;
    const leaveOut = libc === 'musl' && folder === 'bin' ? absentForMusl : [];
    const own = await realFolder(root, `usr/${folder}`);
    if (own !== undefined) await fill(`/usr/${folder}`, own, leaveOut, links);
  }
}

/** A folder with nothing of our own in it becomes one link; the others a link for each name that they lack. */
async function fill(host: string, own: string, leaveOut: readonly string[], links: HostLinks): Promise<void> {
  const there = new Map((await readdir(own, { withFileTypes: true })).map((entry) => [entry.name, entry]));
  if (there.size === 0 && leaveOut.length === 0) {
    if (!(await isDirectory(host))) return;
    await rmdir(own);
    await symlink(`/host${host}`, own);
    return;
  }
  const names = (await readdir(host).catch(() => [])).filter((name) => !leaveOut.includes(name));
  const missing = names.filter((name) => !there.has(name));
  for (let start = 0; start < missing.length; start += batch) {
    // Synchronous, because thousands of small calls are several times faster so; in batches, because others wait.
    for (const name of missing.slice(start, start + batch)) links.make(`${host}/${name}`, join(own, name));
    await setImmediate();
  }
  for (const name of names) {
    const entry = there.get(name);
    if (entry?.isDirectory() === true && (await isDirectory(`${host}/${name}`))) {
      await fill(`${host}/${name}`, join(own, name), [], links);
    }
  }
}

/**
 * Debian's loader, compiler and pkg-config look into `/usr/lib/TRIPLET` before `/usr/lib`. Where the host has a file there
 * under the name of one of our own in `/usr/lib`, ours must be found: the name in the multiarch folder becomes a link to it.
 */
async function shadow(root: string, multiarchFolder: string, ownFolder: string): Promise<void> {
  const hostNames = new Set(await readdir(`/usr/${multiarchFolder}`).catch(() => []));
  const owner = await realFolder(root, `usr/${ownFolder}`);
  if (owner === undefined) return;
  const own = await readdir(owner, { withFileTypes: true });
  const both = own.filter((entry) => !entry.isDirectory() && hostNames.has(entry.name));
  if (both.length === 0) return;
  const folder = await realFolder(root, `usr/${multiarchFolder}`);
  if (folder === undefined) return;
  for (const { name } of both) await linkUnlessThere(`/usr/${ownFolder}/${name}`, join(folder, name));
}

async function prepareMusl(root: string, multiarch: string | undefined): Promise<void> {
  const bin = await realFolder(root, 'usr/bin');
  const include = await realFolder(root, 'usr/include');
  if (bin === undefined || include === undefined) return;
  if (await isFile('/usr/bin/musl-gcc')) {
    await writeFile(join(bin, 'musl-gcc'), muslCompiler, { flag: 'wx' }).then(
      () => chmod(join(bin, 'musl-gcc'), 0o755),
      unlessThere,
    );
  }
  for (const name of compilerNames) await linkUnlessThere('musl-gcc', join(bin, name));
  for (const name of kernelHeaders) await linkUnlessThere(`/host/usr/include/${name}`, join(include, name));
  if (multiarch !== undefined) {
    await linkUnlessThere(`/host/usr/include/${multiarch}/asm`, join(include, 'asm'));
    const musl = multiarch.replace('-gnu', '-musl');
    await linkUnlessThere(`/host/usr/include/${musl}`, join(include, musl));
  }
}

/**
 * A folder of the root, made where it is missing; undefined when a package put a link or file on the way. Packages are not
 * verified yet when they are tested, so no write here may follow a link of theirs to somewhere else on this machine.
 */
async function realFolder(root: string, relative: string): Promise<string | undefined> {
  let path = root;
  for (const part of relative.split('/')) {
    path = join(path, part);
    const there = await lstat(path).catch(() => undefined);
    if (there === undefined) {
      await mkdir(path);
      await chmod(path, 0o755);
    } else if (!there.isDirectory()) return undefined;
  }
  return path;
}

/** `x86_64-linux-gnu`: the folder of `/usr/lib` that has the host's C library; none on hosts without multiarch. */
async function multiarchName(): Promise<string | undefined> {
  for (const name of (await readdir('/usr/lib')).sort()) {
    if (
      /^[a-z0-9_]+-linux-gnu[a-z0-9]*$/.test(name) &&
      (await stat(`/usr/lib/${name}/libc.so.6`).catch(() => undefined))
    ) {
      return name;
    }
  }
  return undefined;
}

async function linkUnlessThere(target: string, path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) === undefined) await symlink(target, path);
}

function unlessThere(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
