import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRegistries } from '../../../../src/adapters/oci/registries.ts';
import { digestHex } from '../../../../src/formats/oci.ts';
import { blobKey } from '../../../../src/ports/objects.ts';
import type { PushOptions } from '../../../../src/ports/registry.ts';
import { attachToImage, pushImage } from '../../../../src/publish/image/index.ts';
import { readStoredImage } from '../../../../src/publish/image/read.ts';
import { createMemoryObjects, type MemoryObjects } from '../../../fakes/memory-objects.ts';
import { type FakeRegistry, startFakeRegistry } from '../../../fakes/registry.ts';
import { attachFacts, type SampleImage, storeSampleImage } from '../../../support/published-image.ts';
import { createTestImageSigner } from '../../../support/test-signer.ts';

let objects: MemoryObjects;
let image: SampleImage;
let fake: FakeRegistry;
beforeEach(async () => {
  objects = createMemoryObjects();
  image = await storeSampleImage(objects);
  fake = await startFakeRegistry();
});
afterEach(() => fake.close());

function push(options: PushOptions = {}): Promise<void> {
  const registries = createRegistries({ userAgent: 'regrow-test', addresses: [fake.address], wait: async () => {} });
  const { digest } = image;
  const repository = registries.repository(fake.address, 'hello');
  return pushImage(objects, repository, { ref: 'hello:latest', digest, tag: 'latest' }, options);
}

async function sign(signer = createTestImageSigner()) {
  const hex = image.digest.replace('sha256:', '');
  const stored = await readStoredImage(objects, 'hello:latest', hex);
  await attachToImage(objects, signer, stored, hex, attachFacts(image));
  return signer;
}

const tags = () => [...fake.manifests.keys()].filter((key) => !key.includes('sha256:')).toSorted();
const digests = () => [image.digest, ...image.images.map(({ manifest }) => manifest.digest)];
const tagged = (suffix: string) => digests().map((digest) => `hello ${digest.replace(':', '-')}${suffix}`);

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

test('a registry that keeps lists of referrers lists what is pushed; for another one the list is under a tag', async () => {
  await sign();
  fake.keepsReferrers = true;
  await push();
  const common = ['hello latest', ...tagged('.sig'), ...tagged('.att')];
  expect(tags()).toEqual(common.toSorted());
  for (const digest of digests()) {
    const answer = await fetch(`${fake.address}/v2/hello/referrers/${digest}`);
    const { manifests } = (await answer.json()) as { manifests: { artifactType: string; annotations: object }[] };
    expect(manifests.map(({ artifactType, annotations }) => [artifactType, Object.keys(annotations)])).toEqual([
      ['application/vnd.dev.cosign.artifact.sig.v1+json', []],
      ['application/spdx+json', ['org.opencontainers.image.created']],
    ]);
  }
  fake.asked.length = 0;
  await push();
  expect(fake.asked.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
  fake.keepsReferrers = false;
  await push();
  expect(tags()).toEqual([...common, ...tagged('')].toSorted());
  fake.asked.length = 0;
  await push();
  expect(fake.asked.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
});

test('a registry that takes no referrers gets the image with its signatures, and is told of', async () => {
  await sign();
  fake.faults.push(({ method, path }, response, body) => {
    if (method !== 'PUT' || !path.includes('/manifests/') || !body.includes('"subject"')) return undefined;
    response.writeHead(400).end('{"errors":[{"code":"MANIFEST_INVALID","message":"unknown field subject"}]}');
    return true;
  });
  const refused: string[] = [];
  await push({ onRefused: ({ message }) => refused.push(message) });
  expect(tags()).toEqual(['hello latest', ...tagged('.sig'), ...tagged('.att')].toSorted());
  expect(refused).toHaveLength(3);
  expect(refused[0]).toMatch(/MANIFEST_INVALID unknown field subject/);
});

test('signed by another key the new signatures come beside those that are there, though they are of the same bytes', async () => {
  await sign();
  await push();
  const young = await sign();
  await push();
  const manifest = fake.manifests.get(`hello ${image.digest.replace(':', '-')}.sig`);
  const { layers } = JSON.parse(manifest!.toString()) as { layers: { digest: string; annotations: object }[] };
  expect(layers).toHaveLength(2);
  const [old, now] = layers;
  expect(now?.digest).toBe(old?.digest);
  expect(now?.annotations).not.toEqual(old?.annotations);
  await sign(young);
  fake.asked.length = 0;
  await push();
  expect(fake.asked.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([]);
});

test.each([400, 403, 405])(
  'a registry that answers %i to the question for a list has it under a tag',
  async (status) => {
    await sign();
    fake.faults.push(({ path }, response) => {
      if (!path.includes('/referrers/')) return undefined;
      response.writeHead(status).end();
      return true;
    });
    await push();
    expect(tags()).toEqual(['hello latest', ...tagged('.sig'), ...tagged('.att'), ...tagged('')].toSorted());
  },
);
