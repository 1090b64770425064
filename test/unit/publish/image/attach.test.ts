import { verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { RegrowError } from '../../../../src/errors.ts';
import { openDsse } from '../../../../src/formats/dsse.ts';
import { keyBundle } from '../../../../src/formats/sigstore-bundle.ts';
import { attachmentsKey, attachmentsSchema, isSignedBy } from '../../../../src/model/attachment.ts';
import { sha256 } from '../../../../src/model/canonical.ts';
import { blobKey } from '../../../../src/ports/objects.ts';
import type { ImageSigner } from '../../../../src/ports/signer.ts';
import type { Keyless } from '../../../../src/ports/sigstore.ts';
import type { AttachOptions } from '../../../../src/publish/image/attach.ts';
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

async function attachTo(
  objects: MemoryObjects,
  image: SampleImage,
  signer: ImageSigner = createTestImageSigner(),
  options: AttachOptions = {},
) {
  const stored = await readStoredImage(objects, 'hello:latest', hexOf(image.digest));
  await attachToImage(objects, signer, stored, hexOf(image.digest), attachFacts(image), options);
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

test('keys that are trusted still sign too; what they have signed is kept when another one comes, and goes with its key', async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  const [old, young] = [createTestImageSigner(), createTestImageSigner()];
  await attachTo(objects, image, old);
  const before = await attached(objects, image.digest);
  await attachTo(objects, image, { ...young, older: [old] });
  const both = await attached(objects, image.digest);
  expect(both.record.signed.map(({ by }) => by)).toEqual([young, old].map(({ publicKey }) => sha256(publicKey)));
  expect(both.signatures[1]).toEqual(before.signatures[0]);
  expect(both.attestations.slice(2)).toEqual(before.attestations);
  await attachTo(objects, image, young);
  const after = await attached(objects, image.digest);
  expect(after.signatures).toEqual([both.signatures[0]]);
  expect(isSignedBy(after.record, [sha256(young.publicKey)], false)).toBe(true);
  expect(isSignedBy(after.record, [sha256(young.publicKey), sha256(old.publicKey)], false)).toBe(false);
});

test('signatures and the SPDX document refer to what they are about; there is one list for each', async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  await attachTo(objects, image);
  for (const digest of [image.digest, ...image.images.map(({ manifest }) => manifest.digest)]) {
    const { record, signatures } = await attached(objects, digest);
    expect(record.referrers.map(({ artifactType }) => artifactType)).toEqual([
      'application/vnd.dev.cosign.artifact.sig.v1+json',
      'application/spdx+json',
    ]);
    const [signature, bill] = await Promise.all(
      record.referrers.map(async (one) => {
        const bytes = await blob(objects, hexOf(one.digest));
        expect([bytes.length, `sha256:${sha256(bytes)}`]).toEqual([one.size, one.digest]);
        return JSON.parse(bytes.toString()) as {
          subject: { digest: string; size: number };
          layers: Layer[];
          config: Layer;
        };
      }),
    );
    const subject = await blob(objects, hexOf(digest));
    for (const one of [signature, bill]) expect(one?.subject).toMatchObject({ digest, size: subject.length });
    expect(signature?.layers).toEqual(signatures);
    expect((await blob(objects, hexOf(bill?.config.digest ?? ''))).toString()).toBe('{}');
    const document = JSON.parse((await blob(objects, hexOf(bill?.layers[0]?.digest ?? ''))).toString()) as object;
    expect(document).toMatchObject({ spdxVersion: 'SPDX-2.3' });
  }
});

/** Stands in for Sigstore: a bundle with a certificate that is none, around the envelope of a key. */
function fakeKeyless(): Keyless & { failing: boolean; calls: number } {
  const { publicKey } = createTestImageSigner();
  const certificate = { rawBytes: Buffer.from('certificate').toString('base64') };
  const call = () => {
    fake.calls += 1;
    if (fake.failing) throw new RegrowError('sigstore.unreachable', 'Fulcio does not answer', { retry: 'later' });
  };
  const fake = {
    failing: false,
    calls: 0,
    async sign() {
      call();
      return JSON.stringify({
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: { certificate },
        messageSignature: { signature: 'c2ln' },
      });
    },
    async attest(payloadType: string, payload: Uint8Array) {
      call();
      const envelope = { payloadType, payload: Buffer.from(payload).toString('base64'), signatures: [{ sig: 'c2ln' }] };
      const bundle = JSON.parse(keyBundle(publicKey, envelope)) as object;
      return JSON.stringify({ ...bundle, verificationMaterial: { certificate } });
    },
  };
  return fake;
}

test('an identity signs beside the keys, and then all have bundles; without an answer nothing of the image is changed', async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  const signer = await attachTo(objects, image);
  const before = await attached(objects, image.digest);
  const keyless = fakeKeyless();
  keyless.failing = true;
  await expect(attachTo(objects, image, signer, { keyless })).rejects.toMatchObject({ code: 'sigstore.unreachable' });
  expect((await attached(objects, image.digest)).record).toEqual(before.record);
  keyless.failing = false;
  await attachTo(objects, image, signer, { keyless });
  const { record, signatures, attestations } = await attached(objects, image.digest);
  expect(record.signed.map(({ by }) => by)).toEqual([sha256(signer.publicKey), 'identity']);
  expect(signatures[1]?.annotations['dev.sigstore.cosign/certificate']).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
  expect(attestations).toHaveLength(4);
  const predicates = [
    'https://sigstore.dev/cosign/sign/v1',
    'https://spdx.dev/Document',
    'https://apko.dev/image-configuration',
  ];
  const bundles = record.referrers.filter(({ artifactType }) => artifactType.includes('sigstore.bundle'));
  expect(bundles.map(({ annotations }) => annotations?.['dev.sigstore.bundle.predicateType'])).toEqual([
    ...predicates,
    ...predicates,
  ]);
  const { calls } = keyless;
  await attachTo(objects, image, signer, { keyless });
  await attachTo(objects, image, signer);
  expect(keyless.calls).toBe(calls);
  expect((await attached(objects, image.digest)).record).toEqual(record);
  // Another key: what the identity has signed stays.
  await attachTo(objects, image);
  const rotated = (await attached(objects, image.digest)).record;
  expect(rotated.signed[1]).toEqual(record.signed[1]);
  expect(rotated.referrers).toHaveLength(8);
  expect(keyless.calls).toBe(calls);
});

test('what was attached before there were several signers is read, and signed anew', async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  const signer = await attachTo(objects, image);
  const { record } = await attached(objects, image.digest);
  const former = { schema: 1, key: sha256(signer.publicKey), sig: record.sig, att: record.att };
  await objects.put(attachmentsKey(hexOf(image.digest)), Buffer.from(JSON.stringify(former)));
  const read = await attached(objects, image.digest);
  expect(read.record).toEqual({ schema: 2, signed: [], sig: record.sig, att: record.att, referrers: [] });
  expect(isSignedBy(read.record, [sha256(signer.publicKey)], false)).toBe(false);
  await attachTo(objects, image, signer);
  expect((await attached(objects, image.digest)).record.signed).toHaveLength(1);
});

test("a record that says of somebody else's signature that it is of a key is not believed", async () => {
  const objects = createMemoryObjects();
  const image = await storeSampleImage(objects);
  const signer = await attachTo(objects, image, createTestImageSigner());
  const theirs = (await attached(objects, image.digest)).record;
  const own = createTestImageSigner();
  const forged = { ...theirs, signed: theirs.signed.map((one) => ({ ...one, by: sha256(own.publicKey) })) };
  await objects.put(attachmentsKey(hexOf(image.digest)), Buffer.from(JSON.stringify(forged)));
  await attachTo(objects, image, own);
  const { record, signatures } = await attached(objects, image.digest);
  expect(record.signed[0]?.sig).not.toEqual(theirs.signed[0]?.sig);
  const payload = await blob(objects, hexOf(signatures[0]?.digest ?? ''));
  const signature = Buffer.from(signatures[0]?.annotations['dev.cosignproject.cosign/signature'] ?? '', 'base64');
  expect(verify('sha256', payload, own.publicKey, signature)).toBe(true);
  expect(verify('sha256', payload, signer.publicKey, signature)).toBe(false);
});
