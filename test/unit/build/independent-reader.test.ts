import { describe, expect, it } from 'vitest';
import { signApk } from '../../../src/formats/apk.ts';
import { gzipMember } from '../../../src/formats/gzip.ts';
import { splitMembers } from '../../support/independent/gzip.ts';
import { readPackageFile } from '../../support/independent/package.ts';
import { opensslVerifies } from '../../support/independent/signature.ts';
import { makePackage, recipeOf, type SamplePackage } from '../../support/package-trees.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const signer = createTestSigner('box');
const run = (content: string) => ({ content, mode: 0o755 });
/** 120 bytes: longer than the name field of a ustar header. */
const long = `usr/share/${'deep/'.repeat(20)}end-of-path`;

/** Everything that a package can have, and file names that need more than a plain header. */
const rich: SamplePackage = {
  name: 'rich',
  nodes: {
    'usr/bin/hello': run('#!/bin/sh\n'),
    'usr/bin/hi': { hard: 'usr/bin/hello' },
    'usr/lib/librich.so': { link: 'librich.so.1' },
    'usr/lib/far': { link: `/${'a'.repeat(150)}` },
    [long]: 'deep\n',
    'usr/share/größe': 'Maß\n',
    'usr/share/empty': '',
    'usr/share-old/x': 'y',
    'var/empty': { directory: 0o700 },
  },
  recipe: {
    depends: ['busybox>=1.36', 'so:libc.so.6'],
    provides: ['rich-any=1.0', 'a-rich'],
    replaces: ['rich-old', 'bare<2'],
    providerPriority: 10,
    replacesPriority: 3,
    scriptlets: { ...recipeOf('x').scriptlets, 'pre-install': '#!/bin/sh\ntrue\n', 'post-upgrade': '#!/bin/sh\n' },
    trigger: { script: '#!/bin/sh\ntrue\n', paths: ['/usr/share/rich', '/usr/lib'] },
  },
};

async function signed(sample: SamplePackage): Promise<Buffer> {
  const { bytes, artifact } = await makePackage(sample);
  return Buffer.from(signApk(bytes, signer, artifact.info.buildDate));
}

describe('a signed package, to a reader that shares no code with its writer', () => {
  it('says all of its metadata in the order of the format, triggers, replaces and priorities too', async () => {
    const { info, control, checksum } = readPackageFile(await signed(rich));
    expect(Object.fromEntries(info)).toMatchObject({
      depend: ['busybox>=1.36', 'so:libc.so.6'],
      provides: ['a-rich', 'cmd:hello=1.0.0-r0', 'cmd:hi=1.0.0-r0', 'rich-any=1.0'],
      replaces: ['bare<2', 'rich-old'],
      provider_priority: ['10'],
      replaces_priority: ['3'],
      triggers: ['/usr/share/rich /usr/lib'],
    });
    expect([...control.keys()]).toEqual(['.melange.yaml', '.post-upgrade', '.pre-install', '.trigger']);
    expect(checksum).toBe((await makePackage(rich)).artifact.checksum);
  });

  it('has its files as they were, whatever their names, links and modes', async () => {
    const { entries } = readPackageFile(await signed(rich));
    const of = (path: string) => entries.find((entry) => entry.path === path);
    expect(of('usr/bin/hi')).toMatchObject({ flag: '1', link: 'usr/bin/hello' });
    expect(of('usr/lib/librich.so')).toMatchObject({ flag: '2', link: 'librich.so.1' });
    expect(of('usr/lib/far')?.link).toBe(`/${'a'.repeat(150)}`);
    expect(of(long)?.content.toString()).toBe('deep\n');
    expect(of('usr/share/größe')?.content.toString()).toBe('Maß\n');
    expect(of('var/empty')?.mode).toBe(0o700);
  });

  it('is signed as openssl verifies', async () => {
    const { signatures } = readPackageFile(await signed(rich));
    expect(signatures.map(({ key }) => key)).toEqual(['box.rsa.pub']);
    for (const one of signatures) expect(opensslVerifies(one, signer.publicKey)).toBe(true);
  });
});

describe('the independent reader', () => {
  /** A package with one of its members made anew from other content. */
  async function remade(member: 0 | 1 | 2, change: (content: Buffer) => Buffer): Promise<Buffer> {
    const members = splitMembers(await signed(rich));
    return Buffer.concat(
      members.map(({ compressed, content }, at) => (at === member ? gzipMember(change(content)) : compressed)),
    );
  }

  it.each<[string, () => Promise<Buffer>, RegExp]>([
    ['no signature', async () => Buffer.from((await makePackage(rich)).bytes), /three gzip members, this has 2/],
    ['bytes behind its end', async () => Buffer.concat([await signed(rich), Buffer.alloc(20)]), /no plain gzip member/],
    [
      'data in two members',
      async () => Buffer.concat([await signed(rich), gzipMember(Buffer.alloc(512))]),
      /this has 4/,
    ],
    ['end blocks in control', () => remade(1, (tar) => Buffer.concat([tar, Buffer.alloc(1024)])), /control has end/],
    ['end blocks in the signature', () => remade(0, (tar) => Buffer.concat([tar, Buffer.alloc(1024)])), /end blocks/],
    ['other data than it says', () => remade(2, (tar) => Buffer.concat([tar, Buffer.alloc(512)])), /datahash/],
  ])('refuses a package with %s', async (_, make, what) => {
    const bytes = await make();
    expect(() => readPackageFile(bytes)).toThrow(what);
  });
});
