import { RegrowError, reportError } from '../errors.ts';
import { type BuildRequest, buildRequestSchema } from '../model/build.ts';
import { sha256 } from '../model/canonical.ts';
import type { ObjectReader } from '../ports/objects.ts';

/** Where a build request lies, by its digest. */
export function buildRequestKey(digest: string): string {
  return `inputs/${digest}.json`;
}

/** Everything that a builder was given, held to its digest. Errors: internal. */
export async function readBuildRequest(objects: ObjectReader, digest: string): Promise<BuildRequest> {
  const key = buildRequestKey(digest);
  const object = await objects.get(key);
  if (object !== undefined && sha256(object.bytes) === digest) {
    try {
      return buildRequestSchema.parse(JSON.parse(new TextDecoder().decode(object.bytes)));
    } catch (thrown) {
      throw new RegrowError('internal', `${key} is not a build request: ${reportError(thrown).message}`, {
        file: key,
        cause: thrown,
      });
    }
  }
  throw new RegrowError('internal', `${key} is ${object === undefined ? 'not there' : 'not what its digest says'}`, {
    file: key,
    remedy: 'nothing to do: the next reconcile writes it again',
  });
}
