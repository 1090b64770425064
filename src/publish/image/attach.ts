import { attachmentManifest, attestationLayer, signatureLayer } from '../../formats/cosign.ts';
import { signDsse } from '../../formats/dsse.ts';
import { digestHex, type OciBlob } from '../../formats/oci.ts';
import { inTotoPayloadType, statementType } from '../../formats/provenance.ts';
import { type Attachments, attachmentsKey, attachmentsSchema } from '../../model/attachment.ts';
import { canonicalJson, sha256 } from '../../model/canonical.ts';
import { lockImageFile } from '../../model/image-definition.ts';
import { type Arch, parseTarget, type TargetName } from '../../model/target.ts';
import { blobKey, type ObjectReader, type Objects } from '../../ports/objects.ts';
import type { ImageSigner } from '../../ports/signer.ts';
import type { StoredImage } from './read.ts';
import { writeIndexSbom } from './sbom.ts';

/** The predicates of attestations: what the image consists of, and what it was made from (as Chainguard's images have them). */
const spdxPredicate = 'https://spdx.dev/Document';
const configurationPredicate = 'https://apko.dev/image-configuration';

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
}

/** One manifest that something is attached to. */
interface Subject {
  readonly digest: string;
  /** Text of its SPDX document. */
  readonly sbom: string;
  readonly configuration: object;
}

/**
 * Signs an image and each of its platforms by digest, and attests what they consist of (SPDX) and what they were made from (the
 * definition with its packages pinned), in the forms of cosign. What has been signed with this key is left as it is, so the same
 * image keeps the same signatures. `index`: hex.
 */
export async function attachToImage(
  objects: Objects,
  signer: ImageSigner,
  image: StoredImage,
  index: string,
  facts: AttachFacts,
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
  const subjects: Subject[] = [
    {
      digest,
      sbom: writeIndexSbom({ ...facts, digest, platforms: architectures }),
      configuration: configurationOf(platforms),
    },
  ];
  for (const { descriptor, sbom } of image.platforms) {
    const text = await objects.get(blobKey(digestHex({ digest: sbom })));
    subjects.push({
      digest: descriptor.digest,
      sbom: Buffer.from(text?.bytes ?? '').toString('utf8'),
      configuration: configurationOf(platforms.filter(({ manifest }) => manifest === descriptor.digest)),
    });
  }
  for (const subject of subjects) await attach(objects, signer, facts.name, subject);
}

async function attach(objects: Objects, signer: ImageSigner, name: string, subject: Subject): Promise<void> {
  const key = sha256(signer.publicKey);
  if ((await readAttachments(objects, subject))?.key === key) return;
  const predicates: readonly (readonly [string, unknown])[] = [
    [spdxPredicate, JSON.parse(subject.sbom)],
    [configurationPredicate, subject.configuration],
  ];
  const attestations = predicates.map(([predicateType, predicate]) => {
    const statement = {
      _type: statementType,
      subject: [{ name, digest: { sha256: digestHex(subject) } }],
      predicateType,
      predicate,
    };
    // Without the name of a key: cosign is told which one to use.
    const envelope = signDsse(inTotoPayloadType, Buffer.from(canonicalJson(statement)), [
      { keyName: '', sign: signer.sign },
    ]);
    return attestationLayer(envelope, predicateType);
  });
  const sig = await store(objects, [signatureLayer(subject, name, signer.sign)]);
  const att = await store(objects, attestations);
  const attachments: Attachments = { schema: 1, key, sig, att };
  await objects.put(attachmentsKey(digestHex(subject)), Buffer.from(JSON.stringify(attachments)));
}

/** Stores layers and the manifest over them; gives its digest, hex. */
async function store(objects: Objects, layers: readonly OciBlob[]): Promise<string> {
  const { manifest, config } = attachmentManifest(layers.map(({ descriptor }) => descriptor));
  for (const { descriptor, bytes } of [...layers, config, manifest])
    await objects.put(blobKey(digestHex(descriptor)), bytes);
  return digestHex(manifest.descriptor);
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
