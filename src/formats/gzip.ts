import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, crc32, createGunzip, gzip, gzipSync, inflateRawSync } from 'node:zlib';
import { RegrowError, toRegrowError } from '../errors.ts';

/** Part of the bytes of every package: a change of it is a change of every datahash. */
const options = { level: 6, memLevel: 8, windowBits: 15, strategy: constants.Z_DEFAULT_STRATEGY };
const gzipAsync = promisify<Uint8Array, typeof options, Buffer>(gzip);
const headerSize = 10;
const trailerSize = 8;
/** Bytes that one member may unpack to: more is taken for a bomb. */
const defaultLimit = 2 ** 31 - 1;

/** Makes the header say nothing of the machine: no time, no extra flags, operating system unknown (RFC 1952 §2.3.1). */
function neutral(member: Buffer): Buffer {
  member.fill(0, 4, 9);
  member[9] = 255;
  return member;
}

/** One gzip member with a fixed header. The same bytes and the same zlib give the same member. */
export function gzipMember(bytes: Uint8Array): Buffer {
  return neutral(gzipSync(bytes, options));
}

/** `gzipMember` off the main thread, for what is large; byte for byte the same. */
export async function gzipLargeMember(bytes: Uint8Array): Promise<Buffer> {
  return neutral(await gzipAsync(bytes, options));
}

export interface GzipMember {
  /** The member as it is stored, header and trailer included. */
  readonly compressed: Uint8Array;
  readonly content: Buffer;
}

function malformed(what: string, cause?: unknown): RegrowError {
  return new RegrowError('package.malformed', `not a readable gzip member: ${what}`, { cause });
}

/** Where the compressed data begins: the header has optional fields (RFC 1952 §2.3). */
function dataStart(bytes: Buffer): number {
  if (bytes.length < headerSize + trailerSize) throw malformed('it is cut off');
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) throw malformed('it has no gzip header');
  const flags = bytes[3] ?? 0;
  let at = headerSize;
  if ((flags & 4) !== 0) at += 2 + (at + 2 <= bytes.length ? bytes.readUInt16LE(at) : 0);
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const nul = bytes.indexOf(0, at);
    if (nul < 0) throw malformed('a header field has no end');
    at = nul + 1;
  }
  if ((flags & 2) !== 0) at += 2;
  return at;
}

/**
 * Unpacks the one member that starts at `offset`; what follows it is not looked at. `limit` is in bytes of content.
 * Errors: package.malformed.
 */
export function readGzipMember(bytes: Uint8Array, offset = 0, limit = defaultLimit): GzipMember {
  const member = Buffer.from(bytes.buffer, bytes.byteOffset + offset, bytes.byteLength - offset);
  const start = dataStart(member);
  let content: Buffer;
  let consumed: number;
  try {
    // With `info`, Node gives the engine too: it knows how much input the deflate stream took. @types/node does not say so.
    const inflated: unknown = inflateRawSync(member.subarray(start), { maxOutputLength: limit, info: true });
    ({ content, consumed } = inflation(inflated));
  } catch (error) {
    throw malformed('its data does not unpack', error);
  }
  const end = start + consumed;
  if (end + trailerSize > member.length) throw malformed('it has no trailer');
  if (member.readUInt32LE(end) !== crc32(content)) throw malformed('its checksum does not match');
  if (member.readUInt32LE(end + 4) !== content.length % 2 ** 32) throw malformed('its length does not match');
  return { compressed: member.subarray(0, end + trailerSize), content };
}

function inflation(value: unknown): { content: Buffer; consumed: number } {
  if (typeof value === 'object' && value !== null && 'buffer' in value && 'engine' in value) {
    const { buffer, engine } = value;
    if (Buffer.isBuffer(buffer) && typeof engine === 'object' && engine !== null && 'bytesWritten' in engine) {
      return { content: buffer, consumed: Number(engine.bytesWritten) };
    }
  }
  throw new TypeError('zlib did not say how much it read');
}

/**
 * sha256, hex, of what a stream of gzip members unpacks to; nothing is held. `limit` is in bytes of content. Errors:
 * package.malformed, and what the stream throws.
 */
export async function unpackedDigest(packed: AsyncIterable<Uint8Array>, limit: number): Promise<string> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    await pipeline(Readable.from(packed, { objectMode: false }), createGunzip(), async (content) => {
      for await (const chunk of content as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > limit) throw malformed(`it unpacks to more than ${limit} bytes`);
        hash.update(chunk);
      }
    });
  } catch (thrown) {
    const isZlib = thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('Z_');
    throw isZlib ? malformed('its data does not unpack', thrown) : toRegrowError(thrown);
  }
  return hash.digest('hex');
}
