import { verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { openDsse } from '../../../../src/formats/dsse.ts';
import { attachmentsKey, attachmentsSchema } from '../../../../src/model/attachment.ts';
import { blobKey } from '../../../../src/ports/objects.ts';
import { attachToImage } from '../../../../src/publish/image/index.ts';
import { readStoredImage } from '../../../../src/publish/image/read.ts';
import { createMemoryObjects, type MemoryObjects } from '../../../fakes/memory-objects.ts';
import { attachFacts, type SampleImage, storeSampleImage } from '../../../support/published-image.ts';
import { createTestImageSigner } from '../../../support/test-signer.ts';

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly annotations: Readonly<Record<string, string>>;
}

const hexOf = (digest: string) => digest.replace('sha256:', '');

async function blob(objects: MemoryObjects, hex: string): Promise<Buffer> {
  return Buffer.from((await objects.get(blobKey(hex)))?.bytes ?? '');
}

async function attached(objects: MemoryObjects, digest: string) {
  const object = await objects.get(attachmentsKey(hexOf(digest)));
  const record = attachmentsSchema.parse(JSON.parse(Buffer.from(object?.bytes ?? '').toString()));
  const layersOf = async (hex: string) =>
    (JSON.parse((await blob(objects, hex)).toString()) as { layers: Layer[] }).layers;
  return { record, signatures: await layersOf(record.sig), attestations: await layersOf(record.att) };
}

async function attachTo(objects: MemoryObjects, image: SampleImage, signer = createTestImageSigner()) {
  const stored = await readStoredImage(objects, 'hello:latest', hexOf(image.digest));
  await attachToImage(objects, signer, stored, hexOf(image.digest), attachFacts(image));
  return signer;
}

test('index and platforms are signed by digest, as cosign signs', async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  const { publicKey } = await attachTo(objects, image);
  for (const digest of [image.digest, ...image.images.map(({ manifest }) => manifest.digest)]) {
    const { signatures } = await attached(objects, digest);
    expect(signatures).toHaveLength(1);
    const [layer] = signatures;
    expect(layer?.mediaType).toBe('application/vnd.dev.cosign.simplesigning.v1+json');
    const payload = await blob(objects, hexOf(layer?.digest ?? ''));
    expect(JSON.parse(payload.toString())).toMatchObject({
      critical: { image: { 'docker-manifest-digest': digest }, type: 'cosign container image signature' },
    });
    const signature = Buffer.from(layer?.annotations['dev.cosignproject.cosign/signature'] ?? '', 'base64');
    expect(verify('sha256', payload, publicKey, signature)).toBe(true);
    expect(verify('sha256', Buffer.concat([payload, Buffer.from(' ')]), publicKey, signature)).toBe(false);
  }
});

test('SPDX documents and the pinned definition are attested for each', async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  const { publicKey } = await attachTo(objects, image);
  const statementsOf = async (digest: string) => {
    const { attestations } = await attached(objects, digest);
    return Promise.all(
      attestations.map(async (layer) => {
        const envelope: unknown = JSON.parse((await blob(objects, hexOf(layer.digest))).toString());
        const { payload } = openDsse(envelope, [{ name: 'cosign.pub', publicKey }]);
        const statement = JSON.parse(payload.toString()) as {
          predicateType: string;
          subject: unknown;
          predicate: object;
        };
        expect(layer.annotations['predicateType']).toBe(statement.predicateType);
        expect(statement.subject).toEqual([{ name: 'hello', digest: { sha256: hexOf(digest) } }]);
        return statement;
      }),
    );
  };
  const [arm] = image.images.filter(({ manifest }) => manifest.platform?.architecture === 'arm64');
  const [sbom, configuration] = await statementsOf(arm?.manifest.digest ?? '');
  expect(sbom).toMatchObject({ predicateType: 'https://spdx.dev/Document', predicate: { spdxVersion: 'SPDX-2.3' } });
  expect(configuration).toMatchObject({
    predicateType: 'https://apko.dev/image-configuration',
    predicate: {
      archs: ['aarch64'],
      contents: { packages: ['data=1-r0', 'hello=1-r0'] },
      entrypoint: { command: '/usr/bin/hello' },
    },
  });
  const [ofIndex] = await statementsOf(image.digest);
  const { packages, relationships } = (ofIndex?.predicate ?? {}) as {
    packages: object[];
    relationships: { relationshipType: string }[];
  };
  expect(packages).toHaveLength(3);
  expect(relationships.map((one) => one.relationshipType)).toEqual(['DESCRIBES', 'VARIANT_OF', 'VARIANT_OF']);
});

test('signatures are made once and kept; another key signs anew; the image has the same digest without them', async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  const signer = await attachTo(objects, image);
  const { record } = await attached(objects, image.digest);
  await attachTo(objects, image, signer);
  expect((await attached(objects, image.digest)).record).toEqual(record);
  await attachTo(objects, image);
  expect((await attached(objects, image.digest)).record.sig).not.toBe(record.sig);
  expect((await storeSampleImage(createMemoryObjects())).digest).toBe(image.digest);
});
