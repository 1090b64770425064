import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readIndex, signIndex, verifyIndexSignature, writeIndex } from '../../../src/formats/apk-index.ts';
import { readGzipMember } from '../../../src/formats/gzip.ts';
import { readTar } from '../../../src/formats/tar-reader.ts';
import { readIndexFile } from '../../support/independent/index-file.ts';
import { opensslVerifies } from '../../support/independent/signature.ts';
import { artifactOf } from '../../support/packages.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-index-'));
afterAll(() => rmSync(folder, { recursive: true }));

const full = artifactOf({
  name: 'hello',
  version: '1.2.3-r4',
  size: 4711,
  description: 'says\nhello',
  url: 'https://example.org',
  licenses: ['MIT', 'BSD-3-Clause'],
  buildDate: 1_700_000_000,
  commit: 'abc',
  depends: ['cmd:bash', 'so:libc.so.6'],
  provides: ['cmd:hello=1.2.3-r4'],
  providerPriority: 5,
});
const artifacts = [
  artifactOf({ name: 'zlib', version: '1.3-r0' }),
  full,
  artifactOf({ name: 'hello', version: '1.2.10-r0' }),
  artifactOf({ name: 'Zope', version: '1-r0' }),
];

describe('APKINDEX', () => {
  it('has the fields in the order of melange, and no r:, q: or i:', async () => {
    const text = Buffer.from(
      readTar(readGzipMember(await writeIndex([full], 'box')).content).entries[0]?.content ?? [],
    ).toString();
    expect(text).toBe(
      `C:${full.checksum}
P:hello
V:1.2.3-r4
A:x86_64
S:1
I:4711
T:says hello
U:https://example.org
L:MIT AND BSD-3-Clause
o:hello
t:1700000000
c:abc
D:cmd:bash so:libc.so.6
p:cmd:hello=1.2.3-r4
k:5

`,
    );
  });

  it('is sorted by name and by version in apk order, whatever order it is made from', async () => {
    const order = readIndex(await writeIndex(artifacts, 'box')).entries.map(
      ({ info }) => `${info.name} ${info.version}`,
    );
    expect(order).toEqual(['Zope 1-r0', 'hello 1.2.3-r4', 'hello 1.2.10-r0', 'zlib 1.3-r0']);
    expect(Buffer.compare(await writeIndex(artifacts, 'box'), await writeIndex(artifacts.toReversed(), 'box'))).toBe(0);
  });

  it('is one closed member with APKINDEX and DESCRIPTION', async () => {
    const bytes = await writeIndex(artifacts, 'box');
    const member = readGzipMember(bytes);
    expect(member.compressed.length).toBe(bytes.length);
    expect(execFileSync('tar', ['-tzf', '-'], { input: bytes }).toString()).toBe('APKINDEX\nDESCRIPTION\n');
    expect(readTar(member.content).endBlocks).toBe(2);
  });

  it('reads back, signed or not', async () => {
    const signer = createTestSigner();
    const index = await writeIndex(artifacts, 'box');
    for (const bytes of [index, signIndex(index, signer, 0)]) {
      const { entries, description } = readIndex(bytes);
      expect(description).toBe('box');
      const { replaces: _, triggers: __, datahash: ___, ...info } = full.info;
      expect(entries[1]).toEqual({
        checksum: full.checksum,
        bytes: 1,
        info: { ...info, description: 'says hello', licenses: ['MIT AND BSD-3-Clause'] },
      });
    }
  });

  it('is signed over the whole compressed rest, as openssl verifies', async () => {
    const signer = createTestSigner('box');
    const index = await writeIndex(artifacts, 'box');
    const signed = signIndex(index, signer, 0);
    const [signature] = readTar(readGzipMember(signed).content).entries;
    writeFileSync(join(folder, 'key.pub'), signer.publicKey);
    writeFileSync(join(folder, 'index'), index);
    writeFileSync(join(folder, 'signature'), signature?.content ?? Buffer.alloc(0));
    const said = execFileSync(
      'openssl',
      ['dgst', '-sha256', '-verify', 'key.pub', '-signature', 'signature', 'index'],
      { cwd: folder },
    );
    expect(said.toString()).toBe('Verified OK\n');
    const keys = [{ name: signer.keyName, publicKey: signer.publicKey }];
    expect(verifyIndexSignature(signed, keys)).toBe('box.rsa.pub');
    expect(() => verifyIndexSignature(index, keys)).toThrow(
      expect.objectContaining({ code: 'package.signature-invalid' }),
    );
  });

  it('is signed by the older keys too, so that machines which know no newer one take it', async () => {
    const older = createTestSigner('box');
    const index = await writeIndex([], 'box');
    const { signatures } = readIndexFile(
      Buffer.from(signIndex(index, { ...createTestSigner('box-2'), older: [older] }, 0)),
    );
    expect(signatures.map(({ key }) => key)).toEqual(['box-2.rsa.pub', 'box.rsa.pub']);
    const [, second] = signatures;
    expect(second !== undefined && opensslVerifies(second, older.publicKey)).toBe(true);
  });

  it('is refused when it is no index', async () => {
    expect(() => readIndex(Buffer.from('404'))).toThrow(expect.objectContaining({ code: 'package.malformed' }));
    const bytes = Buffer.concat([await writeIndex([], 'x'), Buffer.from('more')]);
    expect(() => readIndex(bytes)).toThrow(expect.objectContaining({ code: 'package.malformed' }));
  });
});
