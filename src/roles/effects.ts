import { RegrowError, reportError, toRegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { BuildFailure } from '../model/build.ts';
import { digestOf } from '../model/canonical.ts';
import { type Request, requestSchema } from '../model/request.ts';
import { type Result, resultSchema } from '../model/result.ts';
import type { ObjectReader, Objects } from '../ports/objects.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where a worker leaves what came of an effect. */
export function resultKey(effect: string): string {
  return `results/${effect}.json`;
}

/** Where the conductor leaves how far an advisory feed was read, for pollers. A cursor is longer than a job may be. */
export function cursorKey(feed: string): string {
  return `cursors/${feed}`;
}

/** What one attempt at a build is called. */
export function buildEffect(attempt: { readonly buildKey: string; readonly attempt: number }): string {
  return `build-${attempt.buildKey}.${attempt.attempt}`;
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

/** A result as it was stored; undefined for what is none: half of a disk may have been lost. */
export function parseResult(bytes: Uint8Array): Result | undefined {
  return resultSchema.safeParse(parseJson(bytes)).data;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

/**
 * What came of an effect, of the kind that was asked for; undefined while nothing did. A result that cannot be read counts as
 * none: `ensureJob` takes it away and has it done again.
 */
export async function readResult<K extends Result['kind']>(
  objects: ObjectReader,
  effect: string,
  kind: K,
): Promise<Extract<Result, { kind: K }> | undefined> {
  const object = await objects.get(resultKey(effect));
  const result = object === undefined ? undefined : parseResult(object.bytes);
  return result?.kind === kind ? (result as Extract<Result, { kind: K }>) : undefined;
}

/**
 * Leaves what came of a job, then says so to the conductor. Done twice it is the same; what another `attempt` at the same effect comes
 * to is said again.
 */
export async function report(objects: Objects, queues: Queues, result: Result, attempt = 1): Promise<void> {
  const key = await storeResult(objects, result);
  const effect = attempt === 1 ? result.effect : `${result.effect}.${attempt}`;
  await queues.enqueue('result', { kind: result.kind, key, effect });
}

/** What is worth a result of its own; an error that time heals is thrown on, so that the job is tried again. */
export function finalFailure(thrown: unknown): BuildFailure {
  const error = toRegrowError(thrown);
  if (error.retry !== 'never') throw error;
  return failureReport(error);
}

/** An error as a result has it. */
export function failureReport(error: RegrowError): BuildFailure {
  const { code, message } = reportError(error);
  return { class: 'package', code, message, tail: [] };
}

export async function readRequest<K extends Request['kind']>(
  objects: Objects,
  key: string,
  kind: K,
): Promise<Extract<Request, { kind: K }>> {
  const object = await objects.get(key);
  const content = object === undefined ? undefined : parseJson(object.bytes);
  // The key is the digest of what was asked: what somebody put in its place was not.
  const isAsked = content !== undefined && digestOf(content) === requestDigest(key);
  const request = isAsked ? requestSchema.safeParse(content).data : undefined;
  if (request?.kind === kind) return request as Extract<Request, { kind: K }>;
  // What is damaged is written again only where nothing is.
  if (object !== undefined) await objects.remove(key);
  throw new RegrowError('internal', `${key} in the object store is not a request to ${kind}`, {
    file: key,
    remedy: 'nothing to do: the next reconcile writes it again',
  });
}
