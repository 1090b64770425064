import { digestHex, type OciImage, ociBlob, ociConfig, ociManifest, ociMediaTypes } from '../../../formats/oci.ts';
import type { TarEntry } from '../../../formats/tar.ts';
import type { TarReadEntry } from '../../../formats/tar-reader.ts';
import { sha256 } from '../../../model/canonical.ts';
import type { ImageDefinition } from '../../../model/image-definition.ts';
import type { ObjectReader } from '../../../ports/objects.ts';
import type { LaidOutImage } from '../assemble.ts';
import { layerContents, layerTar } from '../layers.ts';
import { type BlobName, type StoredPlatform, wrong } from '../read.ts';
import { readLayer } from './layer.ts';

/** Bytes of a layer that are not of its files, at most that much more than it should have: it is read only to say what differs. */
const excess = 16 * 1024 * 1024;

/**
 * Regrow's own assembler gives the same image of the same packages. So layers are made once more and compared, as is the
 * configuration and the manifest; only how the builder's zlib has compressed the layers is the builder's. A layer of another digest is read
 * to say what is different. Errors: image.invalid.
 */
export async function proveAssembled(
  objects: ObjectReader,
  ref: string,
  { layers, diffIds, config, bytes, descriptor }: StoredPlatform,
  laid: LaidOutImage,
  { layers: limit }: Pick<ImageDefinition, 'layers'>,
  sourceDateEpoch: number,
): Promise<void> {
  const infos = laid.packages.map(({ info }) => info);
  const expected = layerContents(laid.root, infos, limit);
  if (expected.length !== layers.length)
    throw wrong(ref, `${descriptor.digest} has ${layers.length} layers; its packages make ${expected.length}`);
  const made: OciImage['layers'][number][] = [];
  for (const [i, { label, entries }] of expected.entries()) {
    const layer = layers[i];
    if (layer === undefined) continue;
    const tar = layerTar(entries, sourceDateEpoch);
    const diffId = `sha256:${sha256(tar)}`;
    if (diffId !== diffIds[i]) throw await differing(objects, ref, layer, entries, tar.length + excess);
    const { mediaType, digest, size } = layer;
    made.push({ descriptor: { mediaType, digest, size }, diffId, comment: label });
  }
  const image: OciImage = { ...laid, layers: made, created: sourceDateEpoch };
  const configuration = ociConfig(image);
  if (configuration.descriptor.digest !== config.digest)
    throw wrong(ref, `the configuration ${config.digest} of ${descriptor.digest} is not that of its definition`);
  const manifest = ociBlob(ociMediaTypes.manifest, bytes);
  if (ociManifest(image, configuration).descriptor.digest !== manifest.descriptor.digest)
    throw wrong(ref, `its manifest ${descriptor.digest} is not that of its definition`);
}

async function differing(
  objects: ObjectReader,
  ref: string,
  layer: BlobName,
  expected: readonly TarEntry[],
  limit: number,
) {
  const found = await readLayer(objects, ref, layer, limit);
  const names = new Map(expected.map((entry) => [entry.path, entry]));
  const seen = new Set<string>();
  for (const entry of found) {
    const { path } = entry;
    const own = names.get(path);
    if (own === undefined) return inLayer(ref, layer, path, 'is of none of its packages, and not of its definition');
    if (seen.has(path)) return inLayer(ref, layer, path, 'is there twice');
    seen.add(path);
    const what = differenceOf(own, entry);
    if (what !== undefined) return inLayer(ref, layer, path, what);
  }
  const lost = expected.find(({ path }) => !seen.has(path));
  if (lost !== undefined) return inLayer(ref, layer, lost.path, 'is missing');
  return wrong(
    ref,
    `its layer ${digestHex(layer)} has the files of its packages in another form than they are written`,
  );
}

function differenceOf(own: TarEntry, entry: TarReadEntry): string | undefined {
  if (entry.type !== own.type) return `is a ${entry.type}, not a ${own.type}`;
  if ((entry.link ?? '') !== (own.link ?? '')) return `leads to ${entry.link}, not to ${own.link}`;
  if (entry.type === 'file' && Buffer.compare(entry.content, own.content ?? new Uint8Array()) !== 0)
    return 'has other bytes than the file of its package';
  if (entry.mode !== own.mode) return `has the mode ${entry.mode.toString(8)}, not ${own.mode.toString(8)}`;
  const { uid, gid } = own.owner ?? { uid: 0, gid: 0 };
  if (entry.owner.uid !== uid || entry.owner.gid !== gid)
    return `belongs to ${entry.owner.uid}:${entry.owner.gid}, not to ${uid}:${gid}`;
  return undefined;
}

/** What is wrong with a file of a layer. */
export function inLayer(ref: string, { digest }: BlobName, path: string, what: string) {
  return wrong(ref, `/${path} in its layer ${digest} ${what}`);
}
