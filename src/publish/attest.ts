import type { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { signDsse } from '../formats/dsse.ts';
import { inTotoPayloadType, type ProvenanceFacts, writeProvenance } from '../formats/provenance.ts';
import { type BuildResult, buildRequestSchema, buildResultSchema } from '../model/build.ts';
import { canonicalJson, sha256 } from '../model/canonical.ts';
import type { Objects } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import type { Attest } from './additions.ts';
import { putBlob } from './listing.ts';

export interface AttesterOptions extends Pick<ProvenanceFacts, 'repository' | 'distribution' | 'builderId'> {
  readonly objects: Objects;
  readonly signer: Signer;
}

async function readJson<T>(objects: Objects, key: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const object = await objects.get(key);
  if (object === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(Buffer.from(object.bytes).toString('utf8')));
  } catch (cause) {
    throw malformed(key, 'is not what regrow wrote', cause);
  }
}

function malformed(key: string, what: string, cause?: unknown): RegrowError {
  return new RegrowError('package.malformed', `${key} in the object store ${what}`, {
    file: key,
    cause,
    remedy: 'build it again; nothing of this package was published',
  });
}

/** What the builder was given: named by its digest, and held to it. */
async function readInputs(objects: Objects, { request }: BuildResult) {
  const key = `inputs/${request}.json`;
  const object = await objects.get(key);
  if (object !== undefined && sha256(object.bytes) !== request) throw malformed(key, 'is not what its digest says');
  return readJson(objects, key, buildRequestSchema);
}

/**
 * Provenance of packages as in-toto statements in DSSE envelopes that the repository's key signs. The builder's account
 * (`result.json`) has to be of this very package, and of what it was asked for. Same build and key, same bytes.
 */
export function createAttester({ objects, signer, ...facts }: AttesterOptions): Attest {
  return async ({ key, artifact: staged, request: asked }, artifact) => {
    const resultKey = `${key.slice(0, key.lastIndexOf('/'))}/result.json`;
    const result = await readJson(objects, resultKey, buildResultSchema);
    if (result === undefined) return undefined;
    if (!result.artifacts.some(({ digest }) => digest === staged.digest)) {
      throw malformed(resultKey, `does not name ${staged.info.name} ${staged.info.version} as it lies there`);
    }
    if (asked !== undefined && result.request !== asked)
      throw malformed(resultKey, `is of the request ${result.request}, not of ${asked}`);
    const request = await readInputs(objects, result);
    if (request === undefined) return undefined;
    const statement = canonicalJson(writeProvenance({ ...facts, artifact, request, result }));
    const envelope = signDsse(inTotoPayloadType, Buffer.from(statement, 'utf8'), [signer]);
    return putBlob(objects, Buffer.from(`${JSON.stringify(envelope)}\n`, 'utf8'));
  };
}
