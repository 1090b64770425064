import type { Queues } from '../jobs/queues.ts';
import { digestOf } from '../model/canonical.ts';
import type { Request } from '../model/request.ts';
import { type Result, resultSchema } from '../model/result.ts';
import type { Objects } from '../ports/objects.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where a worker leaves what came of an effect. */
export function resultKey(effect: string): string {
  return `results/${effect}.json`;
}

export function requestKey(request: Request): string {
  return `requests/${digestOf(request)}.json`;
}

/** The digest in a request's key. */
export function requestDigest(key: string): string {
  return key.slice('requests/'.length, -'.json'.length);
}

export async function storeRequest(objects: Objects, request: Request): Promise<string> {
  const key = requestKey(request);
  if (!(await objects.has(key))) await objects.put(key, encoder.encode(JSON.stringify(request)));
  return key;
}

export async function storeResult(objects: Objects, result: Result): Promise<string> {
  const key = resultKey(result.effect);
  await objects.put(key, encoder.encode(JSON.stringify(resultSchema.parse(result))));
  return key;
}

/** What came of an effect, of the kind that was asked for; undefined while nothing did. */
export async function readResult<K extends Result['kind']>(
  objects: Objects,
  effect: string,
  kind: K,
): Promise<Extract<Result, { kind: K }> | undefined> {
  const object = await objects.get(resultKey(effect));
  if (object === undefined) return undefined;
  const result = resultSchema.parse(JSON.parse(decoder.decode(object.bytes)));
  return result.kind === kind ? (result as Extract<Result, { kind: K }>) : undefined;
}

/** Leaves what came of a job, then says so to the conductor. Done twice it is the same. */
export async function report(objects: Objects, queues: Queues, result: Result): Promise<void> {
  const key = await storeResult(objects, result);
  await queues.enqueue('result', { kind: result.kind, key, effect: result.effect });
}
