import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRegistries } from '../../../../src/adapters/oci/registries.ts';
import { digestHex } from '../../../../src/formats/oci.ts';
import { blobKey } from '../../../../src/ports/objects.ts';
import { pushImage } from '../../../../src/publish/image/index.ts';
import { createMemoryObjects, type MemoryObjects } from '../../../fakes/memory-objects.ts';
import { type FakeRegistry, startFakeRegistry } from '../../../fakes/registry.ts';
import { type SampleImage, storeSampleImage } from '../../../support/published-image.ts';

let objects: MemoryObjects;
let image: SampleImage;
let fake: FakeRegistry;
beforeEach(async () => {
  objects = createMemoryObjects();
  image = await storeSampleImage(objects);
  fake = await startFakeRegistry();
});
afterEach(() => fake.close());

function push(): Promise<void> {
  const registries = createRegistries({ userAgent: 'regrow-test', addresses: [fake.address], wait: async () => {} });
  const { digest } = image;
  return pushImage(objects, registries.repository(fake.address, 'hello'), {
    ref: 'hello:latest',
    digest,
    tag: 'latest',
  });
}

test('blobs come before the manifests that name them, the tag last; a second time nothing is sent', async () => {
  await push();
  const sent = fake.asked.filter(({ method }) => method === 'PUT').map(({ path }) => path.replace(/\/uploads.*/, ''));
  const manifests = sent.filter((path) => path.includes('/manifests/'));
  expect(manifests).toEqual([
    ...image.images
      .map(({ manifest }) => `/v2/hello/manifests/${manifest.digest}`)
      .toSorted((a, b) => sent.indexOf(a) - sent.indexOf(b)),
    `/v2/hello/manifests/${image.digest}`,
    '/v2/hello/manifests/latest',
  ]);
  expect(sent.lastIndexOf('/v2/hello/blobs')).toBeLessThan(sent.indexOf(`/v2/hello/manifests/${image.digest}`));
  for (const { manifest, blobs } of image.images) {
    const { layers } = JSON.parse(Buffer.from(blobs.get(digestHex(manifest)) ?? '').toString()) as {
      layers: { digest: string }[];
    };
    for (const { digest } of layers) {
      expect(fake.blobs.get(`hello ${digest}`)).toEqual(Buffer.from(blobs.get(digestHex({ digest })) ?? ''));
    }
  }
  fake.asked.length = 0;
  await push();
  expect(fake.asked.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
});

test('the tag stays where it was when the image is not whole', async () => {
  const layer = [...image.images[0]!.blobs].find(([, bytes]) => bytes[0] === 0x1f)![0];
  await objects.put(blobKey(layer), Buffer.from('damaged'));
  await expect(push()).rejects.toMatchObject({ code: 'repository.corrupt' });
  await objects.remove(blobKey(layer));
  await expect(push()).rejects.toMatchObject({ code: 'image.invalid' });
  expect([...fake.manifests.keys()]).not.toContain('hello latest');
});
