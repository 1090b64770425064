import {
  attachmentManifest,
  attestationLayer,
  signatureAnnotation,
  signatureLayer,
  signaturePayload,
  signatureReferrer,
} from '../../formats/cosign.ts';
import { digestHex, type OciBlob, type OciDescriptor, ociBlob, ociMediaTypes, ociTime } from '../../formats/oci.ts';
import { statementType } from '../../formats/provenance.ts';
import { type ReferrerManifest, referrerManifest } from '../../formats/referrer.ts';
import { bundleMediaType } from '../../formats/sigstore-bundle.ts';
import {
  type Attachments,
  attachmentsKey,
  attachmentsSchema,
  isSignedBy,
  type Referrer,
  type SignedBy,
} from '../../model/attachment.ts';
import { canonicalJson, sha256 } from '../../model/canonical.ts';
import { lockImageFile } from '../../model/image-definition.ts';
import { type Arch, parseTarget, type TargetName } from '../../model/target.ts';
import { blobKey, type ObjectReader, type Objects } from '../../ports/objects.ts';
import type { ImageSigner } from '../../ports/signer.ts';
import type { Keyless } from '../../ports/sigstore.ts';
import { type StoredImage, wrong } from './read.ts';
import { writeIndexSbom } from './sbom.ts';
import { type Hand, handOfIdentity, handOfKey } from './signature.ts';

/** The predicates of attestations: what the image consists of, and what it was made from (as Chainguard's images have them). */
const spdxPredicate = 'https://spdx.dev/Document';
const configurationPredicate = 'https://apko.dev/image-configuration';
/** What `cosign sign` of version 3 states: that it is signed, and nothing else. */
const signPredicate = 'https://sigstore.dev/cosign/sign/v1';
const spdxType = 'application/spdx+json';

export interface AttachFacts {
  /** Without tag. */
  readonly name: string;
  readonly definition: { readonly path: string; readonly text: string };
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number;
  readonly platforms: readonly {
    readonly target: TargetName;
    /** `sha256:HEX` */
    readonly manifest: string;
    readonly packages: readonly { readonly name: string; readonly version: string }[];
  }[];
  /** ISO 8601: when it is signed. */
  readonly at: string;
}

/** With what images are signed besides keys. */
export interface AttachOptions {
  readonly keyless?: Keyless;
  readonly signal?: AbortSignal;
}

/** One manifest that something is attached to. */
interface Subject {
  readonly descriptor: OciDescriptor;
  /** Text of its SPDX document. */
  readonly sbom: string;
  readonly configuration: object;
}

/**
 * Signs an image and each of its platforms by digest, and attests what they consist of (SPDX) and what they were made from (the
 * definition with its packages pinned): in the forms of cosign, by tag and as OCI 1.1 referrers, and where an identity signs too, as Sigstore
 * bundles. The signing key signs, the older ones that are
 * trusted sign too, and an identity where there is `keyless`. What each has signed is kept, so the same image keeps the same signatures;
 * that of other keys is left out. The index comes last. `index`: hex. Errors: image.invalid, and those of `Keyless`.
 */
export async function attachToImage(
  objects: Objects,
  signer: ImageSigner,
  image: StoredImage,
  index: string,
  facts: AttachFacts,
  { keyless, signal }: AttachOptions = {},
): Promise<void> {
  const { definition, platforms } = facts;
  const pins = (packages: AttachFacts['platforms'][number]['packages']) =>
    packages.map((one) => `${one.name}=${one.version}`);
  const configurationOf = (chosen: AttachFacts['platforms']) => {
    const packages = [...new Set(chosen.flatMap((one) => pins(one.packages)))].toSorted();
    const archs = [...new Set<Arch>(chosen.map((one) => parseTarget(one.target).arch))].toSorted();
    return lockImageFile(definition.path, definition.text, packages, archs);
  };
  const digest = `sha256:${index}`;
  const architectures = image.platforms.map(({ descriptor }) => ({
    digest: descriptor.digest,
    architecture: descriptor.platform.architecture,
  }));
  const subjects: Subject[] = [];
  for (const { descriptor, sbom } of image.platforms) {
    const bytes = (await objects.get(blobKey(digestHex({ digest: sbom }))))?.bytes ?? new Uint8Array();
    // What is signed is what was looked at, whoever may write in the store meanwhile.
    if (`sha256:${sha256(bytes)}` !== sbom) throw wrong(facts.name, `its SBOM ${sbom} is not what its digest says`);
    subjects.push({
      descriptor: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
      sbom: Buffer.from(bytes).toString('utf8'),
      configuration: configurationOf(platforms.filter(({ manifest }) => manifest === descriptor.digest)),
    });
  }
  subjects.push({
    descriptor: { mediaType: ociMediaTypes.index, digest, size: image.bytes.length },
    sbom: writeIndexSbom({ ...facts, digest, platforms: architectures }),
    configuration: configurationOf(platforms),
  });
  const keys = [signer, ...(signer.older ?? [])].map(handOfKey);
  const identity = keyless === undefined ? undefined : handOfIdentity(keyless, signal);
  for (const subject of subjects) await attach(objects, { keys, identity }, facts, subject);
}

/** Whether one of the keys has signed an image: what it consists of was looked at then. `index`: hex. */
export async function isImageSigned(
  objects: ObjectReader,
  signer: ImageSigner,
  { bytes }: StoredImage,
  index: string,
  name: string,
): Promise<boolean> {
  const descriptor = { mediaType: ociMediaTypes.index, digest: `sha256:${index}`, size: bytes.length };
  const keys = [signer, ...(signer.older ?? [])].map(handOfKey);
  const kept = await keptSignatures(objects, descriptor, signaturePayload(descriptor, name), keys);
  return kept?.signed.some(({ by }) => keys.some((key) => key.by === by)) === true;
}

interface Hands {
  readonly keys: readonly Hand[];
  readonly identity: Hand | undefined;
}

async function attach(
  objects: Objects,
  { keys, identity }: Hands,
  { name, sourceDateEpoch, at }: AttachFacts,
  { descriptor, sbom, configuration }: Subject,
): Promise<void> {
  const payload = signaturePayload(descriptor, name);
  const kept = await keptSignatures(objects, descriptor, payload, keys);
  const wanted = keys.map(({ by }) => by);
  if (kept !== undefined && isSignedBy(kept, wanted, identity !== undefined)) return;
  // Who finds a bundle looks at nothing else, be it of a key or of an identity: all have them, or none.
  const isCertified = identity !== undefined || kept?.signed.some(({ by }) => by === 'identity') === true;
  const known = (by: string) => kept?.signed.find((one) => one.by === by && (!isCertified || one.bundles.length > 0));
  const statements = statementsOf(name, descriptor, sbom, configuration);
  const work: Work = { descriptor, payload, at, statements, isBundled: isCertified };
  const signed: SignedBy[] = [];
  for (const hand of keys) signed.push(known(hand.by) ?? (await signWith(objects, hand, work)));
  const certified = known('identity') ?? (identity === undefined ? undefined : await signWith(objects, identity, work));
  if (certified !== undefined) signed.push(certified);

  const sigLayers = signed.map(({ sig }) => plain(sig));
  const sig = await putManifest(objects, attachmentManifest(sigLayers));
  const att = await putManifest(objects, attachmentManifest(signed.flatMap((one) => one.att).map(plain)));
  const bill = ociBlob(spdxType, Buffer.from(sbom));
  const annotations = { 'org.opencontainers.image.created': ociTime(sourceDateEpoch) };
  const own = [
    signatureReferrer(sigLayers, descriptor),
    referrerManifest({ artifactType: spdxType, layers: [bill.descriptor], subject: descriptor, annotations }),
  ];
  await putBlob(objects, bill);
  for (const one of own) await putManifest(objects, one);
  const attachments: Attachments = {
    schema: 2,
    signed,
    sig,
    att,
    referrers: [...own.map(referrerOf), ...signed.flatMap(({ bundles }) => bundles)],
  };
  await objects.put(attachmentsKey(digestHex(descriptor)), Buffer.from(JSON.stringify(attachments)));
}

/** What has been signed, without signatures that are not of whom they say; undefined before the first. */
async function keptSignatures(
  objects: ObjectReader,
  descriptor: OciDescriptor,
  payload: Uint8Array,
  hands: readonly Hand[],
): Promise<Attachments | undefined> {
  const before = await readAttachments(objects, descriptor);
  if (before === undefined) return undefined;
  const own = `sha256:${sha256(payload)}`;
  const signed = before.signed.filter(({ by, sig }) => {
    const hand = hands.find((one) => one.by === by);
    const signature = Buffer.from(sig.annotations?.[signatureAnnotation] ?? '', 'base64');
    return hand === undefined || (sig.digest === own && hand.hasSigned(payload, signature));
  });
  return { ...before, signed };
}

/** What one hand signs of one manifest. */
interface Work {
  readonly descriptor: OciDescriptor;
  readonly payload: Uint8Array;
  readonly at: string;
  readonly statements: readonly { readonly predicateType: string; readonly bytes: Uint8Array }[];
  /** Whether there are Sigstore bundles as well. */
  readonly isBundled: boolean;
}

function statementsOf(
  name: string,
  descriptor: OciDescriptor,
  sbom: string,
  configuration: object,
): Work['statements'] {
  const predicates: readonly (readonly [string, unknown])[] = [
    [signPredicate, {}],
    [spdxPredicate, JSON.parse(sbom)],
    [configurationPredicate, configuration],
  ];
  return predicates.map(([predicateType, predicate]) => {
    const subject = [{ name, digest: { sha256: digestHex(descriptor) } }];
    return {
      predicateType,
      bytes: Buffer.from(canonicalJson({ _type: statementType, subject, predicateType, predicate })),
    };
  });
}

async function signWith(objects: Objects, hand: Hand, work: Work): Promise<SignedBy> {
  const { signature, witness } = await hand.sign(work.payload);
  const sig = signatureLayer(work.payload, signature, witness);
  await putBlob(objects, sig);
  const att: SignedBy['att'] = [];
  const bundles: Referrer[] = [];
  for (const { predicateType, bytes } of work.statements) {
    if (predicateType === signPredicate && !work.isBundled) continue;
    const made = await hand.attest(bytes);
    // cosign has its signatures without a statement under `.sig`.
    if (predicateType !== signPredicate) {
      const layer = attestationLayer(made.envelope, predicateType, made.witness);
      await putBlob(objects, layer);
      att.push(layerOf(layer.descriptor));
    }
    if (!work.isBundled) continue;
    const bundle = ociBlob(bundleMediaType, Buffer.from(made.bundle));
    await putBlob(objects, bundle);
    const referrer = referrerManifest({
      artifactType: bundleMediaType,
      layers: [bundle.descriptor],
      subject: work.descriptor,
      // sigstore/cosign `specs/BUNDLE_SPEC.md`, "Annotations".
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': predicateType,
        'org.opencontainers.image.created': work.at,
      },
    });
    await putManifest(objects, referrer);
    bundles.push(referrerOf(referrer));
  }
  return { by: hand.by, sig: layerOf(sig.descriptor), att, bundles };
}

async function putBlob(objects: Objects, { descriptor, bytes }: OciBlob): Promise<string> {
  const hex = digestHex(descriptor);
  await objects.put(blobKey(hex), bytes);
  return hex;
}

/** A manifest and its configuration; gives its digest, hex. */
async function putManifest(
  objects: Objects,
  { manifest, config }: { readonly manifest: OciBlob; readonly config: OciBlob },
): Promise<string> {
  await putBlob(objects, config);
  return putBlob(objects, manifest);
}

function layerOf({ mediaType, digest, size, annotations }: OciDescriptor): SignedBy['sig'] {
  return { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations: { ...annotations } }) };
}

function referrerOf({ manifest: { descriptor } }: ReferrerManifest): Referrer {
  return { ...layerOf(descriptor), artifactType: descriptor.artifactType };
}

/** As the types of the format have it: no key without a value. */
function plain({ annotations, ...layer }: SignedBy['sig']): OciDescriptor {
  return annotations === undefined ? layer : { ...layer, annotations };
}

/** What is attached to a manifest, by its digest; what cannot be read counts as nothing, and is made anew. */
export async function readAttachments(
  objects: ObjectReader,
  subject: { readonly digest: string },
): Promise<Attachments | undefined> {
  const object = await objects.get(attachmentsKey(digestHex(subject)));
  if (object === undefined) return undefined;
  try {
    return attachmentsSchema.safeParse(JSON.parse(Buffer.from(object.bytes).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
