/** One member of a tar archive. Paths have no leading `./` or `/` and no trailing `/`. */
export interface TarEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  /** Target of a symlink; path of an earlier entry for a hard link. */
  readonly link?: string;
  /** Of files; absent is empty. */
  readonly content?: Uint8Array;
  /** Numeric owner; absent is root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** PAX records of this entry besides those that its own fields need, for example `APK-TOOLS.checksum.SHA1`. */
  readonly pax?: Readonly<Record<string, string>>;
}

export interface TarOptions {
  /** Modification time of every entry, seconds since 1970. */
  readonly mtime: number;
  /** Whether the two zero blocks that end an archive are written. */
  readonly end: boolean;
}

export const tarBlock = 512;
const typeFlags = { file: '0', hardlink: '1', symlink: '2', directory: '5', pax: 'x' } as const;
const nameLimit = 100;
const prefixLimit = 155;
/** The largest size that eleven octal digits hold, 8 GiB − 1: apk-tools reads no other form. */
const sizeLimit = 0o77777777777;

interface Header {
  readonly name: Buffer;
  readonly prefix?: Buffer;
  readonly type: keyof typeof typeFlags;
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly link?: Buffer;
  /** Undefined leaves names and device numbers empty, as PAX headers have them. Only root is written with its name. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** Zero-padded octal with a closing NUL, in `width` bytes. */
function octal(block: Buffer, offset: number, width: number, value: number): void {
  block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, offset, 'latin1');
}

/** One ustar header block. Field layout: POSIX.1-1988 ustar. */
function headerBlock(header: Header): Buffer {
  const block = Buffer.alloc(tarBlock);
  header.name.copy(block, 0, 0, nameLimit);
  octal(block, 100, 8, header.mode);
  octal(block, 108, 8, header.owner?.uid ?? 0);
  octal(block, 116, 8, header.owner?.gid ?? 0);
  octal(block, 124, 12, header.size);
  octal(block, 136, 12, header.mtime);
  block.write(typeFlags[header.type], 156, 'latin1');
  header.link?.copy(block, 157, 0, nameLimit);
  block.write('ustar\x0000', 257, 'latin1');
  if (header.owner !== undefined) {
    if (header.owner.uid === 0) block.write('root', 265, 'latin1');
    if (header.owner.gid === 0) block.write('root', 297, 'latin1');
    octal(block, 329, 8, 0);
    octal(block, 337, 8, 0);
  }
  header.prefix?.copy(block, 345, 0, prefixLimit);
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself (POSIX.1-2001 pax). */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function ascii(bytes: Buffer): Buffer {
  return isAscii(bytes) ? bytes : Buffer.from(bytes.filter((byte) => byte < 0x80));
}

/** A long ASCII path cut at a `/` so that both halves fit the ustar fields, or undefined when no cut does. */
function splitPath(path: Buffer): { prefix: Buffer; name: Buffer } | undefined {
  const slash = path.lastIndexOf('/', prefixLimit);
  if (slash <= 0 || path.length - slash - 1 > nameLimit || slash === path.length - 1) return undefined;
  return { prefix: path.subarray(0, slash), name: path.subarray(slash + 1) };
}

function padding(size: number): Buffer {
  return Buffer.alloc((tarBlock - (size % tarBlock)) % tarBlock);
}

function* paxBlocks(path: string, records: ReadonlyMap<string, string>): Generator<Uint8Array> {
  const text = [...records.keys()]
    .sort()
    .map((key) => paxRecord(key, records.get(key) ?? ''))
    .join('');
  const body = Buffer.from(text, 'utf8');
  const slash = path.lastIndexOf('/');
  const name = `${path.slice(0, slash + 1)}PaxHeaders.0/${path.slice(slash + 1)}`;
  yield headerBlock({ name: ascii(Buffer.from(name)), type: 'pax', mode: 0, size: body.length, mtime: 0 });
  yield body;
  yield padding(body.length);
}

function* entryBlocks(entry: TarEntry, mtime: number): Generator<Uint8Array> {
  const path = Buffer.from(entry.path, 'utf8');
  const link = Buffer.from(entry.link ?? '', 'utf8');
  const content = entry.type === 'file' ? (entry.content ?? new Uint8Array()) : new Uint8Array();
  if (content.length > sizeLimit) throw new RangeError(`${entry.path} is larger than a ustar header can say`);
  const records = new Map(Object.entries(entry.pax ?? {}));
  const longPath = path.length > nameLimit || !isAscii(path);
  const split = longPath && isAscii(path) ? splitPath(path) : undefined;
  if (link.length > nameLimit || !isAscii(link)) records.set('linkpath', entry.link ?? '');
  // The split form is for entries that need no PAX header anyway; others carry their path there.
  if (longPath && (records.size > 0 || split === undefined)) records.set('path', entry.path);
  const useSplit = split !== undefined && records.size === 0;
  if (records.size > 0) yield* paxBlocks(entry.path, records);
  yield headerBlock({
    name: useSplit ? split.name : ascii(path),
    ...(useSplit ? { prefix: split.prefix } : {}),
    type: entry.type,
    mode: entry.mode & 0o7777,
    size: content.length,
    mtime,
    link: ascii(link),
    owner: entry.owner ?? { uid: 0, gid: 0 },
  });
  yield content;
  yield padding(content.length);
}

/**
 * A deterministic tar archive: ustar headers, owner root, one modification time, a PAX header only where an entry has
 * records or does not fit a ustar header. Field for field what Go's archive/tar writes, which melange uses; so archives of
 * the same entries compare equal before compression. Entries keep the caller's order.
 */
export function writeTar(entries: Iterable<TarEntry>, options: TarOptions): Buffer {
  const chunks: Uint8Array[] = [];
  for (const entry of entries) chunks.push(...entryBlocks(entry, options.mtime));
  if (options.end) chunks.push(Buffer.alloc(2 * tarBlock));
  return Buffer.concat(chunks);
}
