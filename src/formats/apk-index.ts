import { RegrowError, reportError } from '../errors.ts';
import { compareApkVersions } from '../model/apk-version.ts';
import type { Artifact, PackageInfo } from '../model/artifact.ts';
import type { Signer } from '../ports/signer.ts';
import { gzipLargeMember, readGzipMember } from './gzip.ts';
import {
  type PublicKey,
  readSignatures,
  type Signature,
  signatureMember,
  verifySignatures,
} from './signature-member.ts';
import { writeTar } from './tar.ts';
import { readTar } from './tar-reader.ts';

/** What an index says of one package; an index knows no replaces, triggers or datahash. */
export interface IndexEntry {
  readonly info: Omit<PackageInfo, 'replaces' | 'replacesPriority' | 'triggers' | 'datahash'>;
  readonly checksum: string;
  /** Bytes of the package file. */
  readonly bytes: number;
}

export interface ApkIndex {
  readonly description: string;
  readonly entries: readonly IndexEntry[];
  readonly signatures: readonly Signature[];
}

/** By name (bytewise), then by version in apk's order. */
export function compareArtifacts(
  a: { readonly info: IndexEntry['info'] },
  b: { readonly info: IndexEntry['info'] },
): number {
  if (a.info.name !== b.info.name) return a.info.name < b.info.name ? -1 : 1;
  return compareApkVersions(a.info.version, b.info.version);
}

/**
 * One entry in apk's text form. Field order as melange writes it; `r:`, `q:` and `i:` are never written (melange's own
 * `i:` cannot be read by apk-tools). `S:` counts the published, signed file.
 */
export function indexEntryText({ info, checksum, bytes }: IndexEntry): string {
  const lines = [
    `C:${checksum}`,
    `P:${info.name}`,
    `V:${info.version}`,
    `A:${info.arch}`,
    `S:${bytes}`,
    `I:${info.size}`,
  ];
  lines.push(`T:${info.description.replace(/\s+/g, ' ').trim()}`);
  if (info.url !== '') lines.push(`U:${info.url}`);
  if (info.licenses.length > 0) lines.push(`L:${info.licenses.join(' AND ')}`);
  if (info.origin !== '') lines.push(`o:${info.origin}`);
  lines.push(`t:${info.buildDate}`);
  if (info.commit !== '') lines.push(`c:${info.commit}`);
  if (info.depends.length > 0) lines.push(`D:${info.depends.join(' ')}`);
  if (info.provides.length > 0) lines.push(`p:${info.provides.join(' ')}`);
  if (info.providerPriority !== undefined) lines.push(`k:${info.providerPriority}`);
  return `${lines.join('\n')}\n\n`;
}

/**
 * An unsigned `APKINDEX.tar.gz`: one member, sorted by name and version whatever order the artifacts come in. `textOf` gives
 * the text of an entry, where the caller has it already.
 */
export async function writeIndex(
  artifacts: readonly Artifact[],
  description: string,
  textOf: (artifact: Artifact) => string = indexEntryText,
): Promise<Uint8Array> {
  const text = artifacts.toSorted(compareArtifacts).map(textOf).join('');
  const file = (path: string, content: string) => ({
    path,
    type: 'file' as const,
    mode: 0o644,
    content: Buffer.from(content, 'utf8'),
  });
  const entries = [file('APKINDEX', text), file('DESCRIPTION', description)];
  return gzipLargeMember(writeTar(entries, { mtime: 0, end: true }));
}

/** Puts signatures of a signer and of its older keys over the whole compressed index in front of it. `sourceDateEpoch` is in seconds. */
export function signIndex(index: Uint8Array, signer: Signer, sourceDateEpoch: number): Uint8Array {
  return Buffer.concat([signatureMember(index, indexSigners(signer), sourceDateEpoch), index]);
}

/** Who signs an index, in the order of the signatures. */
export function indexSigners(signer: Signer): readonly Signer[] {
  return [signer, ...(signer.older ?? [])];
}

function malformed(what: string): RegrowError {
  return new RegrowError('package.malformed', `not a readable APKINDEX: ${what}`, { file: 'APKINDEX.tar.gz' });
}

function parseEntry(paragraph: string): IndexEntry {
  const fields = new Map(paragraph.split('\n').map((line) => [line.slice(0, 2), line.slice(2)]));
  const needed = (key: string): string => {
    const value = fields.get(key);
    if (value === undefined || value === '')
      throw malformed(`an entry has no ${key} (${fields.get('P:') ?? 'no name'})`);
    return value;
  };
  const count = (key: string): number => {
    const value = fields.get(key) ?? '0';
    if (!/^\d{1,15}$/.test(value)) throw malformed(`${key}${value} of ${needed('P:')} is no number`);
    return Number(value);
  };
  const words = (key: string): string[] => (fields.get(key) ?? '').split(' ').filter((word) => word !== '');
  const license = fields.get('L:') ?? '';
  return {
    checksum: needed('C:'),
    bytes: count('S:'),
    info: {
      name: needed('P:'),
      version: needed('V:'),
      arch: fields.get('A:') ?? '',
      size: count('I:'),
      origin: fields.get('o:') ?? needed('P:'),
      description: fields.get('T:') ?? '',
      url: fields.get('U:') ?? '',
      commit: fields.get('c:') ?? '',
      buildDate: count('t:'),
      licenses: license === '' ? [] : [license],
      depends: words('D:'),
      provides: words('p:'),
      ...(fields.has('k:') ? { providerPriority: count('k:') } : {}),
    },
  };
}

/** An index without its signatures, and those; none are judged. Errors: package.malformed. */
export function splitIndex(bytes: Uint8Array): {
  readonly index: Uint8Array;
  readonly signatures: readonly Signature[];
} {
  const first = readGzipMember(bytes);
  const signatures = readSignatures(readTar(first.content));
  if (signatures === undefined) return { index: bytes, signatures: [] };
  return { index: bytes.subarray(first.compressed.length), signatures };
}

/** What an index holds, its entries as text; signatures are not judged here. Errors: package.malformed. */
export function unpackIndex(bytes: Uint8Array): Omit<ApkIndex, 'entries'> & { readonly text: string } {
  const { index, signatures } = splitIndex(bytes);
  const member = readGzipMember(index);
  if (member.compressed.length !== index.length) throw malformed('there are bytes after it');
  const files = new Map(
    readTar(member.content).entries.map((entry) => [entry.path, Buffer.from(entry.content).toString('utf8')]),
  );
  const text = files.get('APKINDEX');
  if (text === undefined) throw malformed('there is no APKINDEX in it');
  return { description: files.get('DESCRIPTION') ?? '', text, signatures };
}

/** The entries in the text of an index. Errors: package.malformed. */
export function readIndexEntries(text: string): readonly IndexEntry[] {
  return text
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== '')
    .map(parseEntry);
}

/** Bytes of one line: apk-tools reads through a buffer of 128 KiB, and of an index with a longer line it takes nothing at all. */
const lineLimit = 120 * 1024;

/**
 * What keeps a package out of an index, where it would say something else of another package or stop everybody from reading the
 * rest; undefined where nothing does. `text`: its entry, where the caller has it already.
 */
export function entryProblem(entry: IndexEntry, text: string = indexEntryText(entry)): string | undefined {
  const { name, version } = entry.info;
  const long = text.length > lineLimit / 4 && text.split('\n').find((line) => Buffer.byteLength(line) > lineLimit);
  if (long)
    return `its ${long.slice(0, 2)} line in the index would have ${Buffer.byteLength(long)} bytes, and apk reads ${lineLimit}`;
  try {
    const [read, ...others] = readIndexEntries(text);
    const isWhole = read?.checksum === entry.checksum && read.info.name === name && read.info.version === version;
    return isWhole && others.length === 0 ? undefined : 'the index cannot say what it is';
  } catch (thrown) {
    return reportError(thrown).message;
  }
}

/** Reads a signed or unsigned index; signatures are not judged here. Errors: package.malformed. */
export function readIndex(bytes: Uint8Array): ApkIndex {
  const { text, ...others } = unpackIndex(bytes);
  return { ...others, entries: readIndexEntries(text) };
}

/** The name of the key of `keys` that signed an index. Errors: package.malformed, package.signature-invalid. */
export function verifyIndexSignature(bytes: Uint8Array, keys: readonly PublicKey[]): string {
  const { index, signatures } = splitIndex(bytes);
  return verifySignatures('APKINDEX.tar.gz', index, signatures, keys);
}
