import { z } from 'zod';
import { canonicalJson } from '../model/canonical.ts';
import { type OciAnnotations, type OciBlob, type OciDescriptor, ociBlob, ociMediaTypes } from './oci.ts';
import { type ReferrerManifest, referrerManifest } from './referrer.ts';
import type { SigstoreWitness } from './sigstore-bundle.ts';

/** What cosign attaches to an image by its digest (sigstore/cosign `specs/SIGNATURE_SPEC.md`, `specs/ATTESTATION_SPEC.md`). */
export const attachmentKinds = ['sig', 'att'] as const;
export type AttachmentKind = (typeof attachmentKinds)[number];

const signatureType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const attestationType = 'application/vnd.dsse.envelope.v1+json';
export const signatureAnnotation = 'dev.cosignproject.cosign/signature';

/** The tag under which what is attached to a digest is found: `sha256-HEX.sig`. */
export function attachmentTag(digest: string, kind: AttachmentKind): string {
  return `${digest.replace(':', '-')}.${kind}`;
}

/** What is signed of a manifest: the simple signing payload (containers/image `containers-signature.5`). `name`: what the image is called. */
export function signaturePayload({ digest }: Pick<OciDescriptor, 'digest'>, name: string): Uint8Array {
  return Buffer.from(
    canonicalJson({
      critical: {
        identity: { 'docker-reference': name },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: { creator: 'regrow' },
    }),
  );
}

/**
 * A signature of a payload as a layer, in an annotation. `witness`: annotations that say who the signer is (`identityAnnotations`). No
 * two signatures by ECDSA are alike: make it once, and keep it.
 */
export function signatureLayer(payload: Uint8Array, signature: Uint8Array, witness: OciAnnotations = {}): OciBlob {
  return ociBlob(signatureType, payload, {
    [signatureAnnotation]: Buffer.from(signature).toString('base64'),
    ...witness,
  });
}

/** The text of a DSSE envelope with an in-toto statement as a layer. */
export function attestationLayer(envelope: string, predicateType: string, witness: OciAnnotations = {}): OciBlob {
  return ociBlob(attestationType, Buffer.from(envelope), { [signatureAnnotation]: '', predicateType, ...witness });
}

/**
 * How cosign says beside a signature who made it, and when (`specs/SIGNATURE_SPEC.md`, "Properties"): the certificate, what the
 * transparency log promised, a time stamp.
 */
export function identityAnnotations({ certificate, entry, timestamp }: SigstoreWitness): OciAnnotations {
  const promise =
    entry?.promise === undefined
      ? undefined
      : {
          SignedEntryTimestamp: entry.promise,
          Payload: {
            body: entry.body,
            integratedTime: entry.integratedTime,
            logIndex: entry.logIndex,
            logID: entry.logId,
          },
        };
  return {
    'dev.sigstore.cosign/certificate': certificate,
    ...(promise === undefined ? {} : { 'dev.sigstore.cosign/bundle': JSON.stringify(promise) }),
    ...(timestamp === undefined
      ? {}
      : { 'dev.sigstore.cosign/rfc3161timestamp': JSON.stringify({ SignedRFC3161Timestamp: timestamp }) }),
  };
}

/** Signatures as a referrer of what they sign: where cosign looks with `--experimental-oci11`. */
export function signatureReferrer(layers: readonly OciDescriptor[], subject: OciDescriptor): ReferrerManifest {
  const artifactType = 'application/vnd.dev.cosign.artifact.sig.v1+json';
  const config = ociBlob(artifactType, configOf(layers));
  return referrerManifest({ artifactType, config, layers, subject });
}

function configOf(layers: readonly OciDescriptor[]): Uint8Array {
  return Buffer.from(
    canonicalJson({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    }),
  );
}

/** A manifest over layers, and the configuration that it needs to be one. Same layers, same bytes. */
export function attachmentManifest(layers: readonly OciDescriptor[]): { manifest: OciBlob; config: OciBlob } {
  const config = ociBlob(ociMediaTypes.config, configOf(layers));
  const manifest = ociBlob(
    ociMediaTypes.manifest,
    Buffer.from(
      canonicalJson({ schemaVersion: 2, mediaType: ociMediaTypes.manifest, config: config.descriptor, layers }),
    ),
  );
  return { manifest, config };
}

const attachmentSchema = z.object({
  layers: z.array(
    z.object({
      mediaType: z.string(),
      digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
      size: z.number().int().nonnegative(),
      annotations: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

/** The layers of what somebody attached; none for what cannot be read. */
export function attachedLayers(manifest: Uint8Array): readonly OciDescriptor[] {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(manifest).toString('utf8'));
  } catch {
    json = undefined;
  }
  return (attachmentSchema.safeParse(json).data?.layers ?? []).map(({ annotations, ...layer }) => ({
    ...layer,
    ...(annotations === undefined ? {} : { annotations }),
  }));
}

/** The hex digest that a tag of `attachmentTag` is about, and what it is. */
export function parseAttachmentTag(tag: string): { readonly hex: string; readonly kind: AttachmentKind } | undefined {
  const [, hex, suffix] = /^sha256-([0-9a-f]{64})\.(sig|att)$/.exec(tag) ?? [];
  const kind = attachmentKinds.find((one) => one === suffix);
  return hex === undefined || kind === undefined ? undefined : { hex, kind };
}
