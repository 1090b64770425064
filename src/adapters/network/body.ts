import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { RegrowError } from '../../errors.ts';

/** What is sent as Accept-Encoding: what `readBody` can undo. */
export const encodings = 'gzip, deflate, br';

/**
 * A body, unpacked where it was packed for the way. It is dropped as soon as it is longer than `limit` bytes, packed or unpacked, so
 * a small answer that unpacks to gigabytes costs no more than the limit. Throws upstream.too-large, upstream.answer-invalid.
 */
export async function readBody(url: string, answer: Dispatcher.ResponseData, limit: number): Promise<Uint8Array> {
  if (Number(answer.headers['content-length'] ?? 0) > limit) {
    await answer.body.dump({ limit: 0 });
    throw tooLarge(url, limit);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of unpacked(url, answer) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    // Leaving the loop by a throw destroys the streams, so the rest is neither downloaded nor unpacked.
    if (size > limit) throw tooLarge(url, limit);
    chunks.push(chunk);
  }
  return chunks.length === 0 ? new Uint8Array() : Buffer.concat(chunks);
}

function unpacked(url: string, { body, headers, statusCode }: Dispatcher.ResponseData): Readable {
  const encoding = String(headers['content-encoding'] ?? 'identity')
    .trim()
    .toLowerCase();
  if (encoding === 'identity' || encoding === '' || statusCode === 204 || statusCode === 304) return body;
  const unpack = unpackers[encoding];
  if (unpack === undefined) {
    body.on('error', () => {}).destroy();
    throw new RegrowError(
      'upstream.answer-invalid',
      `${url} answers in an encoding that was not asked for: ${encoding}`,
    );
  }
  // An error of either stream comes out of the second one.
  return pipeline(body, unpack(), () => {});
}

const unpackers: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

function tooLarge(url: string, limit: number): RegrowError {
  return new RegrowError('upstream.too-large', `${url} is larger than ${limit} bytes`, {
    remedy: 'raise the limit in the configuration where the size is right',
  });
}
