import { canonicalJson, sha256 } from '../model/canonical.ts';

/** Media types of the OCI image specification 1.1. */
export const ociMediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  empty: 'application/vnd.oci.empty.v1+json',
} as const;

export interface OciPlatform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
}

export type OciAnnotations = Readonly<Record<string, string>>;

/** How one blob names another (image-spec `descriptor.md`). */
export interface OciDescriptor {
  readonly mediaType: string;
  /** `sha256:HEX` */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: OciAnnotations;
  readonly platform?: OciPlatform;
  /** In a list of referrers: what it is. */
  readonly artifactType?: string;
}

/** A blob and how it is named. */
export interface OciBlob {
  readonly descriptor: OciDescriptor;
  readonly bytes: Uint8Array;
}

/** The process that an image runs (image-spec `config.md`, `config`). */
export interface OciProcess {
  readonly User?: string;
  readonly Env: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly Labels?: OciAnnotations;
}

export interface OciLayer extends OciBlob {
  /** sha256 of the tar before compression, `sha256:HEX`. */
  readonly diffId: string;
  /** What made it, for `history`. */
  readonly comment: string;
}

export interface OciImage {
  readonly platform: OciPlatform;
  readonly process: OciProcess;
  readonly layers: readonly Omit<OciLayer, 'bytes'>[];
  readonly annotations: OciAnnotations;
  /** Seconds since 1970. */
  readonly created: number;
}

/** Bytes as a blob of a media type. */
export function ociBlob(mediaType: string, bytes: Uint8Array, annotations: OciAnnotations = {}): OciBlob {
  const named = Object.keys(annotations).length === 0 ? {} : { annotations };
  return { descriptor: { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length, ...named }, bytes };
}

/** The configuration of an image, as canonical JSON: same image, same digest. */
export function ociConfig(image: OciImage): OciBlob {
  const created = ociTime(image.created);
  return jsonBlob(ociMediaTypes.config, {
    created,
    ...image.platform,
    config: image.process,
    rootfs: { type: 'layers', diff_ids: image.layers.map(({ diffId }) => diffId) },
    history: image.layers.map(({ comment }) => ({ created, created_by: 'regrow', comment })),
  });
}

/** The manifest of an image whose configuration is `config`; its descriptor carries the platform, for an index. */
export function ociManifest(image: OciImage, config: OciBlob): OciBlob {
  const { descriptor, bytes } = jsonBlob(ociMediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: ociMediaTypes.manifest,
    config: config.descriptor,
    layers: image.layers.map((layer) => layer.descriptor),
    ...(Object.keys(image.annotations).length === 0 ? {} : { annotations: image.annotations }),
  });
  return { descriptor: { ...descriptor, platform: image.platform }, bytes };
}

/** An index over manifests, sorted by platform whatever order they come in. */
export function ociIndex(manifests: readonly OciDescriptor[], annotations: OciAnnotations = {}): OciBlob {
  const key = ({ platform, digest }: OciDescriptor) =>
    [platform?.os, platform?.architecture, platform?.variant, digest].join(' ');
  return jsonBlob(ociMediaTypes.index, {
    schemaVersion: 2,
    mediaType: ociMediaTypes.index,
    manifests: manifests.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
}

/** The files of an OCI layout with one tag (image-spec `image-layout.md`), by path. */
export function ociLayout(
  tag: string,
  index: OciDescriptor,
  blobs: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, Uint8Array> {
  const tagged = { ...index, annotations: { ...index.annotations, 'org.opencontainers.image.ref.name': tag } };
  return new Map([
    ['oci-layout', Buffer.from(canonicalJson({ imageLayoutVersion: '1.0.0' }))],
    ['index.json', ociIndex([tagged]).bytes],
    ...[...blobs].map(([hex, bytes]): [string, Uint8Array] => [`blobs/sha256/${hex}`, bytes]),
  ]);
}

/** Seconds since 1970 as RFC 3339 in UTC, which annotations and configurations use. */
export function ociTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** `sha256:HEX` without its algorithm, as the object store names blobs. */
export function digestHex(descriptor: Pick<OciDescriptor, 'digest'>): string {
  return descriptor.digest.replace(/^sha256:/, '');
}

function jsonBlob(mediaType: string, value: unknown): OciBlob {
  return ociBlob(mediaType, Buffer.from(canonicalJson(value)));
}
