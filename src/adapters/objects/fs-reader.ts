import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RegrowError, toRegrowError } from '../../errors.ts';
import type { ObjectReader } from '../../ports/objects.ts';

/** Parts of a key: what every filesystem and bucket can hold, and never `.`, `..` or a hidden name. */
const keyPart = /^[A-Za-z0-9_][A-Za-z0-9._+@:=~-]*$/;

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Any error of the folder as storage.full or storage.failed. */
export function failed(error: unknown, key: string): RegrowError {
  const known = toRegrowError(error, { file: key });
  if (known.code !== 'internal') return known;
  return new RegrowError('storage.failed', `object ${key}: ${known.message}`, {
    file: key,
    cause: error,
    retry: 'later',
    remedy: 'check that the object folder is there and that the daemon may write in it',
  });
}

/** Errors: storage.failed, for what is no key. */
export function checkKey(key: string): void {
  if (key.length <= 1024 && key.split('/').every((part) => keyPart.test(part))) return;
  throw new RegrowError('storage.failed', `${JSON.stringify(key)} is not an object key`, {
    field: 'key',
    remedy: 'keys are parts of letters, digits and . _ + @ : = ~ - between slashes',
  });
}

/** Undefined where nothing of this name is there. */
export async function unlessMissing<T>(key: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error))) return undefined;
    throw failed(error, key);
  }
}

export function etagOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Objects in a folder, to be read: it writes nothing and makes nothing, so that a process that may not write can use it. The
 * etag is the sha256 of the content. Errors: storage.failed.
 */
export function createFsReader(folder: string): ObjectReader {
  const pathOf = (key: string): string => {
    checkKey(key);
    return join(folder, key);
  };
  return {
    async get(key) {
      const path = pathOf(key);
      const bytes = await unlessMissing(key, () => readFile(path));
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
    async list(prefix) {
      const keys: string[] = [];
      await collect(folder, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, keys);
      return keys.toSorted();
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
