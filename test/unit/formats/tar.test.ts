import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import { type TarEntry, writeTar } from '../../../src/formats/tar.ts';
import { readTar } from '../../../src/formats/tar-reader.ts';

const entries: TarEntry[] = [
  { path: 'usr', type: 'directory', mode: 0o755 },
  { path: 'usr/hello', type: 'file', mode: 0o644, content: Buffer.from('hi\n'), pax: { 'X.key': 'v' } },
  { path: 'usr/link', type: 'symlink', mode: 0o777, link: 'hello' },
  { path: 'usr/same', type: 'hardlink', mode: 0o644, link: 'usr/hello' },
];

function systemTar(arguments_: string[], archive: Uint8Array): string {
  return execFileSync('tar', arguments_, {
    input: archive,
    env: { PATH: '/usr/bin:/bin', TZ: 'UTC', LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'ignore'],
  }).toString();
}

describe('the tar writer', () => {
  it('writes what the system tar reads, owner root, with the time given', () => {
    const listing = systemTar(['-tvf', '-'], writeTar(entries, { mtime: 1_700_000_000, end: true }));
    expect(listing.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      'drwxr-xr-x root/root 0 2023-11-14 22:13 usr',
      '-rw-r--r-- root/root 3 2023-11-14 22:13 usr/hello',
      'lrwxrwxrwx root/root 0 2023-11-14 22:13 usr/link -> hello',
      'hrw-r--r-- root/root 0 2023-11-14 22:13 usr/same link to usr/hello',
      '',
    ]);
  });

  it("writes the fields of Go's ustar header, directories without a slash", () => {
    const [header] = [writeTar([{ path: 'usr', type: 'directory', mode: 0o755 }], { mtime: 8, end: false })];
    expect(header?.length).toBe(512);
    const field = (from: number, to: number): string => header.subarray(from, to).toString('latin1');
    expect(field(0, 4)).toBe('usr\0');
    expect(field(100, 124)).toBe('0000755\x000000000\x000000000\0');
    expect(field(124, 148)).toBe('00000000000\x0000000000010\0');
    expect(field(148, 157)).toMatch(/^[0-7]{6}\0 5$/);
    expect(field(257, 265)).toBe('ustar\x0000');
    expect(field(265, 270)).toBe('root\0');
    expect(field(329, 345)).toBe('0000000\x000000000\0');
  });

  it('puts records in a PAX header of mode, owner and time nought, in PaxHeaders.0 of the directory', () => {
    const tar = writeTar(entries.slice(1, 2), { mtime: 8, end: false });
    expect(tar.subarray(0, 22).toString('latin1')).toBe('usr/PaxHeaders.0/hello');
    expect(tar.subarray(100, 124).toString('latin1')).toBe('0000000\x000000000\x000000000\0');
    expect(tar.subarray(136, 148).toString('latin1')).toBe('00000000000\0');
    expect(tar.subarray(156, 157).toString('latin1')).toBe('x');
    expect(tar.subarray(265, 512).every((byte) => byte === 0)).toBe(true);
    expect(tar.subarray(512, 523).toString('latin1')).toBe('11 X.key=v\n');
    expect(tar.subarray(1024 + 156, 1024 + 157).toString('latin1')).toBe('0');
  });

  it('ends with exactly two zero blocks, or with none', () => {
    const one: TarEntry[] = [{ path: 'a', type: 'directory', mode: 0o755 }];
    expect(writeTar(one, { mtime: 0, end: true }).length).toBe(3 * 512);
    expect(readTar(writeTar(one, { mtime: 0, end: true })).endBlocks).toBe(2);
    expect(readTar(writeTar(one, { mtime: 0, end: false })).endBlocks).toBe(0);
  });

  it('splits a long directory path as ustar does, and writes no PAX header for it', () => {
    const path = `${'d'.repeat(90)}/${'e'.repeat(40)}`;
    const tar = writeTar([{ path, type: 'directory', mode: 0o755 }], { mtime: 0, end: true });
    expect(tar.length).toBe(3 * 512);
    expect(systemTar(['-tf', '-'], tar)).toBe(`${path}\n`);
  });

  it('comes back from the reader as it was, whatever names and contents', () => {
    const part = fc.stringMatching(/^[a-zäß✓0-9]{1,60}$/u);
    const entry = fc.record({
      path: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
      type: fc.constant<'file'>('file'),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      content: fc.uint8Array({ maxLength: 1500 }),
      pax: fc.dictionary(fc.stringMatching(/^[A-Z]{1,12}$/), fc.string({ maxLength: 120 })),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (files) => {
        const { entries: read, endBlocks } = readTar(writeTar(files, { mtime: 42, end: true }));
        expect(endBlocks).toBe(2);
        expect(read.map(({ path, mode, mtime }) => ({ path, mode, mtime }))).toEqual(
          files.map(({ path, mode }) => ({ path, mode, mtime: 42 })),
        );
        for (const [i, file] of files.entries()) {
          expect(Buffer.compare(read[i]?.content ?? Buffer.alloc(0), file.content)).toBe(0);
          expect(read[i]?.pax).toMatchObject(file.pax);
        }
      }),
      { numRuns: 60 },
    );
  });
});

function outcomeOf(bytes: Uint8Array): string {
  try {
    readTar(bytes);
    return 'read';
  } catch (error) {
    return error instanceof RegrowError ? error.code : String(error);
  }
}

describe('the tar reader', () => {
  it('reads what GNU tar writes, long names too', () => {
    const long = `${'very-long-'.repeat(15)}name`;
    const made = execFileSync('bash', [
      '-c',
      `cd "$(mktemp -d)" && mkdir d && echo x > d/${long} && tar --format=gnu -cf - ./d`,
    ]);
    const read = readTar(made).entries.map((entry) => [entry.path, entry.type]);
    expect(read).toEqual([
      ['d', 'directory'],
      [`d/${long}`, 'file'],
    ]);
  });

  const good = writeTar(entries, { mtime: 0, end: true });
  it.each([
    ['a header that is cut off', good.subarray(0, 100)],
    ['content that is cut off', good.subarray(0, 512 * 4)],
    ['a changed header', Buffer.concat([Buffer.from('X'), good.subarray(1)])],
    ['bytes after the end', Buffer.concat([good, Buffer.alloc(512, 1)])],
  ])('refuses %s', (_, bytes) => {
    expect(() => readTar(bytes)).toThrow(expect.objectContaining({ code: 'package.malformed' }));
  });

  /** The first header of an archive with some of its bytes others, and the checksum that it then has. */
  function changed(archive: Buffer, at: number, value: string): Buffer {
    const bytes = Buffer.from(archive);
    bytes.write(value, at, 'latin1');
    bytes.fill(' ', 148, 156);
    const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return bytes;
  }
  const writeOne = (entry: TarEntry) => writeTar([entry], { mtime: 0, end: true });
  const directory = writeOne({ path: 'usr', type: 'directory', mode: 0o755 });
  const record = (text: string) => {
    const header = changed(writeOne({ path: 'x', type: 'file', mode: 0, content: Buffer.from(text) }), 156, 'x');
    return Buffer.concat([header.subarray(0, 1024), directory]);
  };
  const gnu = (options: string) =>
    execFileSync('bash', ['-c', `cd "$(mktemp -d)" && ln -s ${'t'.repeat(120)} link && tar ${options} -cf - link`]);

  it('refuses character devices, or leaves them out where that is asked for', () => {
    const device = changed(writeOne({ path: 'dev/null', type: 'file', mode: 0o666 }), 156, '3').subarray(0, 512);
    const archive = Buffer.concat([device, good]);
    expect(() => readTar(archive)).toThrow(expect.objectContaining({ code: 'package.malformed' }));
    expect(readTar(archive, { devices: 'skip' })).toEqual(readTar(good));
    const pipe = Buffer.concat([changed(Buffer.from(device), 156, '6'), good]);
    expect(() => readTar(pipe, { devices: 'skip' })).toThrow(expect.objectContaining({ code: 'package.malformed' }));
  });

  it('reads the headers that the next ones change', () => {
    expect(readTar(record('12 path=usr\n')).entries).toMatchObject([{ path: 'usr', type: 'directory' }]);
    expect(readTar(gnu('--format=posix')).entries).toMatchObject([{ path: 'link', link: 't'.repeat(120) }]);
  });

  it.each<[string, () => Buffer]>([
    [
      'a directory with a size: apk skips that much, and sees other entries',
      () => changed(directory, 124, '00000001000'),
    ],
    ['a size in a PAX header, which apk does not read', () => record('12 size=512\n')],
    ['a PAX record with a length that is no plain number', () => record('1e1 pth=x\n')],
    [
      'a prefix where the magic is not that of ustar: apk reads it all the same',
      () => changed(changed(directory, 345, 'etc'), 257, 'ustar  \0'),
    ],
    ['a global header, which apk and Go leave out', () => changed(record('12 path=etc\n'), 156, 'g')],
    ["GNU's long link, which apk leaves out", () => gnu('--format=gnu')],
    ['a name with a NUL, which apk cuts there', () => record('14 path=a\0etc\n')],
    ['a name that is empty', () => record('8 path=\n')],
    [
      'two headers for one entry, of which apk takes the second',
      () => Buffer.concat([record('12 path=etc\n').subarray(0, 1024), record('12 path=usr\n')]),
    ],
    ['a header without its entry', () => record('12 path=etc\n').subarray(0, 1024)],
    ['the old type of files', () => changed(writeOne({ path: 'a', type: 'file', mode: 0 }), 156, '\0')],
  ])('refuses %s', (_, make) => {
    expect(outcomeOf(make())).toBe('package.malformed');
  });

  it('never throws anything but package.malformed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 }),
        (changes) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          expect(outcomeOf(bytes)).toMatch(/^(read|package\.malformed)$/);
        },
      ),
    );
  });
});
