import type { z } from 'zod';
import { RegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import { canonicalJson, sha256 } from '../model/canonical.ts';
import { type Generation, generationSchema, publishedPackagesSchema } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import { blobKey, type ObjectReader } from '../ports/objects.ts';

export const currentKey = 'repository/current';
export const generationsPrefix = 'repository/generations/';

export function generationKey(generation: number): string {
  return `${generationsPrefix}${generation}.json`;
}

/** The pointer as it is now; `etag` is what a swap has to expect. */
export interface CurrentGeneration {
  readonly generation: Generation;
  readonly etag: string;
}

export function corrupt(key: string, what: string, cause?: unknown): RegrowError {
  return new RegrowError('repository.corrupt', `${key} in the object store ${what}`, {
    file: key,
    cause,
    remedy: 'restore the object from a backup, or go back to an earlier generation',
  });
}

export function encodeJson(value: unknown): Uint8Array {
  return Buffer.from(`${canonicalJson(value)}\n`, 'utf8');
}

function decode<T>(key: string, bytes: Uint8Array, schema: z.ZodType<T>): T {
  try {
    const json: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return schema.parse(json);
  } catch (error) {
    throw corrupt(key, 'is not what was written there', error);
  }
}

/** The newest generation, or undefined before the first. Errors: repository.corrupt. */
export async function readCurrent(objects: ObjectReader): Promise<CurrentGeneration | undefined> {
  const object = await objects.get(currentKey);
  if (object === undefined) return undefined;
  return { generation: decode(currentKey, object.bytes, generationSchema), etag: object.etag };
}

/** A generation by its number: the current one or one that is kept. Errors: repository.corrupt. */
export async function readGeneration(objects: ObjectReader, number: number): Promise<Generation | undefined> {
  const current = await readCurrent(objects);
  if (current?.generation.generation === number) return current.generation;
  const key = generationKey(number);
  const object = await objects.get(key);
  return object === undefined ? undefined : decode(key, object.bytes, generationSchema);
}

/** The published artifacts of one target in a generation; empty where it has no such target. Errors: repository.corrupt. */
export async function readPackages(
  objects: ObjectReader,
  generation: Generation,
  target: TargetName,
): Promise<readonly Artifact[]> {
  const digest = generation.targets[target]?.packages;
  if (digest === undefined) return [];
  const key = blobKey(digest);
  const object = await objects.get(key);
  if (object === undefined) throw corrupt(key, `is gone: the package list of ${target}`);
  if (sha256(object.bytes) !== digest) throw corrupt(key, 'is not what its digest says');
  return decode(key, object.bytes, publishedPackagesSchema);
}
