import { constants } from 'node:fs';
import {
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  realpath,
  rename,
  rm,
  statfs,
  symlink,
  unlink,
} from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Exec } from '../ports/exec.ts';
import type { TreeEntry, UnpackEntry, Workspace, Workspaces } from '../ports/workspace.ts';
import { extractArchive } from './archive.ts';
import { createHostLinks, type HostLinks, mergeHost } from './host-root.ts';
import { mergeTree } from './tree-merge.ts';
import { setTreeTimes, walkTree } from './tree-walk.ts';

/** Bytes: a disk with less is full, as the sandbox has it. */
const fullDiskMargin = 1024 * 1024;

export interface WorkspacesOptions {
  /** The folder that workspaces are made in; made when absent. */
  readonly directory: string;
  /** For tar and unzip. */
  readonly exec: Exec;
}

export function createWorkspaces(options: WorkspacesOptions): Workspaces {
  const links = createHostLinks(join(options.directory, '.host-links'));
  return {
    async create(label) {
      return guard(async () => {
        // Nobody else on this machine has business in half-built packages.
        await mkdir(options.directory, { recursive: true, mode: 0o700 });
        const safe = label.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 60);
        const base = await realpath(await mkdtemp(join(options.directory, `${safe}-`)));
        await chmod(base, 0o755);
        return {
          ...createWorkspace(base, options.exec, links),
          dispose: () => guard(() => removeTree(options.exec, base)),
        };
      });
    },
  };
}

function createWorkspace(base: string, exec: Exec, links: HostLinks): Workspace {
  const inside = (relative: string): string => join(base, ...components(relative));
  /** A path whose parent is truly below `top`: untrusted code may have put a symlink anywhere on the way. */
  const contained = async (relative: string, top = base): Promise<string> => {
    const path = inside(relative);
    if (path === top) return path;
    return join(await realParent(top, dirname(path), relative), path.slice(dirname(path).length + 1));
  };
  /** The path of a directory itself, not of a link to one. */
  const directory = async (relative: string): Promise<string> => {
    const path = await contained(relative);
    if ((await lstat(path).catch(() => undefined))?.isDirectory() === true) return path;
    throw unsafe(relative, 'it is no directory');
  };
  const makeDirectory = async (relative: string, top = base): Promise<string> => {
    let path = base;
    for (const component of components(relative)) {
      path = join(path, component);
      const stat = await lstat(path).catch(() => undefined);
      if (stat === undefined) await makeFolder(path);
      else if (stat.isSymbolicLink()) path = await realParent(top, path, relative);
      else if (!stat.isDirectory()) throw unsafe(relative, 'a file stands where a directory is due');
    }
    return path;
  };
  /** Fills a directory that no step can reach, and moves what `work` says of it. */
  const fill = async <T>(
    into: string,
    within: string,
    work: (directory: string) => Promise<{ readonly from: readonly string[]; readonly value: T }>,
  ): Promise<T> => {
    const top = inside(within);
    const target = await makeDirectory(into, top);
    const fresh = await mkdtemp(join(base, 'fresh-'));
    try {
      await chmod(fresh, 0o755);
      const { from, value } = await work(fresh);
      for (const directory of from) await mergeTree(directory, target, top);
      return value;
    } finally {
      await removeTree(exec, fresh);
    }
  };

  return {
    path: inside,
    makeDirectory: (relative) =>
      guard(async () => {
        await makeDirectory(relative);
      }),
    write: (relative, content, mode = 0o644) =>
      guard(async () => {
        await makeDirectory(dirname(relative));
        await writeNew(await contained(relative), content, mode);
      }),
    read: (relative, most) => guard(async () => readPlain(await contained(relative), relative, most)),
    exists: (relative) =>
      guard(async () => {
        // A parent that is missing, or that leads away, holds nothing of ours.
        const path = await contained(relative).catch(() => undefined);
        return path !== undefined && (await lstat(path).catch(() => undefined)) !== undefined;
      }),
    list: (relative) => guard(async () => (await readdir(await directory(relative))).sort()),
    walk: (relative) => guard(async (): Promise<readonly TreeEntry[]> => walkTree(await directory(relative))),
    unpack: (relative, entries) =>
      guard(async () => {
        await makeDirectory(relative);
        await unpackEntries(await realpath(await contained(relative)), entries);
      }),
    fill: (into, work, within = '') =>
      guard(() => fill(into, within, async (directory) => ({ from: [directory], value: await work(directory) }))),
    extract: (archive, into, strip, within = '') =>
      guard(() =>
        fill(into, within, async (directory) => ({
          from: await extractArchive(exec, archive, directory, strip),
          value: undefined,
        })),
      ),
    copy: (file, relative, within = '') =>
      guard(async () => {
        await makeDirectory(dirname(relative), inside(within));
        const path = await contained(relative, inside(within));
        await rm(path, { force: true });
        await copyFile(file, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
        await chmod(path, 0o644);
      }),
    mergeHost: (relative, libc) =>
      guard(async () => {
        await makeDirectory(relative);
        await mergeHost(await contained(relative), libc, links);
      }),
    setTimes: (relative, time) => guard(async () => setTreeTimes(Buffer.from(await contained(relative)), time)),
    remove: (relative) => guard(async () => removeTree(exec, await contained(relative))),
    isDiskFull: () =>
      guard(async () => {
        const { bavail, bsize, ffree, files } = await statfs(base);
        return bavail * bsize < fullDiskMargin || (files > 0 && ffree === 0);
      }),
  };
}

function components(relative: string): readonly string[] {
  const parts = relative.split('/').filter((part) => part !== '' && part !== '.');
  if (relative.startsWith('/') || parts.includes('..') || relative.includes('\0')) {
    throw unsafe(relative, 'it does not stay in its directory');
  }
  return parts;
}

async function realParent(base: string, directory: string, shown: string): Promise<string> {
  const real = await realpath(directory).catch((error: unknown) => {
    if (!isCode(error, 'ENOENT') && !isCode(error, 'ELOOP') && !isCode(error, 'ENOTDIR')) throw error;
    throw unsafe(shown, 'a part of it is not there, or a symlink on the way leads nowhere');
  });
  if (real !== base && !real.startsWith(base + sep))
    throw unsafe(shown, 'a symlink on the way leads out of the directory');
  return real;
}

/** With the same mode whatever the umask of the daemon: it gets into packages, and the build user has to come through. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, 0o755);
}

/** Writes a file that was not there: what stood there is removed, not written through. */
async function writeNew(path: string, content: Uint8Array | string, mode: number): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isCode(error, 'ENOENT')) throw error;
  });
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    await file.writeFile(content);
    await file.chmod(mode & 0o1777);
  } finally {
    await file.close();
  }
}

async function readPlain(path: string, shown: string, most: number | undefined): Promise<Uint8Array> {
  const openPlain = () => open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const file = await openPlain().catch(async (error: unknown) => {
    if (isCode(error, 'ELOOP')) throw unsafe(shown, 'it is a symlink');
    if (!isCode(error, 'EACCES')) throw error;
    // A package may have files that nobody but root can read; whoever builds as somebody else opens their own for a moment.
    const stat = await lstat(path);
    if (!stat.isFile()) throw unsafe(shown, 'it is no file');
    await chmod(path, (stat.mode & 0o7777) | 0o400);
    try {
      return await openPlain();
    } finally {
      await chmod(path, stat.mode & 0o7777);
    }
  });
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw unsafe(shown, 'it is no file');
    if (most === undefined || stat.size <= most) return await file.readFile();
    const start = Buffer.alloc(most);
    return start.subarray(0, (await file.read(start, 0, most, 0)).bytesRead);
  } finally {
    await file.close();
  }
}

async function unpackEntries(base: string, entries: Iterable<UnpackEntry>): Promise<void> {
  /** Directories already known to be below the base: no entry ever replaces a directory. */
  const known = new Map<string, string>();
  const parentOf = async (parts: readonly string[], shown: string): Promise<string> => {
    const key = parts.join('/');
    const found = known.get(key);
    if (found !== undefined) return found;
    let path = base;
    if (parts.length > 0) {
      const parent = await parentOf(parts.slice(0, -1), shown);
      path = join(parent, parts.at(-1) ?? '');
      await makeFolder(path).catch((error: unknown) => {
        if (!isCode(error, 'EEXIST')) throw error;
      });
      path = await realParent(base, path, shown);
      if (!(await lstat(path)).isDirectory()) throw unsafe(shown, 'a file stands where a directory is due');
    }
    known.set(key, path);
    return path;
  };

  for (const entry of entries) {
    const parts = components(entry.path);
    const name = parts.at(-1);
    if (name === undefined) continue;
    if (entry.type === 'directory') {
      const path = await parentOf(parts, entry.path);
      // The owner must be able to write into it and to remove it again, whatever the package says.
      await chmod(path, (entry.mode & 0o1777) | 0o700);
      continue;
    }
    const path = join(await parentOf(parts.slice(0, -1), entry.path), name);
    if ((await lstat(path).catch(() => undefined))?.isDirectory()) {
      throw unsafe(entry.path, 'a directory stands where a file is due');
    }
    if (entry.type === 'file') {
      await writeNew(path, entry.content ?? new Uint8Array(), entry.mode);
      continue;
    }
    await rm(path, { force: true });
    if (entry.type === 'symlink') await symlink(entry.link ?? '', path);
    else {
      const target = components(entry.link ?? '');
      const from = join(await parentOf(target.slice(0, -1), entry.path), target.at(-1) ?? '');
      await link(from, path);
    }
  }
}

/** Removes a tree, also where its directories do not let their owner in; by way of another name, so that it is gone at once. */
async function removeTree(exec: Exec, path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return;
  const doomed = `${path}.removed`;
  await rename(path, doomed);
  try {
    await rm(doomed, { recursive: true, force: true }).catch(async (error: unknown) => {
      if (!isCode(error, 'EACCES') && !isCode(error, 'EPERM')) throw error;
      await openDirectories(doomed);
      await rm(doomed, { recursive: true, force: true });
    });
  } catch (error) {
    if (!isCode(error, 'ENAMETOOLONG')) throw error;
    await removeDeepTree(exec, doomed);
  }
}

/** A step can make paths that are longer than the kernel takes at once; these programs go down one directory at a time. */
async function removeDeepTree(exec: Exec, path: string): Promise<void> {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C.UTF-8' };
  await exec.run({ argv: ['chmod', '-R', 'u+rwX', '--', path], env });
  const { exitCode, stderr } = await exec.run({ argv: ['rm', '-rf', '--', path], env });
  if (exitCode !== 0) throw new Error(`${path} cannot be removed: ${stderr.trim().slice(-500)}`);
}

async function openDirectories(path: string): Promise<void> {
  await chmod(path, 0o700);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isDirectory()) await openDirectories(join(path, entry.name));
  }
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = toRegrowError(error);
    if (known.code !== 'internal') throw known;
    // The limit is the kernel's, and the next try would meet it again.
    if (isCode(error, 'ENAMETOOLONG')) throw unsafe('a file of the build', 'its path is longer than 4096 bytes');
    throw new RegrowError('storage.failed', known.message, { cause: error, retry: 'later' });
  }
}

function unsafe(path: string, why: string): RegrowError {
  return new RegrowError('build.output-unsafe', `${path}: ${why}`, {
    file: path,
    remedy: 'keep every path of the package and of the recipe inside its own directory',
  });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
