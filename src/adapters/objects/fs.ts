import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Guard, Objects } from '../../ports/objects.ts';
import { checkKey, createFsReader, failed, unlessMissing } from './fs-reader.ts';
import { withFileLock } from './lock.ts';

/** Where unfinished writes are; no key can name it. */
const temporaryFolder = '.tmp';
const lockFile = '.lock';

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Objects in a folder, one file each. A put writes beside, syncs, and renames: a crash leaves the old object or the new one.
 * The etag is the sha256 of the content. `swap`, and `remove` with a guard, are under a lock that all processes on the folder
 * share; objects that are swapped, or are guards, must not be put. Errors: storage.full, storage.failed.
 */
export async function createFsObjects(folder: string): Promise<Objects> {
  const reader = createFsReader(folder);
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
  const isAsItWas = async (guard: Guard | undefined): Promise<boolean> =>
    guard === undefined || (await reader.get(guard.key))?.etag === guard.etag;
  const locked = (key: string, work: () => Promise<boolean>): Promise<boolean> =>
    withFileLock(join(folder, lockFile), work).catch((error: unknown) => {
      throw failed(error, key);
    });
  return {
    ...reader,
    put: write,
    async swap(key, bytes, expected, guard) {
      checkKey(key);
      return locked(key, async () => {
        if (!(await isAsItWas(guard))) return false;
        const current = await reader.get(key);
        if (current?.etag !== expected) return false;
        await write(key, bytes);
        return true;
      });
    },
    async remove(key, guard) {
      const path = pathOf(key);
      const take = async () => {
        await unlessMissing(key, () => unlink(path));
        return true;
      };
      return guard === undefined ? take() : locked(key, async () => (await isAsItWas(guard)) && take());
    },
  };
}
