import { readApk } from '../../src/formats/apk.ts';
import { gzipMember, readGzipMember } from '../../src/formats/gzip.ts';
import { digestHex, type OciDescriptor, ociBlob, ociIndex } from '../../src/formats/oci.ts';
import { type TarEntry, writeTar } from '../../src/formats/tar.ts';
import { readTar } from '../../src/formats/tar-reader.ts';
import { canonicalJson, sha256 } from '../../src/model/canonical.ts';
import type { ImageRequest } from '../../src/model/request.ts';
import { blobKey, type Objects } from '../../src/ports/objects.ts';
import { sbomAnnotation } from '../../src/publish/image/annotation.ts';
import type { AssembledImage } from '../../src/publish/image/index.ts';
import { writeImageSbom } from '../../src/publish/image/sbom.ts';
import { currentKey } from '../../src/publish/manifest.ts';

/** Publishes packages for x86_64-gnu as a publisher leaves them, and gives the request for an image of all of them. */
export async function publishForProof(
  objects: Objects,
  files: readonly Uint8Array[],
  definition: ImageRequest['definition'],
  more: Partial<ImageRequest> = {},
): Promise<ImageRequest> {
  const target = 'x86_64-gnu';
  const artifacts = files.map((bytes) => {
    const { info, checksum, digest } = readApk(bytes);
    return { info, target, digest: digest(), bytes: bytes.length, checksum };
  });
  for (const [i, { digest }] of artifacts.entries()) await objects.put(blobKey(digest), files[i] ?? new Uint8Array());
  const list = Buffer.from(canonicalJson(artifacts));
  await objects.put(blobKey(sha256(list)), list);
  const generation = {
    schema: 1,
    generation: 1,
    token: 1,
    at: '2026-06-01T09:00:00.000Z',
    targets: { [target]: { packages: sha256(list), index: sha256(list) } },
    added: [],
    removed: [],
  };
  await objects.put(currentKey, Buffer.from(JSON.stringify(generation)));
  const packages = artifacts.map(({ info, digest, checksum }) => {
    const { name, version, origin } = info;
    return { name, version, origin, checksum, key: blobKey(digest), digest };
  });
  return {
    kind: 'image',
    name: 'i',
    tag: 'latest',
    definition,
    platforms: [{ target, packages }],
    sourceDateEpoch: 1_700_000_000,
    keys: [],
    ...more,
  };
}

type Change = (entries: readonly TarEntry[]) => readonly TarEntry[];

/** What a builder says otherwise than it is; everything that refers to it follows. */
interface Lie {
  /** Of each layer that has `/usr/bin/tool`; of the last one. */
  readonly layer?: Change;
  readonly last?: Change;
  readonly config?: (json: string) => string;
  readonly manifest?: (json: string) => string;
  readonly sbom?: (json: string) => string;
  /** How layers are compressed. */
  readonly gzip?: (tar: Uint8Array) => Buffer;
}

function same({ gzip }: Lie): Change | undefined {
  return gzip === undefined ? undefined : (entries) => entries;
}

/** A builder that stores one platform of an image with something changed, whole by all that it says of itself. */
export function liar(objects: Objects, made: AssembledImage, files: readonly Uint8Array[]) {
  const packages = files.map(readApk);
  const texts = new Map(made.entries.map(({ path, content }) => [path, Buffer.from(content ?? []).toString()]));
  const blob = (digest: string) => Buffer.from(made.blobs.get(digestHex({ digest })) ?? new Uint8Array());
  const put = async (bytes: Uint8Array) => {
    const { descriptor } = ociBlob('', bytes);
    await objects.put(blobKey(digestHex(descriptor)), bytes);
    return { digest: descriptor.digest, size: descriptor.size };
  };
  return {
    /** Hex digest of the index. */
    async index(lie: Lie): Promise<string> {
      for (const bytes of made.blobs.values()) await put(bytes);
      const manifest = JSON.parse(blob(made.manifest.digest).toString()) as {
        config: OciDescriptor;
        layers: OciDescriptor[];
      };
      const config = JSON.parse(blob(manifest.config.digest).toString()) as { rootfs: { diff_ids: string[] } };
      const layers: OciDescriptor[] = [];
      for (const [i, layer] of manifest.layers.entries()) {
        const tar = readGzipMember(blob(layer.digest)).content;
        const { entries } = readTar(tar, { devices: 'skip' });
        const isLast = i === manifest.layers.length - 1;
        const gzip = lie.gzip ?? gzipMember;
        const change =
          lie.gzip !== undefined || entries.some(({ path }) => path === 'usr/bin/tool')
            ? (lie.layer ?? same(lie))
            : undefined;
        const own = isLast ? (lie.last ?? change) : change;
        if (own === undefined) {
          layers.push(layer);
          continue;
        }
        const other = writeTar(own(entries), { mtime: 1_700_000_000, end: true });
        config.rootfs.diff_ids[i] = `sha256:${sha256(other)}`;
        layers.push({ mediaType: layer.mediaType, ...(await put(gzip(other))) });
      }
      const configText = (lie.config ?? String)(canonicalJson(config));
      const named = { ...manifest.config, ...(await put(Buffer.from(configText))) };
      const manifestText = (lie.manifest ?? String)(canonicalJson({ ...manifest, config: named, layers }));
      const descriptor = { ...made.manifest, ...(await put(Buffer.from(manifestText))) };
      const facts = { name: 'i', manifest: descriptor, layers, packages, sourceDateEpoch: 1_700_000_000 };
      // `/etc/os-release` is a link in some images.
      const read = (path: string) =>
        texts.get(path === 'etc/os-release' && texts.has('usr/lib/os-release') ? 'usr/lib/os-release' : path);
      const honest = writeImageSbom({ ...facts, read });
      const sbom = await put(Buffer.from((lie.sbom ?? String)(honest)));
      const { bytes } = ociIndex([{ ...descriptor, annotations: { [sbomAnnotation]: sbom.digest } }]);
      return digestHex(await put(bytes));
    },
  };
}
