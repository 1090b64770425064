import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, RegrowError } from '../errors.ts';

/** The HTTP status that stands for a code. */
export function statusOf(code: ErrorCode): number {
  switch (code) {
    case 'request.invalid':
      return 400;
    case 'request.refused':
      return 403;
    case 'request.not-found':
      return 404;
    case 'queue.unreachable':
    case 'ledger.failed':
    case 'storage.full':
    case 'storage.failed':
      return 503;
    default:
      return 500;
  }
}

export function notFound(message: string, remedy?: string): RegrowError {
  return new RegrowError('request.not-found', message, remedy === undefined ? {} : { remedy });
}

/** Whether the client has this entity already (RFC 9110 §13.1.2, weak comparison). */
function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((part) => {
    const one = part.trim();
    return one === '*' || one.replace(/^W\//, '') === etag;
  });
}

interface ByteRange {
  readonly start: number;
  /** Last byte, inclusive. */
  readonly end: number;
}

/** One range of a `Range` header (RFC 9110 §14); undefined: the whole is sent, as for several ranges or units that are not bytes. */
function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (match === null || (first === '' && last === '')) return undefined;
  if (first === '') {
    const length = Number(last);
    return length === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - length), end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}

async function* cut(body: AsyncIterable<Uint8Array>, range: ByteRange): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of body) {
    const from = Math.max(0, range.start - at);
    const to = Math.min(chunk.length, range.end + 1 - at);
    if (to > from) yield chunk.subarray(from, to);
    at += chunk.length;
    if (at > range.end) return;
  }
}

interface SendOptions {
  readonly type: string;
  /** With quotes. */
  readonly etag?: string;
  readonly cacheControl: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers GET and HEAD for an object: 200, 206, 304 or 416. The caller has found it. */
export async function sendObject(
  request: FastifyRequest,
  reply: FastifyReply,
  object: { readonly size: number; readonly body: AsyncIterable<Uint8Array> },
  options: SendOptions,
): Promise<FastifyReply> {
  reply.headers({ 'cache-control': options.cacheControl, 'accept-ranges': 'bytes', ...options.headers });
  if (options.etag !== undefined) {
    reply.header('etag', options.etag);
    if (matchesEtag(request.headers['if-none-match'], options.etag)) return reply.code(304).send();
  }
  const condition = request.headers['if-range'];
  const ranged = condition === undefined || condition === options.etag ? request.headers.range : undefined;
  const range = parseRange(ranged, object.size);
  if (range === 'unsatisfiable') {
    return reply.code(416).header('content-range', `bytes */${object.size}`).send();
  }
  reply.type(options.type);
  const length = range === undefined ? object.size : range.end - range.start + 1;
  reply.header('content-length', String(length));
  if (range !== undefined) {
    reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${object.size}`);
  }
  if (request.method === 'HEAD') return reply.send();
  return reply.send(Readable.from(range === undefined ? object.body : cut(object.body, range), { objectMode: false }));
}
