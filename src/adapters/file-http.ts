import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Http, HttpAnswer, HttpRequest } from '../ports/http.ts';

const defaultLimit = 16 * 1024 * 1024;

/**
 * An Http that also answers the `file:` addresses which the configuration names (a feed kept as a file) and those below them. Others,
 * from recipes or from answers, could name any file of the machine: they go to `http`, which refuses them.
 */
export function withFiles(http: Http, named: readonly string[]): Http {
  const files = named.flatMap((url) => (url.startsWith('file:') ? new URL(url).href : []));
  const isNamed = (text: string): boolean => {
    if (!text.startsWith('file:') || !URL.canParse(text)) return false;
    const { href } = new URL(text);
    return files.some((file) => href === file || href.startsWith(file.endsWith('/') ? file : `${file}/`));
  };
  return {
    request: (request) => (isNamed(request.url) ? readFileUrl(request) : http.request(request)),
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
