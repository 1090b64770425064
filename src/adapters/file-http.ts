import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../ports/http.ts';

const defaultLimit = 16 * 1024 * 1024;

/**
 * An Http that also answers `file:` addresses, for what the configuration names (a feed kept as a file). Never give it
 * addresses from recipes or from answers: they could name any file of the machine.
 */
export function withFiles(http: Http): Http {
  return {
    request: (request) => (request.url.startsWith('file:') ? readFileUrl(request) : http.request(request)),
  };
}

async function readFileUrl(request: HttpRequest): Promise<HttpAnswer> {
  const path = fileURLToPath(request.url);
  const limit = request.limit ?? defaultLimit;
  try {
    const { size, mtimeMs } = await stat(path);
    const etag = `"${size.toString(16)}-${Math.trunc(mtimeMs).toString(16)}"`;
    if (request.etag === etag) return { status: 304, headers: { etag }, body: new Uint8Array() };
    if (size > limit) throw new RegrowError('upstream.too-large', `${path} is larger than ${limit} bytes`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of createReadStream(path, request.signal ? { signal: request.signal } : {})) {
      chunks.push(chunk as Uint8Array);
    }
    return { status: 200, headers: { etag }, body: Buffer.concat(chunks) };
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') {
      return { status: 404, headers: {}, body: new Uint8Array() };
    }
    throw toRegrowError(thrown, { file: path });
  }
}
