import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const root = process.env['REGROW_SHARED_DATA'] ?? resolve(import.meta.dirname, '../../../shared/data');

/** Path of a real data file or folder, which is not part of the repository; undefined, and says so, where it is absent. */
export function sharedData(name: string): string | undefined {
  const path = resolve(root, name);
  if (existsSync(path)) return path;
  process.stderr.write(`skipped: ${path} is not there (set REGROW_SHARED_DATA)\n`);
  return undefined;
}
