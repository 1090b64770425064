import { RegrowError } from '../errors.ts';
import type { GitFile } from '../ports/git.ts';

/** Regular files of `git ls-tree -r -z`: `MODE TYPE ID\tPATH`. Symlinks and submodules are no recipes. */
export function parseTree(listing: string): readonly GitFile[] {
  const files: GitFile[] = [];
  for (const line of listing.split('\0')) {
    const match = /^100\d{3} blob ([0-9a-f]+)\t(.+)$/s.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) files.push({ path: match[2], blob: match[1] });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Answers of `git cat-file --batch`: `ID TYPE SIZE\n`, the bytes, `\n`; or `ID missing\n`. */
export function parseBatch(
  bytes: Uint8Array,
  ids: readonly string[],
  repository: string,
): ReadonlyMap<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  let at = 0;
  for (const id of ids) {
    const end = bytes.indexOf(10, at);
    const header = new TextDecoder().decode(bytes.subarray(at, Math.max(end, at)));
    const size = Number(/^[0-9a-f]+ blob (\d+)$/.exec(header)?.[1] ?? Number.NaN);
    if (end < 0 || Number.isNaN(size) || end + 1 + size > bytes.length) {
      throw new RegrowError('upstream.not-found', `our copy of ${repository} has no blob ${id}`, {
        retry: 'later',
        remedy: 'the next refresh brings it; when it does not, remove the mirror under the state directory',
      });
    }
    contents.set(id, bytes.subarray(end + 1, end + 1 + size));
    at = end + 2 + size;
  }
  return contents;
}
