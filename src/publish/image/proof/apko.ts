import type { TarDevice, TarReadEntry } from '../../../formats/tar-reader.ts';
import type { ImageDefinition } from '../../../model/image-definition.ts';
import type { ImageFile } from '../../../model/image-schema.ts';
import type { ObjectReader } from '../../../ports/objects.ts';
import type { LaidOutImage } from '../assemble.ts';
import { type BlobName, type StoredPlatform, wrong } from '../read.ts';
import { linksOf, type Root, type RootFile, resolvePath } from '../root.ts';
import { proveApkoConfig } from './apko-config.ts';
import { apkoFiles, installedPath, type OwnFile } from './apko-files.ts';
import { inLayer } from './assembled.ts';
import { readLayer } from './layer.ts';

/** The nodes that apko makes below `/dev`: mode, major and minor number. */
const devices: Readonly<Record<string, readonly [number, number, number]>> = {
  'dev/console': [0o620, 5, 1],
  'dev/null': [0o666, 1, 3],
  'dev/random': [0o666, 1, 8],
  'dev/urandom': [0o666, 1, 9],
  'dev/zero': [0o666, 1, 5],
};
/** Directories that apko makes where no package has them, root's and 0755. */
const directories = new Set(
  `bin sbin dev etc opt home usr usr/bin usr/sbin usr/lib usr/lib/apk usr/lib/apk/db usr/lib/apk/exec usr/local usr/local/share
  usr/local/share/ca-certificates usr/share var var/cache var/cache/apk var/cache/misc etc/apk etc/apk/keys etc/ssl etc/ssl/certs`.split(
    /\s+/,
  ),
);
/** Where apko puts links of busybox: to `/bin/busybox`, by a list of its own for each version. */
const appletPath = /^(?:(?:usr\/)?s?bin\/[^/]+|(?:root\/)?linuxrc)$/;
/** PAX records that make nothing else of an entry: others are rights, owners, or holes for some who read it. */
const harmless = /^(?:path|linkpath|size|[mac]time|SCHILY\.xattr\.user\..+)$/;
/** Bytes that a layer may have besides the files of all packages: headers and padding of each entry, and what apko itself writes. */
const perEntry = 8 * 1024;
const ownBytes = 64 * 1024 * 1024;

/** What an image that apko made was asked to be. */
export interface ApkoWish {
  readonly file: ImageFile;
  readonly definition: ImageDefinition;
}

/**
 * Holds every entry of every layer against the root that regrow's assembler lays out of the same packages and definition: each file is the
 * same file, or one that apko writes of the definition and the packages, with what it would write; and no file is missing. The
 * differences of the two engines are those of docs/images.md. Errors: image.invalid.
 */
export async function proveApko(
  objects: ObjectReader,
  ref: string,
  platform: StoredPlatform,
  laid: LaidOutImage,
  wish: ApkoWish,
): Promise<void> {
  await proveApkoConfig(objects, ref, platform, laid);
  const { root, packages } = laid;
  const expected: Expected = {
    root,
    links: linksOf(root),
    own: apkoFiles(laid, wish),
    homes: new Set(
      wish.definition.users.map(({ username, homedir = `/home/${username}` }) => homedir.replace(/^\/+/, '')),
    ),
    modeless: new Set(
      wish.definition.paths
        .filter(({ permissions }) => permissions === undefined)
        .map(({ path }) => path.replace(/^\/+|\/+$/g, '')),
    ),
    services: Object.keys(wish.file.entrypoint?.services ?? {}),
    hasBusybox: packages.some(({ info }) => info.name === 'busybox'),
  };
  const sizes = [...root.values()].map(({ content }) => (content?.length ?? 0) + perEntry);
  const limit = sizes.reduce((sum, size) => sum + size, ownBytes);
  const seen = new Set<string>();
  for (const [i, layer] of platform.layers.entries()) {
    const isTop = i === platform.layers.length - 1;
    const inThis = new Set<string>();
    const onDevice = ({ path, mode, major, minor }: TarDevice) => {
      const known = devices[path];
      if (known === undefined || known[0] !== mode || known[1] !== major || known[2] !== minor)
        throw inLayer(ref, layer, path, `is the device ${major}:${minor}, which no image has`);
    };
    for (const entry of await readLayer(objects, ref, layer, limit, { devices: onDevice })) {
      const { path } = entry;
      if (inThis.has(path)) throw inLayer(ref, layer, path, 'is there twice');
      inThis.add(path);
      seen.add(path);
      const what = problemOf(expected, entry, isTop);
      if (what !== undefined) throw inLayer(ref, layer, path, what);
    }
    // Each layer has one of its own; the last is the one that an image shows.
    if (isTop && !inThis.has(installedPath)) throw inLayer(ref, layer, installedPath, 'is missing');
  }
  const top = platform.layers.at(-1);
  if (top !== undefined) proveComplete(ref, top, expected, seen);
}

interface Expected {
  readonly root: Root;
  readonly links: ReadonlyMap<string, string>;
  /** What apko writes itself, by path. */
  readonly own: ReadonlyMap<string, OwnFile>;
  readonly homes: ReadonlySet<string>;
  /** `paths` without permissions: apko gives them none, regrow the usual ones. */
  readonly modeless: ReadonlySet<string>;
  readonly services: readonly string[];
  readonly hasBusybox: boolean;
}

function problemOf(expected: Expected, entry: TarReadEntry, isTop: boolean): string | undefined {
  const { path, type, mode, owner, pax } = entry;
  const record = Object.keys(pax).find((key) => !harmless.test(key));
  if (record !== undefined) return `has the PAX record ${record}`;
  const own = expected.own.get(path);
  if (own !== undefined) {
    if (type !== 'file') return `is a ${type}, not a file`;
    if (owner.uid !== 0 || owner.gid !== 0 || mode !== own.mode)
      return `has the rights ${rightsOf(mode, owner)}, not ${rightsOf(own.mode)}`;
    return own.problem(Buffer.from(entry.content), isTop);
  }
  const file = expected.root.get(path);
  if (file !== undefined) return differenceOf(expected, file, entry);
  const isPlain = owner.uid === 0 && owner.gid === 0;
  if (type === 'directory' && isPlain && mode === 0o755 && directories.has(path)) return undefined;
  const [top, service, ...rest] = path.split('/');
  const isService = service === undefined || (rest.length === 0 && expected.services.includes(service));
  if (type === 'directory' && isPlain && mode === 0o777 && top === 'sv' && expected.services.length > 0 && isService)
    return undefined;
  if (type === 'symlink' && expected.hasBusybox && entry.link === '/bin/busybox' && appletPath.test(path))
    return undefined;
  return 'is of none of its packages, and not of its definition';
}

function differenceOf(expected: Expected, file: RootFile, entry: TarReadEntry): string | undefined {
  const wanted = file.type === 'hardlink' ? (expected.root.get(file.link ?? '') ?? file) : file;
  if (entry.type === 'hardlink') {
    // Its name in the package may lead through a link: /bin/tool is /usr/bin/tool.
    const target = expected.root.get(resolvePath(expected.links, entry.link ?? '', false));
    if (target?.type !== 'file' || expected.own.has(target.path)) return `is a hard link to ${entry.link}`;
    if (target !== wanted && !isSame(target, wanted)) return `is a hard link to ${entry.link}, another file`;
    // Docker gives the file the rights of the link.
    return rightsProblem(expected, file.path, wanted, entry);
  }
  if (entry.type !== wanted.type) return `is a ${entry.type}, not a ${wanted.type}`;
  if (entry.type === 'symlink')
    return entry.link === wanted.link ? undefined : `leads to ${entry.link}, not to ${wanted.link}`;
  if (entry.type === 'file' && Buffer.compare(entry.content, wanted.content ?? new Uint8Array()) !== 0)
    return 'has other bytes than the file of its package';
  return rightsProblem(expected, file.path, wanted, entry);
}

function rightsProblem(
  expected: Expected,
  path: string,
  wanted: RootFile,
  { mode, owner }: TarReadEntry,
): string | undefined {
  const { uid, gid } = wanted.owner ?? { uid: 0, gid: 0 };
  const isHome = wanted.from === undefined && expected.homes.has(path) && mode === 0o700;
  const isModeless = mode === 0 && wanted.from === undefined && expected.modeless.has(path);
  if ((mode === wanted.mode || isHome || isModeless) && owner.uid === uid && owner.gid === gid) return undefined;
  return `has the rights ${rightsOf(mode, owner)}, not ${rightsOf(wanted.mode, { uid, gid })}`;
}

function isSame(a: RootFile, b: RootFile): boolean {
  const owner = ({ owner: { uid, gid } = { uid: 0, gid: 0 } }: RootFile) => `${uid}:${gid}`;
  const same = a.type === b.type && a.mode === b.mode && owner(a) === owner(b);
  return same && Buffer.compare(a.content ?? new Uint8Array(), b.content ?? new Uint8Array()) === 0;
}

function rightsOf(mode: number, { uid, gid } = { uid: 0, gid: 0 }): string {
  return `${mode.toString(8)} ${uid}:${gid}`;
}

/** What regrow's assembler adds and apko does not are directories and a link for apk 2. */
function proveComplete(ref: string, top: BlobName, { root, own }: Expected, seen: ReadonlySet<string>): void {
  for (const { path, type, from } of root.values()) {
    const isAdded = from === undefined && (type === 'directory' || path === 'lib/apk');
    if (!isAdded && !own.has(path) && !seen.has(path)) throw wrong(ref, `/${path} is in no layer of it`);
  }
  for (const [path, { isNeeded }] of own) if (isNeeded && !seen.has(path)) throw inLayer(ref, top, path, 'is missing');
}
