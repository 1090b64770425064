import { isDeepStrictEqual } from 'node:util';
import { RegrowError } from '../errors.ts';
import { type ImageCatalogue, type ImagePublication, imageCatalogueSchema } from '../model/publication.ts';
import type { ImagePublishRequest, ImageRequest, ImageSignRequest } from '../model/request.ts';
import type { TargetName } from '../model/target.ts';
import type { Objects } from '../ports/objects.ts';
import type { ImageSigner } from '../ports/signer.ts';
import type { Keyless } from '../ports/sigstore.ts';
import { attachToImage, checkImage, isImageSigned, keptOutput } from '../publish/image/index.ts';
import { readCurrent } from '../publish/manifest.ts';
import { readRequest, readResult } from './effects.ts';
import type { Prove } from './verifier.ts';

export interface ImagePublisherPorts {
  readonly objects: Objects;
  readonly signer: ImageSigner;
  /** Says of what the image consists, where no key is. */
  readonly prove: Prove;
}

/** The published image tags. */
const catalogueKey = 'images/current';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How an image is signed: when, and with what besides the keys. */
export interface ImageSigning {
  /** ISO 8601. */
  readonly at: string;
  readonly keyless?: Keyless;
  readonly signal?: AbortSignal;
}

/**
 * Signs an image that was built and run, once it is proven that it consists of the packages and the definition that it was to be made
 * of: its builder may say what it likes. What has been signed stays as it is. Errors: image.invalid, and those of `Prove` and `Keyless`.
 */
export async function signImage(
  { objects, signer, prove }: ImagePublisherPorts,
  request: Pick<ImageSignRequest, 'image' | 'result'>,
  { at, ...options }: ImageSigning,
) {
  const image: ImageRequest = await readRequest(objects, request.image, 'image');
  const built = await readResult(objects, request.result, 'image-built');
  if (built?.index === undefined) {
    throw new RegrowError('image.invalid', `${image.name}:${image.tag} was not built`, { file: request.result });
  }
  const stored = await checkImage(
    objects,
    { ref: `${image.name}:${image.tag}`, index: built.index, platforms: built.platforms },
    image.platforms.map(({ target }) => target),
  );
  // Signed by another key, or with other vulnerabilities, it is the image that was looked at; its packages may be gone by now.
  if (!(await isImageSigned(objects, signer, stored, built.index, image.name)))
    await prove({ image, index: built.index }, options.signal);
  const packagesOf = (target: TargetName) => image.platforms.find((one) => one.target === target)?.packages ?? [];
  const platforms = built.platforms.map((one) => ({ ...one, packages: packagesOf(one.target) }));
  await attachToImage(objects, signer, stored, built.index, { ...image, platforms, at }, options);
  return { image, index: built.index, platforms };
}

/** Signs an image that was built and run, then moves its tag to it. The same image a second time is nothing. Errors: image.invalid. */
export async function publishImage(
  ports: ImagePublisherPorts,
  request: ImagePublishRequest,
  options: Pick<ImageSigning, 'at' | 'signal'>,
): Promise<ImagePublication> {
  const { objects } = ports;
  const { at } = options;
  const { image, index, platforms } = await signImage(ports, request, options);
  const current = await readCurrent(objects);
  const publication: ImagePublication = {
    ref: `${image.name}:${image.tag}`,
    digest: `sha256:${index}`,
    generation: current?.generation.generation ?? 0,
    at,
    platforms: platforms.map(({ target, manifest, output, packages }) => ({
      target,
      manifest,
      output: keptOutput(output),
      packages: packages.map(({ name, version, origin }) => ({ name, version, origin })),
    })),
    vulnerabilities: request.vulnerabilities,
  };
  const { catalogue, etag } = await readCatalogue(objects);
  const known = catalogue.images.find((one) => one.ref === publication.ref);
  const isSame =
    known?.digest === publication.digest && isDeepStrictEqual(known.vulnerabilities, publication.vulnerabilities);
  if (known !== undefined && isSame) return known;
  const images = [...catalogue.images.filter((one) => one.ref !== publication.ref), publication];
  images.sort((a, b) => (a.ref < b.ref ? -1 : 1));
  if (await objects.swap(catalogueKey, encoder.encode(JSON.stringify({ schema: 1, images })), etag)) return publication;
  throw new RegrowError('repository.moved', `another image was published at the same time as ${publication.ref}`, {
    retry: 'now',
  });
}

async function readCatalogue(objects: Objects): Promise<{ catalogue: ImageCatalogue; etag: string | undefined }> {
  const object = await objects.get(catalogueKey);
  if (object === undefined) return { catalogue: { schema: 1, images: [] }, etag: undefined };
  return { catalogue: imageCatalogueSchema.parse(JSON.parse(decoder.decode(object.bytes))), etag: object.etag };
}
