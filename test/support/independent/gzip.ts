import { crc32, inflateRawSync } from 'node:zlib';

export interface Member {
  /** As it is stored. */
  readonly compressed: Buffer;
  readonly content: Buffer;
}

/** Header of RFC 1952 without optional fields, and trailer, in bytes. */
const head = 10;
const tail = 8;

/** How many bytes of `deflated` the stream at its beginning takes: zlib says so in the engine that it gives back. */
function inflate(deflated: Buffer): { content: Buffer; taken: number } {
  const answer = inflateRawSync(deflated, { info: true }) as unknown as {
    readonly buffer: Buffer;
    readonly engine: { readonly bytesWritten: number };
  };
  return { content: answer.buffer, taken: answer.engine.bytesWritten };
}

/** Takes a file apart into its gzip members, to the last byte: whatever follows a member has to be another one. */
export function splitMembers(file: Buffer): readonly Member[] {
  const members: Member[] = [];
  for (let at = 0; at < file.length; ) {
    const magic = file.subarray(at, at + 4).toString('hex');
    if (magic !== '1f8b0800') throw new Error(`byte ${at} begins no plain gzip member: ${magic}`);
    const { content, taken } = inflate(file.subarray(at + head));
    const end = at + head + taken;
    if (file.readUInt32LE(end) !== crc32(content)) throw new Error(`the member at ${at} has a wrong checksum`);
    if (file.readUInt32LE(end + 4) !== content.length) throw new Error(`the member at ${at} has a wrong length`);
    members.push({ compressed: file.subarray(at, end + tail), content });
    at = end + tail;
  }
  return members;
}
