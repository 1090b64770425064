import { z } from 'zod';
import { canonicalJson } from '../model/canonical.ts';
import { type OciAnnotations, type OciBlob, type OciDescriptor, ociBlob, ociMediaTypes } from './oci.ts';

/** The configuration of what has none (image-spec 1.1 `manifest.md`, "Guidance for an Empty Descriptor"). */
const emptyConfig = ociBlob(ociMediaTypes.empty, Buffer.from('{}'));

export interface ReferrerManifest {
  /** Its descriptor is what a list of referrers has. */
  readonly manifest: OciBlob & { readonly descriptor: { readonly artifactType: string } };
  readonly config: OciBlob;
}

/** A manifest that is attached to another, its subject (image-spec 1.1 `manifest.md`). Same content, same bytes. */
export function referrerManifest(content: {
  readonly artifactType: string;
  readonly layers: readonly OciDescriptor[];
  readonly subject: OciDescriptor;
  /** Default: the empty one. */
  readonly config?: OciBlob;
  readonly annotations?: OciAnnotations;
}): ReferrerManifest {
  const { artifactType, layers, config = emptyConfig, annotations } = content;
  const { mediaType, digest, size } = content.subject;
  const { descriptor, bytes } = ociBlob(
    ociMediaTypes.manifest,
    Buffer.from(
      canonicalJson({
        schemaVersion: 2,
        mediaType: ociMediaTypes.manifest,
        artifactType,
        config: config.descriptor,
        layers,
        subject: { mediaType, digest, size },
        ...(annotations === undefined ? {} : { annotations }),
      }),
    ),
    annotations,
  );
  return { manifest: { descriptor: { ...descriptor, artifactType }, bytes }, config };
}

/** The list of what refers to a manifest (distribution-spec 1.1, "Listing Referrers"). */
export function referrerIndex(manifests: readonly OciDescriptor[]): OciBlob {
  return ociBlob(
    ociMediaTypes.index,
    Buffer.from(canonicalJson({ schemaVersion: 2, mediaType: ociMediaTypes.index, manifests })),
  );
}

/** The tag of that list at a registry that keeps none itself: `sha256-HEX` (distribution-spec 1.1, "Referrers Tag Schema"). */
export function referrersTag(digest: string): string {
  return digest.replace(':', '-').slice(0, 128);
}

const indexSchema = z.looseObject({
  mediaType: z.literal(ociMediaTypes.index),
  manifests: z.array(
    z.looseObject({ mediaType: z.string(), digest: z.string(), size: z.number().int().nonnegative() }),
  ),
});

/** What a list of referrers has, with all that it says of each; undefined for what is no such list. */
export function readReferrerIndex(bytes: Uint8Array): readonly OciDescriptor[] | undefined {
  try {
    return indexSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data?.manifests;
  } catch {
    return undefined;
  }
}

const manifestSchema = z.object({
  config: z.object({ mediaType: z.string(), digest: z.string(), size: z.number().int().nonnegative() }),
  layers: z.array(z.object({ mediaType: z.string(), digest: z.string(), size: z.number().int().nonnegative() })),
});

/** The blobs that a manifest names: its configuration and its layers. Undefined for what is none. */
export function blobsOfManifest(bytes: Uint8Array): readonly OciDescriptor[] | undefined {
  try {
    const { data } = manifestSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return data === undefined ? undefined : [data.config, ...data.layers];
  } catch {
    return undefined;
  }
}
