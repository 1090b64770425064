import { toRegrowError } from '../../../errors.ts';
import { readGzipMember } from '../../../formats/gzip.ts';
import { digestHex } from '../../../formats/oci.ts';
import { readTar, type TarReadEntry, type TarReadOptions } from '../../../formats/tar-reader.ts';
import { sha256 } from '../../../model/canonical.ts';
import { blobKey, type ObjectReader } from '../../../ports/objects.ts';
import { type BlobName, wrong } from '../read.ts';

/**
 * The entries of a layer, read as strictly as those of packages: what readers may take in two ways is refused. `limit`: bytes that it
 * may unpack to. Errors: image.invalid.
 */
export async function readLayer(
  objects: ObjectReader,
  ref: string,
  layer: BlobName,
  limit: number,
  options: TarReadOptions = {},
): Promise<readonly TarReadEntry[]> {
  const key = blobKey(digestHex(layer));
  const size = (await objects.stream(key))?.size ?? 0;
  if (size > limit) throw wrong(ref, `its layer ${layer.digest} has ${size} bytes, more than its packages could have`);
  const bytes = (await objects.get(key))?.bytes ?? new Uint8Array();
  if (`sha256:${sha256(bytes)}` !== layer.digest) throw wrong(ref, `its layer ${layer.digest} is not what it says`);
  try {
    const { compressed, content } = readGzipMember(bytes, 0, limit);
    if (compressed.length !== bytes.length) throw wrong(ref, `its layer ${layer.digest} has bytes after its end`);
    return readTar(content, options).entries;
  } catch (thrown) {
    const error = toRegrowError(thrown);
    throw error.code === 'package.malformed' ? wrong(ref, `its layer ${layer.digest} is ${error.message}`) : error;
  }
}
