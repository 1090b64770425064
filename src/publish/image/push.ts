import { digestHex, ociMediaTypes } from '../../formats/oci.ts';
import { blobKey, type ObjectReader } from '../../ports/objects.ts';
import type { PushOptions, RegistryBlob, RegistryRepository } from '../../ports/registry.ts';
import { type BlobName, readStoredImage, wrong } from './read.ts';

export interface ImagePush {
  /** `NAME:TAG`, for messages. */
  readonly ref: string;
  /** Of the index, `sha256:HEX`. */
  readonly digest: string;
  readonly tag: string;
}

/**
 * Brings an image to a repository of a registry: blobs, then manifests by digest, then the tag, so that whoever pulls gets the old
 * image or the new one, whole. What is there already is left. Errors: image.invalid, and those of `Registries`.
 */
export async function pushImage(
  objects: ObjectReader,
  repository: RegistryRepository,
  { ref, digest, tag }: ImagePush,
  options: PushOptions = {},
): Promise<void> {
  const { bytes, platforms } = await readStoredImage(objects, ref, digestHex({ digest }));
  for (const { config, layers, bytes: manifest } of platforms) {
    for (const blob of [...layers, config]) await repository.pushBlob(blobOf(objects, ref, blob), options);
    await repository.pushManifest({ mediaType: ociMediaTypes.manifest, bytes: manifest }, undefined, options);
  }
  const index = { mediaType: ociMediaTypes.index, bytes };
  await repository.pushManifest(index, undefined, options);
  await repository.pushManifest(index, tag, options);
}

function blobOf(objects: ObjectReader, ref: string, { digest, size }: BlobName): RegistryBlob {
  return {
    digest,
    size,
    async read() {
      const object = await objects.stream(blobKey(digestHex({ digest })));
      if (object === undefined) throw wrong(ref, `its blob ${digest} is not there`);
      return object.body;
    },
  };
}
