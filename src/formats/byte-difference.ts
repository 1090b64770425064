/** How much of each side is shown: characters of a line, bytes of what is no text. */
const lineShown = 96;
const bytesShown = 16;
/** Larger than this, a file is compared as bytes: as text nobody reads it. */
const largestText = 4 * 1024 * 1024;

/** Where two contents part, for people. */
export interface ByteDifference {
  /** Of the first byte that differs, from 0. */
  readonly offset: number;
  /** `in line 3: “a” and “b”`, or `in 2 of 80 bytes, first at byte 64 (0x40): 61 “a” and 62 “b”`. */
  readonly text: string;
}

function firstDifference(first: Uint8Array, second: Uint8Array): number | undefined {
  const shared = Math.min(first.length, second.length);
  for (let at = 0; at < shared; at += 1) if (first[at] !== second[at]) return at;
  return first.length === second.length ? undefined : shared;
}

/** The text of a file that is one: UTF-8 without NUL. */
function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.length > largestText || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A line of a text, by its number from 0; a long one around a column. */
function shownLine(text: string, number: number, column: number): string {
  const line = text.split('\n')[number];
  if (line === undefined) return 'nothing';
  const start = line.length <= lineShown ? 0 : Math.max(0, Math.min(column - lineShown / 3, line.length - lineShown));
  const from = Math.floor(start);
  const end = from + lineShown;
  return `${from > 0 ? '…' : ''}“${line.slice(from, end)}”${end < line.length ? '…' : ''}`;
}

function hexAt(bytes: Uint8Array, offset: number): string {
  const part = bytes.subarray(offset, offset + bytesShown);
  if (part.length === 0) return 'nothing';
  const hex = [...part].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const readable = [...part].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
  return `${hex} “${readable}”`;
}

function sizes(first: Uint8Array, second: Uint8Array): string {
  if (first.length !== second.length) return `in ${first.length} and ${second.length} bytes, first`;
  let count = 0;
  for (let at = 0; at < first.length; at += 1) if (first[at] !== second[at]) count += 1;
  return `in ${count} of ${first.length} bytes, first`;
}

/** Where two contents part, with what stands there on each side; undefined where they are the same. */
export function describeBytes(first: Uint8Array, second: Uint8Array): ByteDifference | undefined {
  const offset = firstDifference(first, second);
  if (offset === undefined) return undefined;
  const [one, other] = [textOf(first), textOf(second)];
  if (one !== undefined && other !== undefined) {
    let line = 0;
    let start = 0;
    for (let at = 0; at < offset; at += 1) {
      if (first[at] !== 0x0a) continue;
      line += 1;
      start = at + 1;
    }
    // Characters, not bytes: what is shown is text.
    const column = Buffer.from(first.buffer, first.byteOffset + start, offset - start).toString('utf8').length;
    // Where one of them ends with the line, it is the next one that only the other has.
    if (one.split('\n')[line] === other.split('\n')[line]) line += 1;
    const sides = `${shownLine(one, line, column)} and ${shownLine(other, line, column)}`;
    return { offset, text: `in line ${line + 1}: ${sides}` };
  }
  const place = `at byte ${offset} (0x${offset.toString(16)})`;
  return { offset, text: `${sizes(first, second)} ${place}: ${hexAt(first, offset)} and ${hexAt(second, offset)}` };
}
