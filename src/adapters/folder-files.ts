import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { RegrowError } from '../errors.ts';
import type { NewFile } from './bare-repository.ts';

/**
 * Every file and link below a folder, to be committed, sorted by path. What git keeps for itself (`.git`) and the paths of
 * `leaveOut` (absolute) are not among them. Errors: storage.failed.
 */
export function readFolderFiles(folder: string, leaveOut: ReadonlySet<string> = new Set()): readonly NewFile[] {
  const files: NewFile[] = [];
  const visit = (directory: string): void => {
    for (const name of readdirSync(directory).toSorted()) {
      const path = join(directory, name);
      if (name === '.git' || leaveOut.has(path)) continue;
      const stat = lstatSync(path);
      const file = { path: relative(folder, path) };
      if (stat.isDirectory()) visit(path);
      else if (stat.isSymbolicLink()) files.push({ ...file, mode: '120000', bytes: Buffer.from(readlinkSync(path)) });
      else if (stat.isFile()) {
        files.push({ ...file, mode: (stat.mode & 0o100) === 0 ? '100644' : '100755', bytes: readFileSync(path) });
      }
    }
  };
  try {
    visit(folder);
  } catch (cause) {
    throw new RegrowError('storage.failed', `the files in ${folder} cannot be read`, {
      file: folder,
      cause,
      remedy: 'check that the folder is there and readable',
    });
  }
  return files;
}
