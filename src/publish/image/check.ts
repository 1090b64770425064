import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { RegrowError } from '../../errors.ts';
import { digestHex, ociMediaTypes } from '../../formats/oci.ts';
import { sha256 } from '../../model/canonical.ts';
import { ociArch, parseTarget, type TargetName } from '../../model/target.ts';
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
const configSchema = platformSchema.extend({ rootfs: z.object({ diff_ids: z.array(digestSchema) }) });

type Descriptor = z.infer<typeof descriptorSchema>;

/** What a builder says that it made of an image. */
export interface BuiltImage {
  /** `NAME:TAG`, for messages. */
  readonly ref: string;
  /** Hex digest of the image index. */
  readonly index: string;
  readonly platforms: readonly { readonly target: TargetName; readonly manifest: string }[];
}

/**
 * Follows an image from its index as whoever pulls it does, whatever its builder says that it consists of: index, manifests,
 * configurations, layers and SBOMs are there with the digest and size that they are named by, and the platforms are the ones
 * that were asked for and told of. Errors: image.invalid.
 */
export async function checkImage(
  objects: ObjectReader,
  built: BuiltImage,
  targets: readonly TargetName[],
): Promise<void> {
  const { ref } = built;
  const index = await readJson(objects, ref, { digest: `sha256:${built.index}` }, indexSchema);
  const told = built.platforms.map(({ target, manifest }) => `${platformName(parseTarget(target))} ${manifest}`);
  const found = index.manifests.map(({ platform, digest }) => `${nameOf(platform)} ${digest}`);
  if (!isSame(told, found)) throw wrong(ref, `its index has ${found.join(', ')}; its builder says ${told.join(', ')}`);
  const made = built.platforms.map(({ target }) => target);
  if (!isSame(made, targets)) throw wrong(ref, `it is for ${made.join(', ')}, not ${targets.join(', ')}`);
  for (const descriptor of index.manifests) {
    const manifest = await readJson(objects, ref, descriptor, manifestSchema);
    const config = await readJson(objects, ref, manifest.config, configSchema);
    if (nameOf(config) !== nameOf(descriptor.platform))
      throw wrong(ref, `${descriptor.digest} is for ${nameOf(config)}, not ${nameOf(descriptor.platform)}`);
    if (config.rootfs.diff_ids.length !== manifest.layers.length)
      throw wrong(ref, `${descriptor.digest} has ${manifest.layers.length} layers, its configuration does not`);
    for (const layer of manifest.layers) await checkBlob(objects, ref, layer);
    const sbom = descriptor.annotations?.[sbomAnnotation];
    if (sbom === undefined || !digestSchema.safeParse(sbom).success)
      throw wrong(ref, `${descriptor.digest} has no SBOM`);
    await checkBlob(objects, ref, { digest: sbom });
  }
}

function nameOf({ os, architecture, variant }: z.infer<typeof platformSchema>): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

function platformName({ arch }: ReturnType<typeof parseTarget>): string {
  return nameOf({ os: 'linux', ...ociArch(arch) });
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.toSorted().join('\n') === b.toSorted().join('\n');
}

/** By its stream: a layer may be larger than what one would hold at once. */
async function checkBlob(
  objects: ObjectReader,
  ref: string,
  descriptor: Pick<Descriptor, 'digest'> & Partial<Pick<Descriptor, 'size'>>,
): Promise<void> {
  const blob = await objects.stream(blobKey(digestHex(descriptor)));
  if (blob === undefined) throw wrong(ref, `its blob ${descriptor.digest} is not there`);
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of blob.body) {
    hash.update(chunk);
    size += chunk.length;
  }
  checkNamed(ref, descriptor, hash.digest('hex'), size);
}

async function readJson<T>(
  objects: ObjectReader,
  ref: string,
  descriptor: Pick<Descriptor, 'digest'> & Partial<Pick<Descriptor, 'size'>>,
  schema: z.ZodType<T>,
): Promise<T> {
  const blob = await objects.get(blobKey(digestHex(descriptor)));
  if (blob === undefined) throw wrong(ref, `its blob ${descriptor.digest} is not there`);
  checkNamed(ref, descriptor, sha256(blob.bytes), blob.bytes.length);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(blob.bytes).toString('utf8'));
  } catch {
    json = undefined;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw wrong(ref, `its blob ${descriptor.digest} is not what an image has there: ${parsed.error.issues[0]?.message}`);
}

function checkNamed(
  ref: string,
  named: Pick<Descriptor, 'digest'> & Partial<Pick<Descriptor, 'size'>>,
  digest: string,
  size: number,
): void {
  if (named.digest !== `sha256:${digest}`) throw wrong(ref, `its blob ${named.digest} is not what its digest says`);
  if (named.size !== undefined && named.size !== size)
    throw wrong(ref, `its blob ${named.digest} has ${size} bytes, not ${named.size}`);
}

function wrong(ref: string, what: string): RegrowError {
  return imageInvalid(
    `${ref} is not published: ${what}`,
    'look at the builder that made it, and let it be built again',
  );
}
