import { z } from 'zod';
import { canonicalJson } from '../model/canonical.ts';
import type { DsseEnvelope } from './dsse.ts';
import { type OciBlob, type OciDescriptor, ociBlob, ociMediaTypes } from './oci.ts';

/** What cosign attaches to an image by its digest (sigstore/cosign `specs/SIGNATURE_SPEC.md`, `specs/ATTESTATION_SPEC.md`). */
export const attachmentKinds = ['sig', 'att'] as const;
export type AttachmentKind = (typeof attachmentKinds)[number];

const signatureType = 'application/vnd.dev.cosign.simplesigning.v1+json';
const attestationType = 'application/vnd.dsse.envelope.v1+json';
const signatureAnnotation = 'dev.cosignproject.cosign/signature';

/** The tag under which what is attached to a digest is found: `sha256-HEX.sig`. */
export function attachmentTag(digest: string, kind: AttachmentKind): string {
  return `${digest.replace(':', '-')}.${kind}`;
}

/**
 * A signature of a manifest as a layer: the simple signing payload (containers/image `containers-signature.5`), its signature in
 * an annotation. `name`: what the image is called. No two signatures by ECDSA are alike: make it once, and keep it.
 */
export function signatureLayer(
  { digest }: Pick<OciDescriptor, 'digest'>,
  name: string,
  sign: (payload: Uint8Array) => Uint8Array,
): OciBlob {
  const payload = Buffer.from(
    canonicalJson({
      critical: {
        identity: { 'docker-reference': name },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: { creator: 'regrow' },
    }),
  );
  return ociBlob(signatureType, payload, { [signatureAnnotation]: Buffer.from(sign(payload)).toString('base64') });
}

/** A DSSE envelope with an in-toto statement as a layer. */
export function attestationLayer(envelope: DsseEnvelope, predicateType: string): OciBlob {
  return ociBlob(attestationType, Buffer.from(canonicalJson(envelope)), {
    [signatureAnnotation]: '',
    predicateType,
  });
}

/** A manifest over layers, and the configuration that it needs to be one. Same layers, same bytes. */
export function attachmentManifest(layers: readonly OciDescriptor[]): { manifest: OciBlob; config: OciBlob } {
  const config = ociBlob(
    ociMediaTypes.config,
    Buffer.from(
      canonicalJson({
        architecture: '',
        os: '',
        config: {},
        rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      }),
    ),
  );
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
