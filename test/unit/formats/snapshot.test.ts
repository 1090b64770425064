import { describe, expect, test } from 'vitest';
import { createThrowAwayKey } from '../../../src/build/melange/throw-away-key.ts';
import { readApk, signApk } from '../../../src/formats/apk.ts';
import { readIndex, verifyIndexSignature } from '../../../src/formats/apk-index.ts';
import { writeSnapshot } from '../../../src/formats/snapshot.ts';
import { makePackage } from '../../support/package-trees.ts';

const target = { arch: 'x86_64', libc: 'gnu' } as const;

async function packages() {
  const key = await createThrowAwayKey();
  const { bytes } = await makePackage({ name: 'hello' });
  return { key, unsigned: readApk(bytes), signed: readApk(signApk(bytes, key, 0)), bytes };
}

describe('a snapshot', () => {
  test('has each package once, unsigned, and an index that its key signed', async () => {
    const { key, unsigned, signed, bytes } = await packages();
    const files = await writeSnapshot([signed, unsigned], target, key);
    const { name, version } = unsigned.info;
    expect(files.map(({ path }) => path)).toEqual([`x86_64/${name}-${version}.apk`, 'x86_64/APKINDEX.tar.gz']);
    expect(Buffer.compare(files[0]?.content ?? new Uint8Array(), bytes)).toBe(0);
    const index = files[1]?.content ?? new Uint8Array();
    expect(verifyIndexSignature(index, [{ name: key.keyName, publicKey: key.publicKey }])).toBe('snapshot.rsa.pub');
    expect(readIndex(index).entries).toMatchObject([
      { checksum: unsigned.checksum, bytes: bytes.length, info: { name, version } },
    ]);
  });

  test('of nothing is an index of nothing: melange says what it lacks, not that there is no repository', async () => {
    const files = await writeSnapshot([], target, await createThrowAwayKey());
    expect(files.map(({ path }) => path)).toEqual(['x86_64/APKINDEX.tar.gz']);
    expect(readIndex(files[0]?.content ?? new Uint8Array()).entries).toEqual([]);
  });

  test('has a key of its own each time', async () => {
    const [one, other] = await Promise.all([createThrowAwayKey(), createThrowAwayKey()]);
    expect(one.publicKey).not.toBe(other.publicKey);
  });
});
