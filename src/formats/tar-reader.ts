import { RegrowError } from '../errors.ts';
import { type TarEntry, tarBlock } from './tar.ts';

export interface TarReadEntry extends TarEntry {
  readonly content: Uint8Array;
  readonly pax: Readonly<Record<string, string>>;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Seconds since 1970. */
  readonly mtime: number;
}

export interface TarContents {
  readonly entries: readonly TarReadEntry[];
  /** Zero blocks after the last entry: 0 where the archive was left open, as apk's control members are. */
  readonly endBlocks: number;
}

function malformed(what: string): RegrowError {
  return new RegrowError('package.malformed', `not a readable tar archive: ${what}`);
}

/** Text of a fixed field, up to its first NUL. */
function text(block: Buffer, offset: number, width: number): string {
  const field = block.subarray(offset, offset + width);
  const nul = field.indexOf(0);
  return field.toString('utf8', 0, nul < 0 ? width : nul);
}

/** An octal field, or GNU's base-256 form of large values. */
function number(block: Buffer, offset: number, width: number): number {
  if (((block[offset] ?? 0) & 0x80) !== 0) {
    let value = 0;
    for (let i = 1; i < width; i += 1) value = value * 256 + (block[offset + i] ?? 0);
    return value;
  }
  const digits = text(block, offset, width).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits)) throw malformed(`a number field reads ${JSON.stringify(digits)}`);
  return Number.parseInt(digits, 8);
}

function checkSum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let i = 0; i < tarBlock; i += 1) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  if (sum !== number(block, 148, 8)) throw malformed('a header checksum does not match');
}

function parsePax(body: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const digits = body.toString('latin1', at, Math.min(Math.max(space, at), at + 16));
    const end = at + Number(digits);
    if (space < 0 || !/^\d{1,15}$/.test(digits) || end > body.length || end <= space + 1 || body[end - 1] !== 0x0a) {
      throw malformed('a PAX record has a wrong length');
    }
    const record = body.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals < 1) throw malformed('a PAX record has no key');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at = end;
  }
  return records;
}

function entryType(flag: string): TarEntry['type'] | undefined {
  switch (flag) {
    case '0':
    case '7':
      return 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '5':
      return 'directory';
    default:
      return undefined;
  }
}

/** A name as every reader takes it: one that ends at a NUL, is empty or has bytes that are no UTF-8 is another for others. */
function checkedName(name: string): string {
  if (name !== '' && !/[\0\ufffd]/.test(name)) return name;
  throw malformed(`the name ${JSON.stringify(name)} is not read alike by all`);
}

/** The records of a PAX header. Errors: package.malformed, for what apk would not read as it is said here. */
function readPax(body: Buffer, before: Readonly<Record<string, string>>): Record<string, string> {
  if (Object.keys(before).length > 0) throw malformed('an entry has two headers with its name');
  const records = parsePax(body);
  for (const key of ['path', 'linkpath']) if (records[key] !== undefined) checkedName(records[key]);
  return records;
}

function trimPath(path: string): string {
  let start = 0;
  while (path.startsWith('./', start)) start += 2;
  let end = path.length;
  while (end > start && path[end - 1] === '/') end -= 1;
  return path.slice(start, end);
}

export interface TarReadOptions {
  /** What becomes of character devices; without: refused, as every other kind of entry that is no file, directory or link. */
  readonly devices?: 'skip' | ((device: TarDevice) => void);
}

/** A character device. */
export interface TarDevice {
  readonly path: string;
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
}

/**
 * Reads a tar archive: ustar, PAX, and GNU's long names. Contents are views of `archive`, not copies. Devices and fifos are
 * refused, as no package may have them; layers of images that others make have devices. And so is whatever apk-tools (`src/tar.c`) and Go's archive/tar read
 * otherwise than it is read here, since a package would have other files on a machine than those that were looked at: links
 * and directories with a size, a size in a PAX header, a prefix without the ustar magic, global headers, GNU's long links.
 * Errors: package.malformed.
 */
export function readTar(archive: Uint8Array, { devices }: TarReadOptions = {}): TarContents {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries: TarReadEntry[] = [];
  let pax: Record<string, string> = {};
  let at = 0;
  let endBlocks = 0;
  while (at < bytes.length) {
    if (at + tarBlock > bytes.length) throw malformed('it ends within a header');
    const block = bytes.subarray(at, at + tarBlock);
    at += tarBlock;
    if (block.every((byte) => byte === 0)) {
      endBlocks += 1;
      continue;
    }
    if (endBlocks > 0) throw malformed('there are bytes after its end');
    checkSum(block);
    const flag = block.toString('latin1', 156, 157);
    const type = entryType(flag);
    const size = number(block, 124, 12);
    if (pax['size'] !== undefined && pax['size'] !== String(size)) throw malformed('an entry has two sizes');
    if (type !== undefined && type !== 'file' && size !== 0) throw malformed(`a ${type} has a size`);
    const next = at + Math.ceil(size / tarBlock) * tarBlock;
    if (!Number.isSafeInteger(size) || next > bytes.length) throw malformed('an entry is cut off');
    const body = bytes.subarray(at, at + size);
    at = next;
    if (flag === 'x') pax = readPax(body, pax);
    else if (flag === 'L') pax = { ...readPax(Buffer.alloc(0), pax), path: checkedName(text(body, 0, body.length)) };
    else if (flag === '3' && devices !== undefined) {
      if (devices !== 'skip') devices(readDevice(block, body, pax));
      pax = {};
    } else {
      if (type === undefined) throw malformed(`an entry has type ${JSON.stringify(flag)}`);
      entries.push(readEntry(block, { type, body, pax }));
      pax = {};
    }
  }
  if (Object.keys(pax).length > 0) throw malformed('it ends after a header without its entry');
  return { entries, endBlocks };
}

function readDevice(block: Buffer, body: Buffer, pax: Record<string, string>): TarDevice {
  if (body.length > 0) throw malformed('a device has a size');
  const { path, mode } = readEntry(block, { type: 'file', body, pax });
  return { path, mode, major: number(block, 329, 8), minor: number(block, 337, 8) };
}

function readEntry(
  block: Buffer,
  { type, body, pax }: { readonly type: TarEntry['type']; readonly body: Buffer; readonly pax: Record<string, string> },
): TarReadEntry {
  const posix = block.toString('latin1', 257, 265) === 'ustar\x0000';
  if (!posix && block[345] !== 0) throw malformed('an entry has a prefix and is no ustar entry');
  const prefix = text(block, 345, 155);
  const name = text(block, 0, 100);
  const path = checkedName(pax['path'] ?? (prefix === '' ? name : `${prefix}/${name}`));
  const isLink = type === 'symlink' || type === 'hardlink';
  const link = isLink ? checkedName(pax['linkpath'] ?? text(block, 157, 100)) : '';
  return {
    path: trimPath(path),
    type,
    mode: number(block, 100, 8) & 0o7777,
    ...(isLink ? { link: type === 'hardlink' ? trimPath(link) : link } : {}),
    content: body,
    pax,
    owner: { uid: number(block, 108, 8), gid: number(block, 116, 8) },
    mtime: number(block, 136, 12),
  };
}
