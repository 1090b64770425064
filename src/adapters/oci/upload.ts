import { createHash } from 'node:crypto';
import { RegrowError, toRegrowError } from '../../errors.ts';
import type { PushOptions, RegistryBlob } from '../../ports/registry.ts';
import { mismatch, refused, unexpected } from './failure.ts';
import { type RegistryAnswer, type RegistryQuestion, shownUrl, type Transport } from './transport.ts';

/** How often one upload goes on after a failure without getting any further. */
const mostTries = 5;

/** Bytes of the largest chunk that a registry may ask for: a chunk is held in memory. */
const mostChunk = 256 * 1024 * 1024;

export interface UploadOptions extends PushOptions {
  readonly transport: Transport;
  readonly scopes: readonly string[];
  /** Bytes that are sent at a time, and held in memory. */
  readonly chunkSize: number;
}

/** Where an upload goes on. */
interface Session {
  readonly location: string;
  /** Bytes that the registry has. */
  readonly offset: number;
}

/** The registry lost what it had of an upload, also of what came before the chunk of now, which is read no more: it begins again. */
class UploadLost extends Error {}

/**
 * Sends a blob to an upload that was begun (`POST …/blobs/uploads/`): in one piece where it is small, else in chunks, each after
 * what the registry says that it has, so that a lost connection costs one chunk (distribution-spec, "Pushing a blob in chunks").
 * Gives false where the registry has lost the upload, and it is to be begun anew.
 */
export async function sendBlob(blob: RegistryBlob, begun: RegistryAnswer, options: UploadOptions): Promise<boolean> {
  const hash = createHash('sha256');
  const least = Number(begun.headers['oci-chunk-min-length'] ?? 0) || 0;
  if (least > mostChunk) throw refused(begun, `wants chunks of ${least} bytes; ${mostChunk} is the most that is held`);
  const chunkSize = Math.max(options.chunkSize, least);
  let session: Session = { location: locationOf(begun), offset: 0 };
  let start = 0;
  let isChunked = false;
  try {
    for await (const { bytes, last } of chunksOf(await blob.read(), chunkSize)) {
      hash.update(bytes);
      if (last) checkOwn(blob, `sha256:${hash.digest('hex')}`, start + bytes.length);
      isChunked ||= !last;
      if (isChunked) session = await sendChunk(blob, { bytes, start }, session, options);
      else await finish(blob, session, bytes, options);
      start += bytes.length;
      options.onProgress?.(blob.digest, start, blob.size);
    }
    if (isChunked) await finish(blob, session, undefined, options);
    return true;
  } catch (thrown) {
    if (thrown instanceof UploadLost) return false;
    throw thrown;
  }
}

/** One chunk, until the registry has all of it. */
async function sendChunk(
  blob: RegistryBlob,
  chunk: { readonly bytes: Uint8Array; readonly start: number },
  begun: Session,
  options: UploadOptions,
): Promise<Session> {
  const { bytes, start } = chunk;
  const end = start + bytes.length;
  let session = begun;
  for (let tries = 0; session.offset < end; ) {
    const rest = bytes.subarray(session.offset - start);
    let failure: RegrowError;
    try {
      const answer = await ask(options, {
        method: 'PATCH',
        url: session.location,
        headers: {
          'content-type': 'application/octet-stream',
          'content-range': `${session.offset}-${end - 1}`,
        },
        body: rest,
        once: true,
      });
      if (answer.status === 202 || answer.status === 201 || answer.status === 204) {
        const offset = offsetOf(answer) ?? end;
        if (offset > end)
          throw mismatch(`${shownUrl(answer.url)} says that it has ${offset} bytes of ${end} that were sent`);
        if (offset < start) throw new UploadLost();
        tries = offset > session.offset ? 0 : tries + 1;
        session = { location: locationOf(answer, session.location), offset };
        if (tries > mostTries) throw refused(answer, `takes nothing more of ${blob.digest}`);
        continue;
      }
      if (answer.status === 404) throw new UploadLost();
      failure = unexpected(answer, `a piece of ${blob.digest}`);
      if (answer.status !== 416) throw failure;
    } catch (thrown) {
      failure = toRegrowError(thrown);
      if (thrown instanceof UploadLost || failure.code !== 'registry.unreachable') throw thrown;
    }
    tries += 1;
    if (tries > mostTries) throw failure;
    if (failure.code === 'registry.unreachable') await options.transport.rest(tries, failure, options.signal);
    session = await whereItIs(session, options);
    if (session.offset < start || session.offset > end) throw new UploadLost();
  }
  return session;
}

/** Asks the registry how much of an upload it has. */
async function whereItIs(session: Session, options: UploadOptions): Promise<Session> {
  const answer = await ask(options, { method: 'GET', url: session.location });
  if (answer.status !== 204 && answer.status !== 200) throw new UploadLost();
  return { location: locationOf(answer, session.location), offset: offsetOf(answer) ?? 0 };
}

/** Closes an upload, with all of a small blob in it. */
async function finish(
  blob: RegistryBlob,
  { location }: Session,
  bytes: Uint8Array | undefined,
  options: UploadOptions,
): Promise<void> {
  const url = new URL(location);
  url.searchParams.set('digest', blob.digest);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes?.length ?? 0) };
  let answer: RegistryAnswer;
  try {
    answer = await ask(options, {
      method: 'PUT',
      url: url.href,
      headers,
      ...(bytes === undefined ? {} : { body: bytes }),
      once: true,
    });
  } catch (thrown) {
    // Whether it came through is seen by whether the blob is there.
    if (toRegrowError(thrown).code === 'registry.unreachable') throw new UploadLost();
    throw thrown;
  }
  if (answer.status === 404 || answer.status === 416) throw new UploadLost();
  if (answer.status !== 201 && answer.status !== 204) throw unexpected(answer, `the end of ${blob.digest}`);
  const said = answer.headers['docker-content-digest'];
  if (said !== undefined && said !== blob.digest)
    throw mismatch(`${shownUrl(answer.url)} calls ${blob.digest} ${said}`);
}

function ask(
  { transport, scopes, signal }: UploadOptions,
  question: Omit<RegistryQuestion, 'scopes' | 'signal'>,
): Promise<RegistryAnswer> {
  return transport.ask({ ...question, scopes, signal });
}

/** Where the next request of an upload goes; relative to what was asked. */
function locationOf(answer: RegistryAnswer, otherwise?: string): string {
  const { location } = answer.headers;
  if (location === undefined && otherwise !== undefined) return otherwise;
  if (location === undefined || !URL.canParse(location, answer.url))
    throw refused(answer, 'does not say where an upload goes');
  const next = new URL(location, answer.url);
  if (new URL(answer.url).protocol === 'https:' && next.protocol !== 'https:') {
    throw new RegrowError(
      'upstream.redirect-refused',
      `${shownUrl(answer.url)} takes uploads at ${shownUrl(next.href)}, from https to http`,
      {
        remedy: 'have the registry say https addresses; behind a proxy it has to be told its own',
      },
    );
  }
  return next.href;
}

/** Bytes that a registry has: `Range: 0-N`, of which N is the last; `0-0` is what an upload that has none says. */
function offsetOf({ headers }: RegistryAnswer): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(headers['range'] ?? '') ?? [];
  if (last === undefined) return undefined;
  return last === '0' ? 0 : Number(last) + 1;
}

function checkOwn({ digest, size }: RegistryBlob, found: string, length: number): void {
  if (digest === found && size === length) return;
  throw new RegrowError('repository.corrupt', `the blob ${digest} in the object store is not what its digest says`, {
    remedy: 'restore the object from a backup',
  });
}

/** A stream in pieces of one size, the last one shorter or empty; `last`: nothing comes after it. */
async function* chunksOf(
  stream: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly bytes: Uint8Array; readonly last: boolean }> {
  let parts: Uint8Array[] = [];
  let held = 0;
  for await (const part of stream) {
    parts.push(part);
    held += part.length;
    while (held > size) {
      const all = Buffer.concat(parts);
      yield { bytes: all.subarray(0, size), last: false };
      parts = [all.subarray(size)];
      held -= size;
    }
  }
  yield { bytes: Buffer.concat(parts), last: true };
}
