import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** What was drawn from recipes before, by the digest of their content. */
export interface RecipeCache<T> {
  get(digest: string): T | undefined;
  /** Keeps these entries and no others. Gives false where they cannot be written; the next run is then slower, and no more. */
  replace(entries: ReadonlyMap<string, T>): boolean;
}

/**
 * One file for all recipes in `directory`: reading a few thousand small ones would cost as much as it saves. `key` says all that
 * the values depend on besides the recipe: another key is another file. A file that is not there, or is damaged, is an empty cache.
 */
export function openRecipeCache<T>(directory: string, key: string, value: z.ZodType<T>): RecipeCache<T> {
  const path = join(directory, `recipes-${createHash('sha256').update(key).digest('hex').slice(0, 24)}.json`);
  const entries = read(path, key, value);
  return {
    get: (digest) => entries[digest],
    replace(next) {
      const temporary = `${path}.${process.pid}.tmp`;
      try {
        mkdirSync(directory, { recursive: true });
        writeFileSync(temporary, JSON.stringify({ key, entries: Object.fromEntries(next) }));
        renameSync(temporary, path);
        return true;
      } catch {
        discard(temporary);
        return false;
      }
    },
  };
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Where the file cannot be written, there may be no folder that it could lie in either.
  }
}

function read<T>(path: string, key: string, value: z.ZodType<T>): Readonly<Record<string, T>> {
  const schema = z.strictObject({ key: z.literal(key), entries: z.record(z.string(), value) });
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8'))).entries;
  } catch {
    return {};
  }
}
