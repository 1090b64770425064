import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import { readApk, signApk } from '../../../src/formats/apk.ts';
import { describeBytes } from '../../../src/formats/byte-difference.ts';
import { gzipMember, readGzipMember } from '../../../src/formats/gzip.ts';
import { comparePackages } from '../../../src/formats/package-difference.ts';
import { type TarEntry, writeTar } from '../../../src/formats/tar.ts';
import { differenceSchema } from '../../../src/model/difference.ts';
import { makePackage, type SamplePackage } from '../../support/package-trees.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const sides = { first: 'the first build', second: 'the second build' };

async function made(sample: Partial<SamplePackage> = {}): Promise<Uint8Array> {
  return (await makePackage({ name: 'tool', ...sample })).bytes;
}

/** What is said of two packages that were made of two trees. */
async function said(first: Partial<SamplePackage>, second: Partial<SamplePackage>): Promise<string[]> {
  const found = comparePackages('tool', await made(first), await made(second), sides);
  for (const one of found) expect(differenceSchema.parse(one)).toEqual(one);
  return found.map(({ path, text }) => `${path} ${text}`);
}

/** A package whose data is a tar that was made elsewhere. */
async function withData(data: Uint8Array): Promise<Uint8Array> {
  const { control } = readApk(await made());
  const text = readGzipMember(control).content;
  const at = text.indexOf('datahash = ') + 'datahash = '.length;
  text.write(createHash('sha256').update(data).digest('hex'), at, 'latin1');
  return Buffer.concat([gzipMember(text), data]);
}

/** Whether two packages are the same, or why they cannot be compared. */
function judged(first: Uint8Array, second: Uint8Array): string {
  try {
    return comparePackages('tool', first, second, sides).length === 0 ? 'the same' : 'different';
  } catch (error) {
    return error instanceof RegrowError ? error.code : String(error);
  }
}

describe('two packages', () => {
  it('are the same, signed or not, where control and data are', async () => {
    const tool = await made({ nodes: { 'usr/bin/tool': 'x' } });
    expect(comparePackages('tool', tool, await made({ nodes: { 'usr/bin/tool': 'x' } }), sides)).toEqual([]);
    expect(comparePackages('tool', signApk(tool, createTestSigner(), 0), tool, sides)).toEqual([]);
  });

  it('differ in a text: the line, and what it says on each side', async () => {
    const one = { nodes: { 'usr/share/stamp': 'a\nbuilt at 09:00\nz\n' } };
    const other = { nodes: { 'usr/share/stamp': 'a\nbuilt at 09:01\nz\n' } };
    expect(await said(one, other)).toEqual([
      'usr/share/stamp differs in line 2: “built at 09:00” and “built at 09:01”',
    ]);
    const [found] = comparePackages('tool', await made(one), await made(other), sides);
    expect(found).toMatchObject({ package: 'tool', kind: 'content', offset: 15 });
  });

  it('differ in bytes: how many, where the first is, and what stands there', async () => {
    const bytes = (last: number) => ({ nodes: { 'usr/lib/x.bin': Uint8Array.from([0, 1, 0x41, last]) } });
    expect(await said(bytes(0x42), bytes(0xff))).toEqual([
      'usr/lib/x.bin differs in 1 of 4 bytes, first at byte 3 (0x3): 42 “B” and ff “.”',
    ]);
    expect(await said(bytes(2), { nodes: { 'usr/lib/x.bin': Uint8Array.from([0, 1]) } })).toContain(
      'usr/lib/x.bin differs in 4 and 2 bytes, first at byte 2 (0x2): 41 02 “A.” and nothing',
    );
  });

  it('differ in mode, link, type and in what is there at all', async () => {
    const first = {
      nodes: {
        'usr/bin/a': { content: '', mode: 0o755 },
        'usr/bin/b': { link: 'a' },
        'usr/bin/c': 'file',
        'usr/only': '',
      },
    };
    const second = {
      nodes: {
        'usr/bin/a': { content: '', mode: 0o700 },
        'usr/bin/b': { link: 'c' },
        'usr/bin/c': { link: 'a' },
        'usr/new': '',
      },
    };
    expect(await said(first, second)).toEqual(
      expect.arrayContaining([
        'usr/bin/a has mode 755 and 700',
        'usr/bin/b leads to a and c',
        'usr/bin/c is a file and a symlink',
        'usr/only is only in the first build',
        'usr/new is only in the second build',
      ]),
    );
  });

  it('differ in the fields of .PKGINFO; the datahash follows from the data and is not said', async () => {
    const with2 = { recipe: { depends: ['musl', 'zlib'] } };
    expect(await said({ recipe: { depends: ['musl'] } }, with2)).toEqual([
      '.PKGINFO has depend “zlib” only in the second build',
    ]);
    expect(await said({}, { input: { commit: 'beef' } })).toEqual(['.PKGINFO has commit “c0ffee” and “beef”']);
    const both = await said({ nodes: { 'usr/share/x': '1' } }, { nodes: { 'usr/share/x': '22' } });
    expect(both).toEqual([
      'usr/share/x differs in line 1: “1” and “22”',
      expect.stringMatching(/^\.PKGINFO has size “\d+” and “\d+”$/),
    ]);
  });

  it('differ in times and owners, which other builders may leave', async () => {
    const [path, content] = ['usr/share/x', Buffer.from('x')];
    const sha1 = createHash('sha1').update(content).digest('hex');
    const pax = { 'APK-TOOLS.checksum.SHA1': sha1 };
    const data = (more: Partial<TarEntry>, mtime: number) =>
      withData(
        gzipMember(
          writeTar([{ path, type: 'file', mode: 0o644, content, ...more, pax: { ...pax, ...more.pax } }], {
            mtime,
            end: true,
          }),
        ),
      );
    const found = comparePackages(
      'tool',
      await data({}, 1_700_000_000),
      await data({ owner: { uid: 1000, gid: 100 }, pax: { 'SCHILY.xattr.user.x': '1' } }, 1_800_000_000),
      sides,
    );
    expect(found.map(({ kind, text }) => `${kind}: ${text}`)).toEqual([
      'owner: belongs to 0:0 and 1000:100',
      'time: is of 2023-11-14T22:13:20Z and 2027-01-15T08:00:00Z',
      'records: has the PAX record SCHILY.xattr.user.x as nothing and “1”',
    ]);
  });

  it('differ in the order of files, and in how they are compressed', async () => {
    const entry = (path: string): TarEntry => ({ path, type: 'directory', mode: 0o755 });
    const tar = (...paths: string[]) => writeTar(paths.map(entry), { mtime: 0, end: true });
    const [ab, ba] = [tar('a', 'b'), tar('b', 'a')];
    const ordered = comparePackages('tool', await withData(gzipMember(ab)), await withData(gzipMember(ba)), sides);
    expect(ordered.map(({ path, text }) => `${path} ${text}`)).toEqual([
      'data has its files in another order: at place 1 stands a and b',
    ]);
    const fast = await withData(gzipSync(ab, { level: 1 }));
    const [found, ...others] = comparePackages('tool', await withData(gzipMember(ab)), fast, sides);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ path: 'data', kind: 'compression', text: expect.stringContaining('holds the same') });
  });

  it('differ in headers that no field of an entry shows', async () => {
    const gnu = execFileSync('tar', [
      '--format=gnu',
      '--mtime=@0',
      '--owner=root:0',
      '--group=root:0',
      '-cf',
      '-',
      '-C',
      '/',
      '--no-recursion',
      'usr',
    ]);
    const ours = writeTar([{ path: 'usr', type: 'directory', mode: 0o755 }], { mtime: 0, end: true });
    const padded = gnu.subarray(0, ours.length);
    const found = comparePackages('tool', await withData(gzipMember(ours)), await withData(gzipMember(padded)), sides);
    expect(found).toMatchObject([
      {
        path: 'data',
        kind: 'header',
        text: expect.stringMatching(/^has other headers: it differs in \d+ of 1536 bytes/),
      },
    ]);
  });

  it('never pass for the same where a byte differs, whatever byte that is', async () => {
    const tool = await made({
      nodes: { 'usr/bin/tool': 'x', 'usr/bin/link': { link: 'tool' }, [`usr/${'long/'.repeat(30)}x`]: 'y' },
    });
    fc.assert(
      fc.property(fc.nat(tool.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = Buffer.from(tool);
        other.writeUInt8(other.readUInt8(at) ^ change, at);
        expect(['different', 'package.malformed']).toContain(judged(tool, other));
      }),
      { numRuns: 300 },
    );
    // The same where what is unpacked is flipped, and packed again.
    const { data } = readApk(tool);
    const tar = readGzipMember(data).content;
    await fc.assert(
      fc.asyncProperty(fc.nat(tar.length - 1), async (at) => {
        const other = Buffer.from(tar);
        other.writeUInt8(other.readUInt8(at) ^ 1, at);
        const [one, two] = [await withData(gzipMember(tar)), await withData(gzipMember(other))];
        expect(['different', 'package.malformed']).toContain(judged(one, two));
      }),
      { numRuns: 150 },
    );
  });

  it('that are no packages are refused', async () => {
    const tool = await made();
    expect(() => comparePackages('tool', tool, Buffer.from('<html>'), sides)).toThrow(
      expect.objectContaining({ code: 'package.malformed' }),
    );
  });
});

describe('two contents', () => {
  it.each<[string, string, string, string]>([
    ['a long line around where it parts', `${'x'.repeat(300)}1`, `${'x'.repeat(300)}2`, 'in line 1: …“'],
    ['a line that ends sooner', 'a\nb', 'a\nb\nc', 'in line 3: nothing and “c”'],
    ['letters of several bytes', 'äö 1', 'äö 2', 'in line 1: “äö 1” and “äö 2”'],
  ])('are shown: %s', (_what, first, second, text) => {
    const found = describeBytes(Buffer.from(first), Buffer.from(second));
    expect(found?.text.startsWith(text)).toBe(true);
    expect(found?.text.length).toBeLessThan(300);
  });

  it('are the same', () => {
    expect(describeBytes(Buffer.from('x'), Buffer.from('x'))).toBeUndefined();
  });
});
