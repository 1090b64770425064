import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { RegrowError } from '../errors.ts';

/**
 * The name of a state directory, which nothing else has: who asks a daemon can tell whether it is the one of this
 * configuration. `file`: as `statePaths` gives it. Undefined where no daemon has run with it yet.
 */
export function readInstance(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The same, made where there is none. Errors: storage.failed. */
export function ensureInstance(file: string): string {
  const known = readInstance(file);
  if (known !== undefined) return known;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${randomUUID()}\n`, { flag: 'wx' });
  } catch (cause) {
    // Another process with the same state directory may have been faster.
    const theirs = readInstance(file);
    if (theirs !== undefined) return theirs;
    throw new RegrowError('storage.failed', `${file} cannot be written`, { file, cause });
  }
  return ensureInstance(file);
}
