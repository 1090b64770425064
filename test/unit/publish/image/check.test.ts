import { beforeAll, expect, test } from 'vitest';
import { gzipMember } from '../../../../src/formats/gzip.ts';
import { digestHex, type OciDescriptor, ociBlob } from '../../../../src/formats/oci.ts';
import { parseImageDefinition } from '../../../../src/model/image-definition.ts';
import { blobKey } from '../../../../src/ports/objects.ts';
import {
  type AssembledImage,
  assembleImage,
  checkImage,
  type ImageIndex,
  indexImages,
} from '../../../../src/publish/image/index.ts';
import { createMemoryObjects, type MemoryObjects } from '../../../fakes/memory-objects.ts';
import { apkFile } from '../../../support/apk-file.ts';

const targets = ['x86_64-gnu', 'aarch64-gnu'] as const;
type Built = Parameters<typeof checkImage>[1];
let images: AssembledImage[];
let index: ImageIndex;
beforeAll(async () => {
  const { definition } = parseImageDefinition('i.yaml', 'contents:\n  packages: [base]\n');
  images = [];
  for (const arch of ['x86_64', 'aarch64'] as const) {
    const packages = [await apkFile('base-1-r0', { [arch]: 'x' }, { arch })];
    const target = { arch, libc: 'gnu' } as const;
    images.push(await assembleImage({ name: 'i', definition, target, packages, keys: [], sourceDateEpoch: 1 }));
  }
  index = indexImages(images);
});

async function store(): Promise<{ objects: MemoryObjects; built: Built }> {
  const objects = createMemoryObjects();
  for (const [digest, bytes] of index.blobs) await objects.put(blobKey(digest), bytes);
  const platforms = targets.map((target, i) => ({ target, manifest: images[i]?.manifest.digest ?? '' }));
  return { objects, built: { ref: 'i:1', index: digestHex(index.index.descriptor), platforms } };
}

/** The index with something changed in what it says of its first manifest. */
async function withIndex(objects: MemoryObjects, built: Built, change: Partial<OciDescriptor>): Promise<Built> {
  const content = JSON.parse(Buffer.from(index.index.bytes).toString()) as { manifests: OciDescriptor[] };
  const manifests = content.manifests.map((one, i) => (i === 0 ? { ...one, ...change } : one));
  const { descriptor, bytes } = ociBlob('', Buffer.from(JSON.stringify({ ...content, manifests })));
  await objects.put(blobKey(digestHex(descriptor)), bytes);
  return { ...built, index: digestHex(descriptor) };
}

test('an image is whole when everything that its index leads to is there', async () => {
  const { objects, built } = await store();
  const { platforms } = await checkImage(objects, built, targets);
  expect(platforms.map(({ descriptor }) => descriptor.platform.architecture)).toEqual(['amd64', 'arm64']);
});

test('a blob that is missing or has other content is found wherever it is, whatever the builder lists', async () => {
  for (const digest of index.blobs.keys()) {
    const { objects, built } = await store();
    await objects.remove(blobKey(digest));
    const gone = { code: 'image.invalid', message: expect.stringContaining(`sha256:${digest} is not there`) };
    await expect(checkImage(objects, built, targets)).rejects.toMatchObject(gone);
    await objects.put(blobKey(digest), Buffer.from('{}'));
    const changed = { code: 'image.invalid', message: expect.stringContaining('is not what its digest says') };
    await expect(checkImage(objects, built, targets)).rejects.toMatchObject(changed);
  }
});

/** The first platform with another layer, SBOM or whatever `change` gives; everything above it named anew. */
async function withPlatform(
  objects: MemoryObjects,
  built: Built,
  change: { readonly layer?: Uint8Array; readonly sbom?: Uint8Array },
): Promise<Built> {
  const put = async (type: string, bytes: Uint8Array): Promise<OciDescriptor> => {
    const { descriptor } = ociBlob(type, bytes);
    await objects.put(blobKey(digestHex(descriptor)), bytes);
    return descriptor;
  };
  const first = images[0]?.manifest;
  const stored = await objects.get(blobKey(digestHex(first ?? { digest: '' })));
  const manifest = JSON.parse(Buffer.from(stored?.bytes ?? []).toString()) as { layers: OciDescriptor[] };
  const type = manifest.layers[0]?.mediaType ?? '';
  const layers = change.layer === undefined ? manifest.layers : [await put(type, change.layer)];
  const { digest, size } = await put(first?.mediaType ?? '', Buffer.from(JSON.stringify({ ...manifest, layers })));
  const sbom = change.sbom === undefined ? images[0]?.sbom.digest : (await put('', change.sbom)).digest;
  const annotations = { 'dev.regrow.sbom': sbom ?? '' };
  const changed = await withIndex(objects, built, { digest, size, annotations });
  return { ...changed, platforms: built.platforms.map((one, i) => (i === 0 ? { ...one, manifest: digest } : one)) };
}

test('a layer that is not what the configuration says that it unpacks to, or nothing that unpacks, is refused', async () => {
  const { objects, built } = await store();
  await checkImage(objects, await withPlatform(objects, built, {}), targets);
  for (const [layer, message] of [
    [gzipMember(Buffer.from('other files')), /its layer sha256:\w+ unpacks to sha256:\w+, its configuration says/],
    [Buffer.from('no gzip'), /its layer .* does not unpack/],
    [gzipMember(Buffer.from('cut off')).subarray(0, 20), /its layer .* does not unpack/],
  ] as const) {
    await expect(checkImage(objects, await withPlatform(objects, built, { layer }), targets)).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringMatching(message),
    });
  }
});

test('an SBOM that is none is refused, and so is what is too large to be read', async () => {
  const { objects, built } = await store();
  for (const sbom of [Buffer.from('{'), Buffer.from('{"bom":1}'), Buffer.alloc(65 * 1024 * 1024, ' ')]) {
    await expect(checkImage(objects, await withPlatform(objects, built, { sbom }), targets)).rejects.toMatchObject({
      code: 'image.invalid',
      message: expect.stringMatching(/is not what an image has there|is the most that is read/),
    });
  }
  const large = ociBlob('', Buffer.alloc(5 * 1024 * 1024, ' '));
  await objects.put(blobKey(digestHex(large.descriptor)), large.bytes);
  const said = { ...built, index: digestHex(large.descriptor) };
  await expect(checkImage(objects, said, targets)).rejects.toMatchObject({
    code: 'image.invalid',
    message: expect.stringContaining('has 5242880 bytes; 4194304 is the most that is read'),
  });
});

test('an index that is not what the builder says of it, or was not asked for, is refused', async () => {
  const { objects, built } = await store();
  const refuses = (asked: Built, message: string, of: Parameters<typeof checkImage>[2] = targets) =>
    expect(checkImage(objects, asked, of)).rejects.toMatchObject({ message: expect.stringContaining(message) });
  await refuses(built, 'it is for x86_64-gnu, aarch64-gnu, not x86_64-gnu', ['x86_64-gnu']);
  await refuses({ ...built, platforms: built.platforms.slice(1) }, 'its builder says linux/arm64 sha256:');
  await refuses(await withIndex(objects, built, { size: 7 }), 'bytes, not 7');
  await refuses(await withIndex(objects, built, { annotations: {} }), 'has no SBOM');
  await refuses(await withIndex(objects, built, { digest: 'sha256:../../etc' }), 'is not what an image has there');
  const swapped = await withIndex(objects, built, { platform: { os: 'linux', architecture: 'arm64' } });
  const [, arm] = built.platforms;
  const lie = built.platforms.map((one) => (one === arm ? one : { ...one, target: 'aarch64-gnu' as const }));
  await refuses({ ...swapped, platforms: lie }, 'is for linux/amd64, not linux/arm64', ['aarch64-gnu', 'aarch64-gnu']);
});
