import { sha256 } from '../../../model/canonical.ts';
import type { ImageRequest } from '../../../model/request.ts';
import type { ObjectReader } from '../../../ports/objects.ts';
import { readCurrent, readPackages } from '../../manifest.ts';
import { wrong } from '../read.ts';

type RequestedPlatform = ImageRequest['platforms'][number];

/**
 * The files of the packages that one platform of an image was asked to be made of. Each is published today, for its target and with
 * the checksum and digest that were asked for: what was withdrawn meanwhile is in no image that is signed. Errors: image.invalid,
 * repository.corrupt.
 */
export async function readImagePackages(
  objects: ObjectReader,
  ref: string,
  { target, packages }: RequestedPlatform,
): Promise<readonly Uint8Array[]> {
  const current = await readCurrent(objects);
  const published = current === undefined ? [] : await readPackages(objects, current.generation, target);
  const known = new Map(published.map((one) => [`${one.info.name} ${one.info.version}`, one]));
  const files: Uint8Array[] = [];
  for (const { name, version, checksum, digest, key } of packages) {
    const artifact = known.get(`${name} ${version}`);
    if (artifact === undefined) throw wrong(ref, `${name} ${version} is not published for ${target}`);
    if (artifact.checksum !== checksum || artifact.digest !== digest)
      throw wrong(ref, `${name} ${version} is published for ${target} as ${artifact.checksum}, not as ${checksum}`);
    const object = await objects.get(key);
    if (object === undefined || sha256(object.bytes) !== digest)
      throw wrong(ref, `the file of ${name} ${version} for ${target} is not in the object store as it was published`);
    files.push(object.bytes);
  }
  return files;
}
