import { isDeepStrictEqual } from 'node:util';
import { RegrowError } from '../../errors.ts';
import {
  type AttachmentKind,
  attachedLayers,
  attachmentKinds,
  attachmentManifest,
  attachmentTag,
} from '../../formats/cosign.ts';
import { digestHex, type OciBlob, type OciDescriptor, ociMediaTypes } from '../../formats/oci.ts';
import { blobsOfManifest, readReferrerIndex, referrerIndex, referrersTag } from '../../formats/referrer.ts';
import type { Referrer } from '../../model/attachment.ts';
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
    await pushReferrers(objects, repository, { ref, subject, referrers: attachments.referrers }, options);
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
  // Two keys sign the same bytes: what tells their layers apart is beside them.
  const missing = layers.filter((layer) => !there.some((one) => isDeepStrictEqual(one, layer)));
  if (missing.length === 0) return;
  for (const layer of missing) await repository.pushBlob(blobOf(objects, ref, layer), options);
  const { manifest, config } = attachmentManifest([...there, ...missing]);
  await repository.pushBlob(inMemory(config), options);
  await repository.pushManifest({ mediaType: ociMediaTypes.manifest, bytes: manifest.bytes }, tag, options);
}

interface Referring {
  readonly ref: string;
  readonly subject: { readonly digest: string };
  readonly referrers: readonly Referrer[];
}

/**
 * What refers to a manifest, beside what others have put there (distribution-spec 1.1, "Pushing Manifests with Subject"): by the list
 * of the registry, or where it keeps none, by one under a tag. An image can be without it: who does not know referrers finds
 * signatures by their tags, so a registry that does not take such manifests is told of and gets the rest.
 */
async function pushReferrers(
  objects: ObjectReader,
  repository: RegistryRepository,
  { ref, subject, referrers }: Referring,
  options: PushOptions,
): Promise<void> {
  try {
    const kept = await repository.referrers(subject.digest, options);
    const tag = referrersTag(subject.digest);
    const list = kept ?? (await repository.manifest(tag, options))?.bytes;
    const there = list === undefined ? [] : readReferrerIndex(list);
    if (there === undefined) throw notList(subject.digest);
    const missing = referrers.filter((one) => !there.some(({ digest }) => digest === one.digest));
    if (missing.length === 0) return;
    for (const { digest } of missing) {
      const own = await objects.get(blobKey(digestHex({ digest })));
      const blobs = own === undefined ? undefined : blobsOfManifest(own.bytes);
      if (own === undefined || blobs === undefined) throw wrong(ref, `its blob ${digest} is not there`);
      for (const blob of blobs) await repository.pushBlob(blobOf(objects, ref, blob), options);
      await repository.pushManifest({ mediaType: ociMediaTypes.manifest, bytes: own.bytes }, undefined, options);
    }
    if (kept !== undefined) return;
    const index = referrerIndex([...there, ...missing.map(descriptorOf)]);
    await repository.pushManifest({ mediaType: ociMediaTypes.index, bytes: index.bytes }, tag, options);
  } catch (thrown) {
    if (!(thrown instanceof RegrowError) || thrown.code !== 'registry.refused') throw thrown;
    options.onRefused?.(thrown);
  }
}

function descriptorOf({ annotations, ...referrer }: Referrer): OciDescriptor {
  return annotations === undefined ? referrer : { ...referrer, annotations };
}

function notList(digest: string): RegrowError {
  return new RegrowError('registry.refused', `under the tag ${referrersTag(digest)} is something else than referrers`, {
    remedy: 'remove the tag at the registry',
  });
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
