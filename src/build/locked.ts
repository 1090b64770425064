import { RegrowError } from '../errors.ts';
import { type Apk, readApk } from '../formats/apk.ts';
import type { LockedPackage } from '../model/build.ts';
import { sha256 } from '../model/canonical.ts';
import type { Objects } from '../ports/objects.ts';

/** A package of an environment, read. */
export interface EnvironmentPackage {
  readonly name: string;
  readonly apk: Apk;
}

/**
 * Reads the locked packages from the object store. Errors: repository.corrupt when one is missing or is not what it was
 * locked to, package.malformed.
 */
export async function readLocked(
  objects: Objects,
  locked: readonly LockedPackage[],
): Promise<readonly EnvironmentPackage[]> {
  const packages: EnvironmentPackage[] = [];
  for (const { name, version, key, digest, checksum } of locked) {
    const object = await objects.get(key);
    const found = object === undefined ? undefined : sha256(object.bytes);
    if (object === undefined || found !== digest) {
      const problem = found === undefined ? 'is not in the object store' : `has digest ${found}, not ${digest}`;
      throw new RegrowError('repository.corrupt', `${name} ${version} of the build environment ${problem} (${key})`, {
        package: name,
        remedy: 'nothing to do: the next reconcile locks the environment again',
      });
    }
    const apk = readApk(object.bytes);
    if (apk.info.name !== name || apk.info.version !== version || apk.checksum !== checksum) {
      throw new RegrowError(
        'repository.corrupt',
        `${key} is ${apk.info.name} ${apk.info.version}, not ${name} ${version}`,
        {
          package: name,
        },
      );
    }
    packages.push({ name, apk });
  }
  return packages;
}
