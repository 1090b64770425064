import { RegrowError } from '../errors.ts';
import type { TreeEntry } from '../ports/workspace.ts';

/** What is looked at of an entry: of a tree that is to become a package, or of a package that somebody made. */
type CheckedEntry = Pick<TreeEntry, 'path' | 'type' | 'mode' | 'link'>;

const setIds = 0o6000;
/** apk's own rule for names (apk-tools `apk_blob` name validation): what may stand in a file name and in a dependency. */
const packageName = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;

function unsafe(name: string, path: string, what: string, remedy: string): RegrowError {
  return new RegrowError('build.output-unsafe', `package ${name}: ${path} ${what}`, {
    package: name,
    file: path,
    remedy,
  });
}

/** What an entry takes in a package besides its content: headers for its name and its hash. */
const entrySize = 1536;

/** Bytes that the files of one package may have together: it is put together, and read back, in memory. */
const packageSizeLimit = 1.5 * 2 ** 30;
/** Of all packages of one build: they are kept until its tests have run. */
export const buildSizeLimit = 2 * packageSizeLimit;

/**
 * Refuses a tree whose files are more than a package may hold, before any of them is read; a sparse file counts as long as it
 * says it is. Errors: build.output-unsafe, naming the largest file.
 */
export function checkSize(
  name: string,
  entries: readonly Pick<TreeEntry, 'path' | 'size'>[],
  limit: number = packageSizeLimit,
  what = 'a package',
): void {
  const sum = entries.reduce((total, { size }) => total + size + entrySize, 0);
  if (sum <= limit) return;
  const largest = entries.reduce((a, b) => (b.size > a.size ? b : a));
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw unsafe(
    name,
    largest.path,
    `has ${megabytes(largest.size)} of the ${megabytes(sum)} in ${entries.length} files and directories; ${what} may have ${megabytes(limit)}`,
    'leave out what is not needed, or split the package',
  );
}

/** How many directories a relative link climbs above the root, from the directory that it stands in. */
function leavesRoot(path: string, link: string): boolean {
  if (link.startsWith('/')) return false;
  let depth = path.split('/').length - 1;
  for (const part of link.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

function checkPath(name: string, path: string): void {
  const parts = path.split('/');
  const quoted = JSON.stringify(path);
  if (path === '' || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw unsafe(name, quoted, 'is outside of the package', 'install below ${{targets.destdir}} only');
  }
  // biome-ignore lint: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) {
    throw unsafe(name, quoted, 'has a control character in its name', 'rename the file in the recipe');
  }
  if (parts[0]?.startsWith('.')) {
    throw unsafe(
      name,
      path,
      'starts with a dot at the top of the package',
      'apk drops such files: install it elsewhere',
    );
  }
}

/** No directory of the disk has a link or a file on the way: what is below one is put where the link leads. */
function checkParents(name: string, path: string, types: ReadonlyMap<string, CheckedEntry['type']>): void {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const type = types.get(path.slice(0, slash)) ?? 'directory';
    if (type === 'directory') continue;
    throw unsafe(name, path, `is below ${path.slice(0, slash)}, a ${type}`, 'install it below a directory');
  }
}

/**
 * Refuses what may not go into a package: paths and links that leave it, devices and sockets, setuid and setgid files, and
 * a package name that would be read as a path. Errors: build.output-unsafe, naming package and file.
 */
export function checkTree(name: string, entries: readonly CheckedEntry[]): void {
  if (!packageName.test(name)) {
    throw new RegrowError('build.output-unsafe', `${JSON.stringify(name)} is not a package name`, {
      package: name,
      field: 'package.name',
      remedy: 'use letters, digits, and . _ + - after the first character',
    });
  }
  const types = new Map<string, CheckedEntry['type']>();
  for (const { path, type } of entries) {
    if (types.has(path)) throw unsafe(name, path, 'is there twice', 'install one of them');
    types.set(path, type);
  }
  const seen = new Set<string>();
  for (const entry of entries) {
    checkPath(name, entry.path);
    checkParents(name, entry.path, types);
    if (entry.type === 'other') {
      throw unsafe(name, entry.path, 'is a device, pipe or socket', 'packages hold files, directories and links');
    }
    if (entry.type !== 'symlink' && (entry.mode & setIds) !== 0) {
      throw unsafe(
        name,
        entry.path,
        `has mode ${entry.mode.toString(8)}: setuid and setgid are not allowed`,
        'chmod it in the recipe, and let the image or the administrator raise the mode',
      );
    }
    if (entry.type === 'symlink' && leavesRoot(entry.path, entry.link ?? '')) {
      throw unsafe(name, entry.path, `links to ${entry.link}, above the root`, 'link within the package');
    }
    if (entry.type === 'file') seen.add(entry.path);
    if (entry.type === 'hardlink' && !seen.has(entry.link ?? '')) {
      const what = `is a hard link to ${entry.link}, which is no file of the package that comes before it`;
      throw unsafe(name, entry.path, what, 'copy the file');
    }
  }
}
