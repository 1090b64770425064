import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type RegrowError, toRegrowError } from '../../errors.ts';
import { unpackedDigest } from '../../formats/gzip.ts';
import { digestHex, ociMediaTypes } from '../../formats/oci.ts';
import { sha256 } from '../../model/canonical.ts';
import { blobKey, type ObjectReader } from '../../ports/objects.ts';
import { sbomAnnotation } from './annotation.ts';
import { imageInvalid } from './root.ts';

const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const platformSchema = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const indexSchema = z.object({
  mediaType: z.literal(ociMediaTypes.index),
  manifests: z.array(descriptorSchema.extend({ platform: platformSchema })).min(1),
});
const manifestSchema = z.object({
  mediaType: z.literal(ociMediaTypes.manifest),
  config: descriptorSchema.extend({ mediaType: z.literal(ociMediaTypes.config) }),
  layers: z.array(descriptorSchema.extend({ mediaType: z.literal(ociMediaTypes.layer) })).min(1),
});
const sbomSchema = z.looseObject({ spdxVersion: z.string(), packages: z.array(z.unknown()) });
/** Bytes of a manifest or configuration: what registries have to take (distribution-spec, "Pushing manifests"). */
const manifestLimit = 4 * 1024 * 1024;
const sbomLimit = 64 * 1024 * 1024;
/** Bytes that a layer may unpack to: more is taken for a bomb. */
const layerLimit = 64 * 1024 ** 3;
const configSchema = platformSchema.extend({ rootfs: z.object({ diff_ids: z.array(digestSchema) }) });

/** How a blob of an image is named. */
export type BlobName = z.infer<typeof descriptorSchema>;

/** One platform of an image, as its index leads to it. */
export interface StoredPlatform {
  readonly descriptor: z.infer<typeof indexSchema>['manifests'][number];
  /** Of the manifest. */
  readonly bytes: Uint8Array;
  readonly config: BlobName;
  readonly layers: readonly BlobName[];
  /** Of the layers unpacked, as the configuration names them, `sha256:HEX`. */
  readonly diffIds: readonly string[];
  /** `sha256:HEX` of the SPDX document. */
  readonly sbom: string;
}

/** An image in the object store: what there is from its index down to the layers, which are not read. */
export interface StoredImage {
  readonly bytes: Uint8Array;
  readonly platforms: readonly StoredPlatform[];
}

/**
 * Follows an image from its index as whoever pulls it does: index, manifests and configurations are there with the digest and
 * size that they are named by, and are what an image has there. `ref`: for messages. `index`: hex. Errors: image.invalid.
 */
export async function readStoredImage(objects: ObjectReader, ref: string, index: string): Promise<StoredImage> {
  const { value, bytes } = await readJson(objects, ref, { digest: `sha256:${index}` }, indexSchema);
  const platforms: StoredPlatform[] = [];
  for (const descriptor of value.manifests) {
    const manifest = await readJson(objects, ref, descriptor, manifestSchema);
    const { config, layers } = manifest.value;
    const { value: configuration } = await readJson(objects, ref, config, configSchema);
    if (nameOf(configuration) !== nameOf(descriptor.platform))
      throw wrong(ref, `${descriptor.digest} is for ${nameOf(configuration)}, not ${nameOf(descriptor.platform)}`);
    if (configuration.rootfs.diff_ids.length !== layers.length)
      throw wrong(ref, `${descriptor.digest} has ${layers.length} layers, its configuration does not`);
    const sbom = descriptor.annotations?.[sbomAnnotation];
    if (sbom === undefined || !digestSchema.safeParse(sbom).success)
      throw wrong(ref, `${descriptor.digest} has no SBOM`);
    const diffIds = configuration.rootfs.diff_ids;
    platforms.push({ descriptor, bytes: manifest.bytes, config, layers, diffIds, sbom });
  }
  return { bytes, platforms };
}

/**
 * Reads a layer by its stream, since it may be larger than what one would hold at once; as it is stored, and unpacked, as whoever
 * pulls it holds it against the configuration. Errors: image.invalid.
 */
export async function checkLayer(
  objects: ObjectReader,
  ref: string,
  named: Pick<BlobName, 'digest'> & Partial<BlobName>,
  diffId: string,
): Promise<void> {
  const blob = await objects.stream(blobKey(digestHex(named)));
  if (blob === undefined) throw wrong(ref, `its blob ${named.digest} is not there`);
  const hash = createHash('sha256');
  let size = 0;
  async function* hashed(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
    // Before what it unpacks to is of any interest.
    checkNamed(ref, named, hash.digest('hex'), size);
  }
  let unpacked: string;
  try {
    unpacked = await unpackedDigest(hashed(blob.body), layerLimit);
  } catch (thrown) {
    const error = toRegrowError(thrown);
    throw error.code === 'package.malformed' ? wrong(ref, `its layer ${named.digest} is ${error.message}`) : error;
  }
  if (`sha256:${unpacked}` !== diffId)
    throw wrong(ref, `its layer ${named.digest} unpacks to sha256:${unpacked}, its configuration says ${diffId}`);
}

/** Looks whether a blob is an SPDX document. Errors: image.invalid. */
export async function checkSbom(objects: ObjectReader, ref: string, digest: string): Promise<void> {
  await readJson(objects, ref, { digest }, sbomSchema, sbomLimit);
}

/** `linux/amd64`, `linux/arm/v7` */
export function nameOf({ os, architecture, variant }: z.infer<typeof platformSchema>): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

export function wrong(ref: string, what: string): RegrowError {
  return imageInvalid(
    `${ref} is not published: ${what}`,
    'look at the builder that made it, and let it be built again',
  );
}

async function readJson<T>(
  objects: ObjectReader,
  ref: string,
  named: Pick<BlobName, 'digest'> & Partial<BlobName>,
  schema: z.ZodType<T>,
  limit = manifestLimit,
): Promise<{ readonly value: T; readonly bytes: Uint8Array }> {
  const size = (await objects.stream(blobKey(digestHex(named))))?.size ?? 0;
  if (size > limit) throw wrong(ref, `its blob ${named.digest} has ${size} bytes; ${limit} is the most that is read`);
  const blob = await objects.get(blobKey(digestHex(named)));
  if (blob === undefined) throw wrong(ref, `its blob ${named.digest} is not there`);
  checkNamed(ref, named, sha256(blob.bytes), blob.bytes.length);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(blob.bytes).toString('utf8'));
  } catch {
    json = undefined;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { value: parsed.data, bytes: blob.bytes };
  throw wrong(ref, `its blob ${named.digest} is not what an image has there: ${parsed.error.issues[0]?.message}`);
}

function checkNamed(
  ref: string,
  named: Pick<BlobName, 'digest'> & Partial<BlobName>,
  digest: string,
  size: number,
): void {
  if (named.digest !== `sha256:${digest}`) throw wrong(ref, `its blob ${named.digest} is not what its digest says`);
  if (named.size !== undefined && named.size !== size)
    throw wrong(ref, `its blob ${named.digest} has ${size} bytes, not ${named.size}`);
}
