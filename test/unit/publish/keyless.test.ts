import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeyless } from '../../../src/adapters/sigstore/keyless.ts';
import { RegrowError } from '../../../src/errors.ts';
import { signDsse } from '../../../src/formats/dsse.ts';
import { blobKey, bundleKey, bundlesPrefix, stagingKey } from '../../../src/ports/objects.ts';
import type { Signer } from '../../../src/ports/signer.ts';
import { publishGeneration } from '../../../src/publish/generation.ts';
import { signPackages } from '../../../src/publish/keyless.ts';
import { putBlob } from '../../../src/publish/listing.ts';
import { readCurrent, readPackages } from '../../../src/publish/manifest.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects, type MemoryObjects } from '../../fakes/memory-objects.ts';
import { type FakeSigstore, identity, identityToken, startFakeSigstore } from '../../fakes/sigstore.ts';
import { findCosign } from '../../support/cosign.ts';
import { makePackage } from '../../support/package-trees.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const cosignAt = await findCosign();
const type = 'application/vnd.in-toto+json';
const signer = createTestSigner('box');
const foreign = createTestSigner('box');
const keys = [{ name: signer.keyName, publicKey: signer.publicKey }];

let sigstore: FakeSigstore;
let objects: MemoryObjects;
beforeEach(async () => {
  sigstore = await startFakeSigstore();
  objects = createMemoryObjects();
});
afterEach(() => sigstore.close());

const keyless = () =>
  createKeyless({
    fulcioUrl: sigstore.address,
    rekorUrl: sigstore.address,
    rekorVersion: 1,
    identity: async () => identityToken(),
    timeout: 2000,
  });
const sign = () => signPackages({ objects, keyless: keyless(), keys }, undefined);

/** Publishes a package; `by` signs where it came from, about `subject` in place of its own digest. */
async function publish(name: string, by: Signer | 'nobody' = signer, subject?: string): Promise<void> {
  const { artifact, bytes } = await makePackage({ name });
  const key = stagingKey(name, `${name}.apk`);
  await objects.put(key, bytes);
  const attest = async (_: unknown, { digest }: { readonly digest: string }) => {
    if (by === 'nobody') return undefined;
    const statement = JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name, digest: { sha256: subject ?? digest } }],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {},
    });
    return putBlob(objects, Buffer.from(`${JSON.stringify(signDsse(type, Buffer.from(statement), [by]))}\n`));
  };
  const clock = createManualClock('2026-06-01T09:00:00Z');
  await publishGeneration({ objects, signer, clock, attest }, { add: [{ key, artifact }], token: 1 });
}

async function published(name: string) {
  const packages = await readPackages(objects, (await readCurrent(objects))!.generation, 'x86_64-gnu');
  const artifact = packages.find(({ info }) => info.name === name)!;
  const bundle = Buffer.from((await objects.get(bundleKey(artifact.digest)))?.bytes ?? []).toString();
  const envelope = Buffer.from((await objects.get(blobKey(artifact.provenance ?? '')))?.bytes ?? []).toString();
  return { artifact, bundle, envelope };
}

test('each package has a bundle of the very statement that the key has signed, by who signs now, once', async () => {
  await publish('one');
  await publish('two');
  expect(await sign()).toEqual({ signed: 2, skipped: [] });
  for (const name of ['one', 'two']) {
    const { bundle, envelope } = await published(name);
    expect(sigstore.verify(bundle)).toBe(identity.subject);
    const { dsseEnvelope } = JSON.parse(bundle) as { dsseEnvelope: { payload: string } };
    expect(dsseEnvelope.payload).toBe((JSON.parse(envelope) as { payload: string }).payload);
  }
  const { bundle } = await published('one');
  await publish('three');
  expect(await sign()).toEqual({ signed: 1, skipped: [] });
  expect((await published('one')).bundle).toBe(bundle);
  expect(sigstore.asked.filter((service) => service === 'rekor')).toHaveLength(3);
});

test('what no key of the repository has signed, or is about another file, is signed by nobody', async () => {
  await publish('foreign', foreign);
  await publish('other', signer, 'f'.repeat(64));
  await publish('none', 'nobody');
  await publish('good');
  const { skipped, signed } = await sign();
  expect(signed).toBe(1);
  expect([...skipped].toSorted()).toEqual(['foreign-1.0.0-r0.apk', 'other-1.0.0-r0.apk']);
  expect(await objects.list(bundlesPrefix)).toEqual([bundleKey((await published('good')).artifact.digest)]);
});

test('when Sigstore stops answering, what has been signed is kept, and the rest comes the next time', async () => {
  for (const name of ['one', 'two', 'three']) await publish(name);
  const certified = keyless();
  let left = 2;
  const failing = {
    ...certified,
    async attest(...args: Parameters<typeof certified.attest>) {
      left -= 1;
      if (left < 0) sigstore.faults.set('rekor', 503);
      return certified.attest(...args);
    },
  };
  await expect(signPackages({ objects, keyless: failing, keys }, undefined)).rejects.toMatchObject({
    code: 'sigstore.unreachable',
  });
  expect(await objects.list(bundlesPrefix)).toHaveLength(2);
  sigstore.faults.clear();
  expect(await sign()).toEqual({ signed: 1, skipped: [] });
});

test('a package that Sigstore refuses holds up no other one; where it refuses all, it is not asked for ever', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) await publish(name);
  const real = keyless();
  let asked = 0;
  const refusing = (isRefused: (payload: string) => boolean) => ({
    ...real,
    async attest(...args: Parameters<typeof real.attest>) {
      asked += 1;
      if (isRefused(Buffer.from(args[1]).toString())) throw new RegrowError('sigstore.refused', 'too large');
      return real.attest(...args);
    },
  });
  const signing = (one: ReturnType<typeof refusing>) => signPackages({ objects, keyless: one, keys }, undefined);
  await expect(signing(refusing(() => true))).rejects.toMatchObject({ code: 'sigstore.refused' });
  expect(asked).toBe(5);
  await expect(signing(refusing((text) => text.includes('"name":"a"')))).rejects.toMatchObject({
    code: 'sigstore.refused',
  });
  expect(await objects.list(bundlesPrefix)).toHaveLength(7);
  expect(await sign()).toEqual({ signed: 1, skipped: [] });
});

test.skipIf(cosignAt === undefined)('cosign verifies a package with its bundle, and refuses another file', async () => {
  await publish('one');
  await sign();
  const { artifact, bundle } = await published('one');
  const folder = mkdtempSync(join(tmpdir(), 'regrow-bundle-'));
  try {
    const write = (name: string, content: string | Uint8Array) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const bytes = (await objects.get(blobKey(artifact.digest)))!.bytes;
    const [file, other] = [write('one.apk', bytes), write('other.apk', Buffer.concat([bytes, Buffer.from('x')]))];
    const args = [
      'verify-blob-attestation',
      '--new-bundle-format',
      '--bundle',
      write('one.sigstore.json', bundle),
      '--trusted-root',
      write('root.json', JSON.stringify(sigstore.trustedRoot)),
      '--type',
      'slsaprovenance1',
      '--certificate-identity',
      identity.subject,
      '--certificate-oidc-issuer',
      identity.issuer,
    ];
    const cosign = cosignAt!(folder);
    await cosign([...args, file]);
    await expect(cosign([...args, other])).rejects.toThrow(/provided artifact digests? do(?:es)? not match/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
