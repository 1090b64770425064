import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RegrowError, toRegrowError } from '../../errors.ts';
import type { Objects } from '../../ports/objects.ts';
import { withFileLock } from './lock.ts';

/** Where unfinished writes are; no key can name it. */
const temporaryFolder = '.tmp';
const lockFile = '.lock';
/** Parts of a key: what every filesystem and bucket can hold, and never `.`, `..` or a hidden name. */
const keyPart = /^[A-Za-z0-9_][A-Za-z0-9._+@:=~-]*$/;

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function failed(error: unknown, key: string): RegrowError {
  const known = toRegrowError(error, { file: key });
  if (known.code !== 'internal') return known;
  return new RegrowError('storage.failed', `object ${key}: ${known.message}`, {
    file: key,
    cause: error,
    retry: 'later',
    remedy: 'check that the object folder is there and that the daemon may write in it',
  });
}

function checkKey(key: string): void {
  if (key.length <= 1024 && key.split('/').every((part) => keyPart.test(part))) return;
  throw new RegrowError('storage.failed', `${JSON.stringify(key)} is not an object key`, {
    field: 'key',
    remedy: 'keys are parts of letters, digits and . _ + @ : = ~ - between slashes',
  });
}

/** Undefined where nothing of this name is there. */
async function unlessMissing<T>(key: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error))) return undefined;
    throw failed(error, key);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function etagOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Objects in a folder, one file each. A put writes beside, syncs, and renames: a crash leaves the old object or the new one.
 * The etag is the sha256 of the content. `swap` is under a lock that all processes on the folder share; objects that are
 * swapped must not be put. Errors: storage.full, storage.failed.
 */
export async function createFsObjects(folder: string): Promise<Objects> {
  const temporary = join(folder, temporaryFolder);
  try {
    await mkdir(temporary, { recursive: true });
  } catch (error) {
    throw failed(error, folder);
  }
  const pathOf = (key: string): string => {
    checkKey(key);
    return join(folder, key);
  };
  const write = async (key: string, bytes: Uint8Array): Promise<void> => {
    const path = pathOf(key);
    const draft = join(temporary, randomUUID());
    try {
      const handle = await open(draft, 'wx', 0o644);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await mkdir(dirname(path), { recursive: true });
      await rename(draft, path);
      await syncFolder(dirname(path));
    } catch (error) {
      await rm(draft, { force: true }).catch(() => undefined);
      throw failed(error, key);
    }
  };
  const read = (key: string): Promise<Uint8Array | undefined> => unlessMissing(key, () => readFile(pathOf(key)));
  return {
    async get(key) {
      const bytes = await read(key);
      return bytes === undefined ? undefined : { bytes, etag: etagOf(bytes) };
    },
    async stream(key) {
      const path = pathOf(key);
      const found = await unlessMissing(key, () => stat(path));
      if (found === undefined || !found.isFile()) return undefined;
      return { size: found.size, body: chunks(path, key) };
    },
    async has(key) {
      const path = pathOf(key);
      const found = await unlessMissing(key, () => stat(path));
      return found?.isFile() ?? false;
    },
    put: write,
    async swap(key, bytes, expected) {
      checkKey(key);
      return withFileLock(join(folder, lockFile), async () => {
        const current = await read(key);
        if ((current === undefined ? undefined : etagOf(current)) !== expected) return false;
        await write(key, bytes);
        return true;
      }).catch((error: unknown) => {
        throw failed(error, key);
      });
    },
    async list(prefix) {
      const keys: string[] = [];
      await collect(folder, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, keys);
      return keys.toSorted();
    },
    async remove(key) {
      const path = pathOf(key);
      await unlessMissing(key, () => unlink(path));
    },
  };
}

async function* chunks(path: string, key: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk as Uint8Array;
  } catch (error) {
    throw failed(error, key);
  }
}

/** Adds the keys below `under` (empty, or ending in `/`) that start with `prefix`. */
async function collect(folder: string, under: string, prefix: string, keys: string[]): Promise<void> {
  if (!under.split('/').every((part) => part === '' || keyPart.test(part))) return;
  const entries = (await unlessMissing(prefix, () => readdir(join(folder, under), { withFileTypes: true }))) ?? [];
  for (const entry of entries) {
    const key = `${under}${entry.name}`;
    if (!keyPart.test(entry.name)) continue;
    if (entry.isFile() && key.startsWith(prefix)) keys.push(key);
    if (entry.isDirectory() && (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`))) {
      await collect(folder, `${key}/`, prefix, keys);
    }
  }
}
