import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRegistries } from '../../../../src/adapters/oci/registries.ts';
import { createKeyless } from '../../../../src/adapters/sigstore/keyless.ts';
import { referrerIndex, referrersTag } from '../../../../src/formats/referrer.ts';
import { bundleMediaType } from '../../../../src/formats/sigstore-bundle.ts';
import { type Attachments, attachmentsKey } from '../../../../src/model/attachment.ts';
import { sha256 } from '../../../../src/model/canonical.ts';
import { blobKey } from '../../../../src/ports/objects.ts';
import { attachToImage, pushImage, readAttachments } from '../../../../src/publish/image/index.ts';
import { readStoredImage } from '../../../../src/publish/image/read.ts';
import { announceImageKeys } from '../../../../src/roles/keys.ts';
import { type FakeSigstore, identity, identityToken, startFakeSigstore } from '../../../fakes/sigstore.ts';
import { startTestApi } from '../../../support/api-server.ts';
import { type Cosign, findCosign } from '../../../support/cosign.ts';
import { isMissing, startDockerRegistry } from '../../../support/docker-registry.ts';
import { attachFacts, storeSampleImage } from '../../../support/published-image.ts';
import { createWorld, noon } from '../../../support/report-world.ts';
import { createTestImageSigner } from '../../../support/test-signer.ts';

const cosignAt = await findCosign();
const spdx = 'https://spdx.dev/Document';
const patience = 180_000;

const keys = { young: createTestImageSigner(), old: createTestImageSigner(), foreign: createTestImageSigner() };
type KeyName = keyof typeof keys;

/** An image that two keys have signed, and an identity too, at the daemon and, where there is one, in docker-registry. */
async function publish(directory: string, sigstore: FakeSigstore | undefined) {
  const world = createWorld();
  const image = await storeSampleImage(world.objects);
  const { digest } = image;
  const images = [{ ref: 'hello:latest', digest, generation: 1, at: noon, platforms: [], vulnerabilities: [] }];
  await world.objects.put('images/current', Buffer.from(JSON.stringify({ schema: 1, images })));
  const signer = { ...keys.young, older: [keys.old] };
  const hex = digest.replace('sha256:', '');
  const stored = await readStoredImage(world.objects, 'hello:latest', hex);
  const options = sigstore === undefined ? {} : { keyless: keylessAt(sigstore.address) };
  await attachToImage(world.objects, signer, stored, hex, attachFacts(image), options);
  await announceImageKeys(world.objects, signer, { trusted: [signer, keys.old], retired: [] });
  for (const [name, { publicKey }] of Object.entries(keys)) writeFileSync(join(directory, name), publicKey);
  const api = await startTestApi(world);
  const registry = isMissing('docker-registry') ? undefined : await startDockerRegistry();
  const places = [`${new URL(api.base).host}/hello`];
  const registries = createRegistries({ userAgent: 'regrow-test', addresses: [registry?.address ?? api.base] });
  const repository = registry === undefined ? undefined : registries.repository(registry.address, 'team/hello');
  if (registry !== undefined && repository !== undefined) {
    await pushImage(world.objects, repository, { ref: 'hello:latest', digest, tag: 'latest' });
    places.push(`${registry.host}/team/hello`);
  }
  return {
    world,
    image,
    repository,
    /** The index and one platform, in every place. */
    refs: places.flatMap((place) => [digest, image.images[1]!.manifest.digest].map((one) => `${place}@${one}`)),
    async close() {
      await api.close();
      await registry?.stop();
    },
  };
}
type Published = Awaited<ReturnType<typeof publish>>;

function keylessAt(address: string) {
  const identity = async () => identityToken();
  return createKeyless({ fulcioUrl: address, rekorUrl: address, rekorVersion: 1, identity });
}

async function statementOf(
  cosign: Cosign,
  args: readonly string[],
  ref: string,
  type: string,
  environment?: Readonly<Record<string, string>>,
): Promise<unknown> {
  const text = await cosign(['verify-attestation', ...args, '--type', type, ref], environment);
  const { payload } = JSON.parse(text.trim().split('\n')[0] ?? '') as { payload: string };
  return JSON.parse(Buffer.from(payload, 'base64').toString());
}

/** Does some work while blobs of the store are other ones. */
async function whileChanged(
  { world: { objects } }: Published,
  hexes: readonly string[],
  change: (text: string) => string,
  work: () => Promise<void>,
): Promise<void> {
  const before = new Map<string, Uint8Array>();
  for (const hex of hexes) {
    const { bytes } = (await objects.get(blobKey(hex)))!;
    before.set(hex, bytes);
    const other = change(Buffer.from(bytes).toString());
    expect(other).not.toBe(Buffer.from(bytes).toString());
    await objects.put(blobKey(hex), Buffer.from(other));
  }
  try {
    await work();
  } finally {
    for (const [hex, bytes] of before) await objects.put(blobKey(hex), bytes);
  }
}

const hexOf = (digest: string) => digest.replace('sha256:', '');

describe.skipIf(cosignAt === undefined)('cosign, of an image that keys have signed', () => {
  let directory: string;
  let published: Published;
  let cosign: Cosign;
  const byKey = (key: KeyName) => [
    '--allow-insecure-registry',
    '--insecure-ignore-tlog',
    '--key',
    join(directory, key),
  ];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'regrow-cosign-'));
    cosign = cosignAt!(directory);
    published = await publish(directory, undefined);
  }, patience);
  afterAll(async () => {
    await published?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test(
    'verifies signatures and attestations by tag with each key that is trusted, and with no other',
    async () => {
      for (const ref of published.refs) {
        for (const key of ['young', 'old'] as const) {
          const [claim] = JSON.parse(await cosign(['verify', ...byKey(key), ref])) as { critical: { image: object } }[];
          expect(claim?.critical.image).toEqual({ 'docker-manifest-digest': ref.split('@')[1] });
        }
        for (const type of [spdx, 'https://apko.dev/image-configuration']) {
          expect(await statementOf(cosign, byKey('young'), ref, type)).toMatchObject({
            predicateType: type,
            subject: [{ digest: { sha256: ref.split('@sha256:')[1] } }],
          });
        }
        await expect(cosign(['verify', ...byKey('foreign'), ref])).rejects.toThrow(/no matching signatures/);
        await expect(statementOf(cosign, byKey('foreign'), ref, spdx)).rejects.toThrow(/no matching attestations/);
      }
    },
    patience,
  );

  test(
    'finds signatures as referrers',
    async () => {
      const experimental = { COSIGN_EXPERIMENTAL: '1' };
      for (const ref of published.refs) {
        const verify = (key: KeyName) => cosign(['verify', '--experimental-oci11', ...byKey(key), ref], experimental);
        await verify('young');
        await verify('old');
        await expect(verify('foreign')).rejects.toThrow(/no matching signatures/);
      }
    },
    patience,
  );

  test(
    'refuses a payload that was changed by a byte',
    async () => {
      const { world, image, refs } = published;
      const [key] = (await readAttachments(world.objects, image))!.signed;
      const blobs = [hexOf(key!.sig.digest)];
      await whileChanged(
        published,
        blobs,
        (text) => text.replace('regrow', 'Regrow'),
        async () => {
          await expect(cosign(['verify', ...byKey('young'), refs[0]!])).rejects.toThrow(/Error/);
        },
      );
      await cosign(['verify', ...byKey('young'), refs[0]!]);
    },
    patience,
  );
});

describe.skipIf(cosignAt === undefined)('cosign, of an image that an identity has signed too', () => {
  let directory: string;
  let published: Published;
  let sigstore: FakeSigstore;
  let cosign: Cosign;
  // cosign 2.6 wants a trusted root wherever it finds a bundle, also for a key; without network it has none of its own.
  const common = () => ['--allow-insecure-registry', '--trusted-root', join(directory, 'root.json')];
  const byKey = (key: KeyName) => [...common(), '--insecure-ignore-tlog', '--key', join(directory, key)];
  const byIdentity = (subject = identity.subject, issuer = identity.issuer) => [
    ...common(),
    '--certificate-identity',
    subject,
    '--certificate-oidc-issuer',
    issuer,
  ];

  const pemFile = (name: string, kind: string, base64: string) => {
    const path = join(directory, name);
    writeFileSync(path, `-----BEGIN ${kind}-----\n${base64.replace(/(.{64})/g, '$1\n')}\n-----END ${kind}-----\n`);
    return path;
  };

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'regrow-cosign-'));
    cosign = cosignAt!(directory);
    sigstore = await startFakeSigstore();
    writeFileSync(join(directory, 'root.json'), JSON.stringify(sigstore.trustedRoot));
    published = await publish(directory, sigstore);
  }, patience);
  afterAll(async () => {
    await published?.close();
    await sigstore?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test(
    'verifies who signed, and that it was nobody else',
    async () => {
      for (const ref of published.refs) {
        await cosign(['verify', ...byIdentity(), ref]);
        const mallory = cosign(['verify', ...byIdentity('https://github.com/mallory'), ref]);
        await expect(mallory).rejects.toThrow(/no matching CertificateIdentity found/);
        const elsewhere = cosign(['verify', ...byIdentity(identity.subject, 'https://issuer.example.com'), ref]);
        await expect(elsewhere).rejects.toThrow(/no matching CertificateIdentity found/);
        const statement = await statementOf(cosign, ['--new-bundle-format', ...byIdentity()], ref, spdx);
        expect(statement).toMatchObject({ predicateType: spdx, predicate: { spdxVersion: 'SPDX-2.3' } });
      }
    },
    patience,
  );

  test(
    'verifies the keys all the same',
    async () => {
      for (const ref of published.refs) {
        await cosign(['verify', ...byKey('young'), ref]);
        await cosign(['verify', ...byKey('old'), ref]);
        await expect(cosign(['verify', ...byKey('foreign'), ref])).rejects.toThrow(/accepted signatures do not match/);
        const statement = await statementOf(cosign, ['--new-bundle-format', ...byKey('young')], ref, spdx);
        expect(statement).toMatchObject({ predicateType: spdx });
      }
    },
    patience,
  );

  test(
    'finds signature and attestations by tag where nobody knows of referrers',
    async ({ skip }) => {
      const { repository, image, refs } = published;
      if (repository === undefined) return skip('docker-registry is not installed');
      const ref = refs.at(-2)!;
      const tag = referrersTag(image.digest);
      const list = (await repository.manifest(tag))!;
      const { mediaType } = list;
      await repository.pushManifest({ mediaType, bytes: referrerIndex([]).bytes }, tag);
      try {
        const [claim] = JSON.parse(await cosign(['verify', ...byIdentity(), ref])) as { optional: object }[];
        expect(claim?.optional).toMatchObject({ Issuer: identity.issuer, Subject: identity.subject });
        const mallory = cosign(['verify', ...byIdentity('https://github.com/mallory'), ref]);
        await expect(mallory).rejects.toThrow(/none of the expected identities matched/);
        // cosign 2.6 takes no trusted root for attestations by tag, but what is in it by itself.
        const { tlogs, ctlogs, certificateAuthorities } = sigstore.trustedRoot;
        const roots = {
          SIGSTORE_REKOR_PUBLIC_KEY: pemFile('rekor.pub', 'PUBLIC KEY', tlogs[0]!.publicKey.rawBytes),
          SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: pemFile('ctlog.pub', 'PUBLIC KEY', ctlogs[0]!.publicKey.rawBytes),
          SIGSTORE_ROOT_FILE: pemFile(
            'root.pem',
            'CERTIFICATE',
            certificateAuthorities[0]!.certChain.certificates[0]!.rawBytes,
          ),
        };
        const attested = await statementOf(
          cosign,
          ['--allow-insecure-registry', ...byIdentity().slice(-4)],
          ref,
          spdx,
          roots,
        );
        expect(attested).toMatchObject({ predicateType: spdx });
        await cosign(['verify', ...byKey('old'), ref]);
      } finally {
        await repository.pushManifest(list, tag);
      }
    },
    patience,
  );

  test(
    'refuses bundles of which a byte was changed, however well they are stored',
    async () => {
      const { world, image, refs } = published;
      const key = attachmentsKey(hexOf(image.digest));
      const record = (await world.objects.get(key))!.bytes;
      const attached = (await readAttachments(world.objects, image))!;
      const store = async (text: string) => {
        const bytes = Buffer.from(text);
        await world.objects.put(blobKey(sha256(bytes)), bytes);
        return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
      };
      const read = async (digest: string) =>
        Buffer.from((await world.objects.get(blobKey(hexOf(digest))))!.bytes).toString();
      const referrers: Attachments['referrers'] = [];
      for (const one of attached.referrers.filter(({ artifactType }) => artifactType === bundleMediaType)) {
        const manifest = JSON.parse(await read(one.digest)) as { layers: { digest: string; size: number }[] };
        const [layer] = manifest.layers;
        const bundle = JSON.parse(await read(layer!.digest)) as { dsseEnvelope: { payload: string } };
        const statement = Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString().replace('"hello"', '"hallo"');
        const changed = {
          ...bundle,
          dsseEnvelope: { ...bundle.dsseEnvelope, payload: Buffer.from(statement).toString('base64') },
        };
        const layers = [{ ...layer, ...(await store(JSON.stringify(changed))) }];
        referrers.push({ ...one, ...(await store(JSON.stringify({ ...manifest, layers }))) });
      }
      await world.objects.put(key, Buffer.from(JSON.stringify({ ...attached, referrers })));
      try {
        await expect(cosign(['verify', ...byKey('young'), refs[0]!])).rejects.toThrow(
          /accepted signatures do not match/,
        );
        await expect(cosign(['verify', ...byIdentity(), refs[0]!])).rejects.toThrow(/Error: no matching attestations/);
      } finally {
        await world.objects.put(key, record);
      }
      await cosign(['verify', ...byIdentity(), refs[0]!]);
    },
    patience,
  );
});
