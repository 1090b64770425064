import { digestHex, type OciDescriptor, ociIndex } from '../../../formats/oci.ts';
import { sha256 } from '../../../model/canonical.ts';
import { parseImageDefinition, readImageFile } from '../../../model/image-definition.ts';
import type { ImageRequest } from '../../../model/request.ts';
import { ociArch, parseTarget } from '../../../model/target.ts';
import type { ObjectReader } from '../../../ports/objects.ts';
import { sbomAnnotation } from '../annotation.ts';
import { layOutImage } from '../assemble.ts';
import { nameOf, readStoredImage, type StoredPlatform, wrong } from '../read.ts';
import { readText } from '../root.ts';
import { writeImageSbom } from '../sbom.ts';
import { proveApko } from './apko.ts';
import { proveAssembled } from './assembled.ts';
import { readImagePackages } from './packages.ts';

/** What of an image lies in the store, and what was asked for. */
export interface ImageClaim {
  readonly image: ImageRequest;
  /** Of the index, hex. */
  readonly index: string;
}

/**
 * Says whether an image consists of the packages and the definition that it was asked to be made of, and of nothing else: its packages are
 * published; its layers have their files, byte for byte, and what the engine makes of the definition; its SBOMs are those that regrow writes of
 * them. Reads bytes that nobody trusts. Errors: image.invalid, which names what is wrong; package.malformed, repository.corrupt.
 */
export async function proveImage(objects: ObjectReader, { image, index }: ImageClaim): Promise<void> {
  const ref = `${image.name}:${image.tag}`;
  const stored = await readStoredImage(objects, ref, index);
  for (const platform of stored.platforms) await provePlatform(objects, ref, image, platform);
  const manifests = stored.platforms.map(({ descriptor, sbom }): OciDescriptor => {
    const { mediaType, digest, size, platform } = descriptor;
    const { os, architecture, variant } = platform;
    const known = variant === undefined ? { os, architecture } : { os, architecture, variant };
    return { mediaType, digest, size, platform: known, annotations: { [sbomAnnotation]: sbom } };
  });
  if (digestHex(ociIndex(manifests).descriptor) !== index)
    throw wrong(ref, 'its index says more than where its platforms are');
}

async function provePlatform(
  objects: ObjectReader,
  ref: string,
  image: ImageRequest,
  platform: StoredPlatform,
): Promise<void> {
  const { engine = 'regrow', definition: file, keys, name, sourceDateEpoch } = image;
  const built = nameOf(platform.descriptor.platform);
  const asked = image.platforms.find(
    ({ target }) => nameOf({ os: 'linux', ...ociArch(parseTarget(target).arch) }) === built,
  );
  if (asked === undefined) throw wrong(ref, `nobody asked for ${built}`);
  const packages = await readImagePackages(objects, ref, asked);
  const { definition } = parseImageDefinition(file.path, file.text, engine);
  const laid = layOutImage({ definition, target: parseTarget(asked.target), packages, keys, sourceDateEpoch });
  if (engine === 'apko')
    await proveApko(objects, ref, platform, laid, { file: readImageFile(file.path, file.text), definition });
  else await proveAssembled(objects, ref, platform, laid, definition, sourceDateEpoch);
  const { os, architecture } = platform.descriptor.platform;
  const { mediaType, digest, size } = platform.descriptor;
  const sbom = writeImageSbom({
    name,
    manifest: { mediaType, digest, size, platform: { os, architecture } },
    layers: platform.layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    packages: laid.packages,
    read: (path) => readText(laid.root, path),
    sourceDateEpoch,
  });
  if (`sha256:${sha256(Buffer.from(sbom))}` !== platform.sbom)
    throw wrong(ref, `the SBOM ${platform.sbom} of ${digest} is not the one of its packages`);
}
