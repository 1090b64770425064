import { gzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import type { TarEntry } from '../../../../src/formats/tar.ts';
import { parseImageDefinition } from '../../../../src/model/image-definition.ts';
import type { ImageRequest } from '../../../../src/model/request.ts';
import { assembleImage, proveImage } from '../../../../src/publish/image/index.ts';
import { createMemoryObjects, type MemoryObjects } from '../../../fakes/memory-objects.ts';
import { apkFile } from '../../../support/apk-file.ts';
import { liar, publishForProof } from '../../../support/image-liar.ts';

const text = `contents: {packages: [tool]}
accounts: {run-as: web, users: [{username: web, uid: 65532}]}
entrypoint: {command: /usr/bin/tool}
work-dir: /work
paths: [{path: /data, type: directory, uid: 65532, gid: 65532, permissions: 0o750}]
layering: {strategy: origin, budget: 3}
`;
let objects: MemoryObjects;
let image: ImageRequest;
let lie: ReturnType<typeof liar>;
beforeEach(async () => {
  objects = createMemoryObjects();
  const files = [
    await apkFile('base-1-r0', {
      bin: '-> usr/bin',
      'usr/bin/sh': { text: 'sh', mode: 0o755 },
      'etc/os-release': 'ID=box\n',
    }),
    await apkFile(
      'tool-2-r0',
      { 'bin/tool': { text: 'tool', mode: 0o755 }, 'usr/bin/again': '=> bin/tool', 'usr/bin/link': '-> tool' },
      { depends: ['base'] },
    ),
  ];
  image = await publishForProof(objects, files, { path: 'i.yaml', text });
  const { definition } = parseImageDefinition('i.yaml', text);
  const { keys, sourceDateEpoch } = image;
  const made = await assembleImage({
    name: 'i',
    definition,
    target: { arch: 'x86_64', libc: 'gnu' },
    packages: files,
    keys,
    sourceDateEpoch,
  });
  lie = liar(objects, made, files);
});

test('an image of its packages is proven, with the layers compressed in another way too', async () => {
  const honest = await lie.index({});
  await proveImage(objects, { image, index: honest });
  const gzip = (tar: Uint8Array) => gzipSync(tar, { level: 1 });
  const other = await lie.index({ gzip });
  expect(other).not.toBe(honest);
  await proveImage(objects, { image, index: other });
});

const added: TarEntry = { path: 'usr/bin/backdoor', type: 'file', mode: 0o755, content: Buffer.from('evil') };
const changed = (path: string, change: Partial<TarEntry>) => (entries: readonly TarEntry[]) =>
  entries.map((entry) => (entry.path === path ? { ...entry, ...change } : entry));

test.each<[string, (entries: readonly TarEntry[]) => readonly TarEntry[], RegExp]>([
  [
    'a file more',
    (entries) => [...entries, added],
    /\/usr\/bin\/backdoor in its layer sha256:\w+ is of none of its packages/,
  ],
  [
    'a whiteout',
    (entries) => [...entries, { ...added, path: 'etc/.wh.os-release' }],
    /\/etc\/\.wh\.os-release in its layer/,
  ],
  [
    'a file twice',
    (entries) => [...entries, ...entries.filter(({ path }) => path === 'usr/bin/tool')],
    /\/usr\/bin\/tool in its layer sha256:\w+ is there twice/,
  ],
  [
    'other bytes',
    changed('usr/bin/tool', { content: Buffer.from('evil') }),
    /\/usr\/bin\/tool in its layer sha256:\w+ has other bytes/,
  ],
  [
    'a setuid bit',
    changed('usr/bin/tool', { mode: 0o4755 }),
    /\/usr\/bin\/tool in its layer sha256:\w+ has the mode 4755, not 755/,
  ],
  ['another owner', changed('usr/bin/tool', { owner: { uid: 65532, gid: 0 } }), /belongs to 65532:0, not to 0:0/],
  [
    'a link elsewhere',
    changed('usr/bin/link', { link: '/data/x' }),
    /\/usr\/bin\/link in its layer sha256:\w+ leads to \/data\/x, not to tool/,
  ],
  ['a capability', changed('usr/bin/tool', { pax: { 'SCHILY.xattr.security.capability': 'x' } }), /in another form/],
  [
    'a file less',
    (entries) => entries.filter(({ path }) => path !== 'usr/bin/tool' && path !== 'usr/bin/again'),
    /\/usr\/bin\/(tool|again) in its layer sha256:\w+ is missing/,
  ],
])('a layer with %s is refused, and named with the path', async (_, change, message) => {
  const index = await lie.index({ layer: change });
  await expect(proveImage(objects, { image, index })).rejects.toMatchObject({
    code: 'image.invalid',
    message: expect.stringMatching(message),
  });
});

test('an installed database that names another package is refused', async () => {
  const index = await lie.index({
    last: (entries) =>
      entries.map((entry) =>
        entry.path === 'usr/lib/apk/db/installed'
          ? {
              ...entry,
              content: Buffer.from(
                Buffer.from(entry.content ?? [])
                  .toString()
                  .replace('V:2-r0', 'V:3-r0'),
              ),
            }
          : entry,
      ),
  });
  await expect(proveImage(objects, { image, index })).rejects.toThrow(
    /\/usr\/lib\/apk\/db\/installed in its layer .* has other bytes/,
  );
});

test('another SBOM, another configuration and another manifest are refused', async () => {
  const sbom = (json: string) => json.replace('"tool"', '"other"');
  await expect(proveImage(objects, { image, index: await lie.index({ sbom }) })).rejects.toThrow(
    /the SBOM sha256:\w+ .*is not the one of its packages/,
  );
  const config = (json: string) => json.replace('"/usr/bin/tool"', '"/usr/bin/sh"');
  await expect(proveImage(objects, { image, index: await lie.index({ config }) })).rejects.toThrow(
    /the configuration sha256:\w+ of sha256:\w+ is not that of its definition/,
  );
  const manifest = (json: string) => json.replace('"schemaVersion"', '"annotations":{"a":"b"},"schemaVersion"');
  await expect(proveImage(objects, { image, index: await lie.index({ manifest }) })).rejects.toThrow(
    /its manifest sha256:\w+ is not that of its definition/,
  );
});

test('packages that are not published, or not as they are asked for, make no image', async () => {
  const index = await lie.index({});
  const [platform] = image.platforms;
  if (platform === undefined) throw new Error('no platform');
  const asked = (change: object): ImageRequest => ({
    ...image,
    platforms: [{ ...platform, packages: platform.packages.map((one, i) => (i === 1 ? { ...one, ...change } : one)) }],
  });
  await expect(proveImage(objects, { image: asked({ version: '9-r0' }), index })).rejects.toThrow(
    'tool 9-r0 is not published for x86_64-gnu',
  );
  await expect(proveImage(objects, { image: asked({ checksum: 'Q1other' }), index })).rejects.toThrow(
    /tool 2-r0 is published for x86_64-gnu as Q1.*, not as Q1other/,
  );
  const less = { ...image, platforms: [{ ...platform, packages: platform.packages.slice(0, 1) }] };
  await expect(proveImage(objects, { image: less, index })).rejects.toMatchObject({ code: 'image.invalid' });
});
