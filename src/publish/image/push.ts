import {
  type AttachmentKind,
  attachedLayers,
  attachmentKinds,
  attachmentManifest,
  attachmentTag,
} from '../../formats/cosign.ts';
import { digestHex, type OciBlob, ociMediaTypes } from '../../formats/oci.ts';
import { blobKey, type ObjectReader } from '../../ports/objects.ts';
import type { PushOptions, RegistryBlob, RegistryRepository } from '../../ports/registry.ts';
import { readAttachments } from './attach.ts';
import { type BlobName, readStoredImage, wrong } from './read.ts';

export interface ImagePush {
  /** `NAME:TAG`, for messages. */
  readonly ref: string;
  /** Of the index, `sha256:HEX`. */
  readonly digest: string;
  readonly tag: string;
}

/**
 * Brings an image to a repository of a registry: blobs, then manifests by digest, signatures and attestations, then the tag, so that
 * whoever pulls gets the old image or the new one, whole and signed. What is there already is left. Errors: image.invalid, and those of `Registries`.
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
  for (const subject of [...platforms.map(({ descriptor }) => descriptor), { digest }]) {
    const attachments = await readAttachments(objects, subject);
    if (attachments === undefined) continue;
    for (const kind of attachmentKinds)
      await pushAttached(objects, repository, { ref, subject, kind, hex: attachments[kind] }, options);
  }
  await repository.pushManifest(index, tag, options);
}

interface Attached {
  readonly ref: string;
  readonly subject: { readonly digest: string };
  readonly kind: AttachmentKind;
  /** Hex digest of the manifest. */
  readonly hex: string;
}

/** Signatures or attestations, beside those that others have attached there. */
async function pushAttached(
  objects: ObjectReader,
  repository: RegistryRepository,
  { ref, subject, kind, hex }: Attached,
  options: PushOptions,
): Promise<void> {
  const own = await objects.get(blobKey(hex));
  if (own === undefined) throw wrong(ref, `its blob sha256:${hex} is not there`);
  const layers = attachedLayers(own.bytes);
  const tag = attachmentTag(subject.digest, kind);
  const there = attachedLayers((await repository.manifest(tag, options))?.bytes ?? new Uint8Array());
  const missing = layers.filter((layer) => !there.some(({ digest }) => digest === layer.digest));
  if (missing.length === 0) return;
  for (const layer of missing) await repository.pushBlob(blobOf(objects, ref, layer), options);
  const { manifest, config } = attachmentManifest([...there, ...missing]);
  await repository.pushBlob(inMemory(config), options);
  await repository.pushManifest({ mediaType: ociMediaTypes.manifest, bytes: manifest.bytes }, tag, options);
}

function inMemory({ descriptor, bytes }: OciBlob): RegistryBlob {
  async function* read(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  return { digest: descriptor.digest, size: descriptor.size, read: async () => read() };
}

function blobOf(objects: ObjectReader, ref: string, { digest, size }: Pick<BlobName, 'digest' | 'size'>): RegistryBlob {
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
