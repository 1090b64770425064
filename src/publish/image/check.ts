import { ociArch, parseTarget, type TargetName } from '../../model/target.ts';
import type { ObjectReader } from '../../ports/objects.ts';
import { checkLayer, checkSbom, nameOf, readStoredImage, type StoredImage, wrong } from './read.ts';

/** What a builder says that it made of an image. */
export interface BuiltImage {
  /** `NAME:TAG`, for messages. */
  readonly ref: string;
  /** Hex digest of the image index. */
  readonly index: string;
  readonly platforms: readonly { readonly target: TargetName; readonly manifest: string }[];
}

/**
 * Looks at an image as whoever pulls it does, whatever its builder says that it consists of: index, manifests, configurations,
 * layers and SBOMs are there with the digest and size that they are named by, layers unpack to what the configuration says, and
 * the platforms are the ones that were asked for and told of. Errors: image.invalid.
 */
export async function checkImage(
  objects: ObjectReader,
  built: BuiltImage,
  targets: readonly TargetName[],
): Promise<StoredImage> {
  const { ref } = built;
  const image = await readStoredImage(objects, ref, built.index);
  const told = built.platforms.map(({ target, manifest }) => `${platformName(target)} ${manifest}`);
  const found = image.platforms.map(({ descriptor }) => `${nameOf(descriptor.platform)} ${descriptor.digest}`);
  if (!isSame(told, found)) throw wrong(ref, `its index has ${found.join(', ')}; its builder says ${told.join(', ')}`);
  const made = built.platforms.map(({ target }) => target);
  if (!isSame(made, targets)) throw wrong(ref, `it is for ${made.join(', ')}, not ${targets.join(', ')}`);
  for (const { layers, diffIds, sbom } of image.platforms) {
    for (const [i, layer] of layers.entries()) await checkLayer(objects, ref, layer, diffIds[i] ?? '');
    await checkSbom(objects, ref, sbom);
  }
  return image;
}

function platformName(target: TargetName): string {
  return nameOf({ os: 'linux', ...ociArch(parseTarget(target).arch) });
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.toSorted().join('\n') === b.toSorted().join('\n');
}
