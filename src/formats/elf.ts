/** What packaging wants to know of an ELF file (System V ABI, chapters 4 and 5). */
export interface ElfFile {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** `e_machine`, and its apk architecture where there is one. */
  readonly machine: number;
  readonly arch: string | undefined;
  readonly type: 'relocatable' | 'executable' | 'shared' | 'core' | 'other';
  /** PT_INTERP: the loader that starts it. */
  readonly interpreter: string | undefined;
  /** DT_NEEDED, in the file's order. */
  readonly needed: readonly string[];
  /** DT_SONAME */
  readonly soname: string | undefined;
  /** DT_RUNPATH, or DT_RPATH where there is none. */
  readonly runpath: string | undefined;
  /** Runs without a loader and without any shared library. */
  readonly isStatic: boolean;
}

/** A reader over the file that knows word size and byte order; a read beyond the end throws RangeError. */
interface Words {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  half(offset: number): number;
  word(offset: number): number;
  /** 4 or 8 bytes by the file's class. */
  address(offset: number): number;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

const segmentTypes = { load: 1, dynamic: 2, interpreter: 3 } as const;
const dynamicTags = { end: 0, needed: 1, stringTable: 5, stringSize: 10, soname: 14, rpath: 15, runpath: 29 } as const;
const fileTypes = ['other', 'relocatable', 'executable', 'shared', 'core'] as const;
/** e_machine numbers of the architectures that apk knows; the ABI of each registers them. */
const machines: Readonly<Record<number, (bits: 32 | 64, littleEndian: boolean) => string | undefined>> = {
  3: () => 'i386',
  21: (_, littleEndian) => (littleEndian ? 'ppc64le' : undefined),
  22: (bits) => (bits === 64 ? 's390x' : undefined),
  40: () => 'armv7',
  62: (bits) => (bits === 64 ? 'x86_64' : undefined),
  183: () => 'aarch64',
  243: (bits) => (bits === 64 ? 'riscv64' : undefined),
};
/** More dynamic entries than any real file has: a bound for files that were made to stall a reader. */
const dynamicLimit = 65_536;
/** Characters of all needed names together: entries may point into one string, so that a small file would become gigabytes of names. */
const neededLimit = 65_536;
/** Longest library name or path, PATH_MAX. */
const stringLimit = 4_096;

function words(bytes: Uint8Array): Words | undefined {
  if (bytes.length < 20 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46)
    return undefined;
  const [classByte, dataByte] = [bytes[4], bytes[5]];
  if ((classByte !== 1 && classByte !== 2) || (dataByte !== 1 && dataByte !== 2)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = classByte === 1 ? 32 : 64;
  const littleEndian = dataByte === 1;
  return {
    bits,
    littleEndian,
    half: (offset) => view.getUint16(offset, littleEndian),
    word: (offset) => view.getUint32(offset, littleEndian),
    address: (offset) =>
      bits === 32 ? view.getUint32(offset, littleEndian) : Number(view.getBigUint64(offset, littleEndian)),
  };
}

function readSegments(file: Words): Segment[] {
  const wide = file.bits === 64;
  const start = file.address(wide ? 32 : 28);
  const size = file.half(wide ? 54 : 42);
  const count = file.half(wide ? 56 : 44);
  const segments: Segment[] = [];
  for (let i = 0; i < count; i += 1) {
    const at = start + i * size;
    segments.push({
      type: file.word(at),
      offset: file.address(at + (wide ? 8 : 4)),
      address: file.address(at + (wide ? 16 : 8)),
      fileSize: file.address(at + (wide ? 32 : 16)),
    });
  }
  return segments;
}

/** A NUL-ended string that lies wholly within `[offset, end)`. */
function stringAt(bytes: Uint8Array, offset: number, end: number): string {
  const limit = Math.min(end, bytes.length, offset + stringLimit);
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= limit)
    throw new RangeError('string outside of its table');
  const rest = Buffer.from(bytes.buffer, bytes.byteOffset + offset, limit - offset);
  const nul = rest.indexOf(0);
  if (nul < 0) throw new RangeError('string without an end');
  return rest.toString('utf8', 0, nul);
}

type DynamicEntries = readonly { readonly tag: number; readonly value: number }[];

function readDynamic(file: Words, segment: Segment): DynamicEntries {
  const width = file.bits / 8;
  const count = Math.min(Math.floor(segment.fileSize / (2 * width)), dynamicLimit);
  const entries: { tag: number; value: number }[] = [];
  for (let i = 0; i < count; i += 1) {
    const at = segment.offset + i * 2 * width;
    const tag = file.address(at);
    if (tag === dynamicTags.end) break;
    entries.push({ tag, value: file.address(at + width) });
  }
  return entries;
}

/** Where an address of the running program is in the file. */
function fileOffset(segments: readonly Segment[], address: number): number {
  for (const { type, offset, address: start, fileSize } of segments) {
    if (type === segmentTypes.load && address >= start && address < start + fileSize) return offset + address - start;
  }
  throw new RangeError('address in no segment');
}

function readStrings(
  bytes: Uint8Array,
  segments: readonly Segment[],
  dynamic: DynamicEntries,
): Pick<ElfFile, 'needed' | 'soname' | 'runpath'> {
  const value = (tag: number): number | undefined => dynamic.find((entry) => entry.tag === tag)?.value;
  const table = value(dynamicTags.stringTable);
  if (table === undefined) return { needed: [], soname: undefined, runpath: undefined };
  const start = fileOffset(segments, table);
  const end = start + (value(dynamicTags.stringSize) ?? 0);
  const text = (offset: number): string => stringAt(bytes, start + offset, end);
  const needed: string[] = [];
  let size = 0;
  for (const { tag, value: offset } of dynamic) {
    if (tag !== dynamicTags.needed) continue;
    const name = text(offset);
    size += name.length;
    if (size > neededLimit) throw new RangeError('more names than any loader would look for');
    needed.push(name);
  }
  const optional = (offset: number | undefined): string | undefined =>
    offset === undefined ? undefined : text(offset);
  return {
    needed,
    soname: optional(value(dynamicTags.soname)),
    runpath: optional(value(dynamicTags.runpath) ?? value(dynamicTags.rpath)),
  };
}

/**
 * Reads an ELF file, 32 or 64 bit, either byte order. Undefined when `bytes` is no ELF file or one that is cut off or
 * inconsistent: no loader would take it, so for packaging it is a plain file. No read leaves `bytes`.
 */
export function readElf(bytes: Uint8Array): ElfFile | undefined {
  const file = words(bytes);
  if (file === undefined) return undefined;
  try {
    const segments = readSegments(file);
    const machine = file.half(18);
    const interp = segments.find((segment) => segment.type === segmentTypes.interpreter && segment.fileSize > 0);
    const interpreter =
      interp === undefined ? undefined : stringAt(bytes, interp.offset, interp.offset + interp.fileSize);
    const dynamicSegment = segments.find((segment) => segment.type === segmentTypes.dynamic);
    const strings = readStrings(bytes, segments, dynamicSegment === undefined ? [] : readDynamic(file, dynamicSegment));
    const type = fileTypes[file.half(16)] ?? 'other';
    return {
      bits: file.bits,
      littleEndian: file.littleEndian,
      machine,
      arch: machines[machine]?.(file.bits, file.littleEndian),
      type,
      interpreter,
      ...strings,
      isStatic:
        (type === 'executable' || type === 'shared') &&
        interpreter === undefined &&
        strings.needed.length === 0 &&
        strings.soname === undefined,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
