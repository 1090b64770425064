/** A file, link or directory as its headers say. */
export interface Entry {
  readonly path: string;
  /** `0` file, `1` hard link, `2` symlink, `5` directory. */
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  readonly mtime: number;
  readonly link: string;
  readonly content: Buffer;
  readonly pax: ReadonlyMap<string, string>;
}

export interface Archive {
  readonly entries: readonly Entry[];
  /** Blocks of zeros behind the last entry. */
  readonly endBlocks: number;
}

const block = 512;

function text(header: Buffer, from: number, size: number): string {
  const field = header.subarray(from, from + size);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? size : end).toString('utf8');
}

/** Octal digits to the last but one byte, then NUL: the only form that apk-tools reads. */
function octal(header: Buffer, from: number, size: number): number {
  const field = header.subarray(from, from + size).toString('latin1');
  if (!new RegExp(`^[0-7]{${size - 1}}\0$`).test(field)) throw new Error(`${JSON.stringify(field)} is no octal field`);
  return Number.parseInt(field, 8);
}

function checkHeader(header: Buffer): void {
  if (header.subarray(257, 265).toString('latin1') !== 'ustar\x0000') throw new Error('a header is not ustar');
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (Number.parseInt(text(header, 148, 8), 8) !== sum) throw new Error('a header has a wrong checksum');
}

/** `LENGTH KEY=VALUE\n`, the length counting all of it (POSIX.1-2001, pax). */
function records(body: Buffer): Map<string, string> {
  const found = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const length = Number(/^\d+(?= )/.exec(body.subarray(at, at + 20).toString('latin1'))?.[0] ?? 0);
    const record = body.subarray(at, at + length).toString('utf8');
    const [, key = '', value] = /^\d+ ([^=]+)=(.*)\n$/s.exec(record) ?? [];
    if (value === undefined) throw new Error(`no PAX record: ${JSON.stringify(record)}`);
    found.set(key, value);
    at += length;
  }
  return found;
}

/** Reads an uncompressed tar strictly: ustar and PAX headers of single files, and nothing behind the zero blocks. */
export function readArchive(bytes: Buffer): Archive {
  if (bytes.length % block !== 0) throw new Error(`${bytes.length} bytes are no whole blocks`);
  const entries: Entry[] = [];
  let pax = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const header = bytes.subarray(at, at + block);
    if (header.every((byte) => byte === 0)) break;
    checkHeader(header);
    const flag = header.subarray(156, 157).toString('latin1');
    const size = octal(header, 124, 12);
    const content = bytes.subarray(at + block, at + block + size);
    const padded = Math.ceil(size / block) * block;
    if (bytes.subarray(at + block + size, at + block + padded).some((byte) => byte !== 0)) throw new Error('padding');
    at += block + padded;
    if (flag === 'x') {
      pax = records(content);
      continue;
    }
    const prefix = text(header, 345, 155);
    const name = text(header, 0, 100);
    entries.push({
      path: pax.get('path') ?? (prefix === '' ? name : `${prefix}/${name}`),
      flag,
      mode: octal(header, 100, 8),
      uid: octal(header, 108, 8),
      gid: octal(header, 116, 8),
      user: text(header, 265, 32),
      group: text(header, 297, 32),
      mtime: octal(header, 136, 12),
      link: pax.get('linkpath') ?? text(header, 157, 100),
      content,
      pax,
    });
    if (octal(header, 329, 8) !== 0 || octal(header, 337, 8) !== 0) throw new Error(`${name} has a device number`);
    pax = new Map();
  }
  if (pax.size > 0) throw new Error('PAX records of nothing');
  if (bytes.subarray(at).some((byte) => byte !== 0)) throw new Error('there is something behind the end');
  return { entries, endBlocks: (bytes.length - at) / block };
}
