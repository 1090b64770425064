import { createHash } from 'node:crypto';
import type { PackageInfo } from '../model/artifact.ts';
import { gzipLargeMember, gzipMember } from './gzip.ts';
import { type ScriptletName, writePackageInfo } from './package-info.ts';
import { type TarEntry, writeTar } from './tar.ts';

export interface ApkParts {
  /** Everything of `.PKGINFO` but the datahash, which follows from the entries. */
  readonly info: Omit<PackageInfo, 'datahash'>;
  /** `.melange.yaml`: the recipe as it was built, with its resolved environment. */
  readonly configuration: string;
  readonly scriptlets: Readonly<Partial<Record<ScriptletName, string>>>;
  /** The files, parents first, in the order that they are to have. */
  readonly entries: Iterable<TarEntry>;
  /** Seconds since 1970: the modification time of everything. */
  readonly sourceDateEpoch: number;
}

export interface UnsignedApk {
  readonly info: PackageInfo;
  /** Compressed control member. */
  readonly control: Uint8Array;
  /** Compressed data member. */
  readonly data: Uint8Array;
  /** `Q1` + base64(sha1(control)): what apk knows the package by. */
  readonly checksum: string;
  /** sha256 of `data`, hex. */
  readonly datahash: string;
  /** control + data: the file without a signature. */
  readonly bytes: Uint8Array;
}

/** The PAX record that apk reads a file's hash from: sha1 of the content, of a symlink's target. */
export const fileChecksumKey = 'APK-TOOLS.checksum.SHA1';

function withChecksum(entry: TarEntry): TarEntry {
  if (entry.type === 'directory' || entry.type === 'hardlink') return entry;
  const hashed = entry.type === 'symlink' ? Buffer.from(entry.link ?? '', 'utf8') : (entry.content ?? Buffer.alloc(0));
  return { ...entry, pax: { ...entry.pax, [fileChecksumKey]: createHash('sha1').update(hashed).digest('hex') } };
}

function* checksummed(entries: Iterable<TarEntry>): Generator<TarEntry> {
  for (const entry of entries) yield withChecksum(entry);
}

/** `Q1…` of a compressed control member. */
export function controlChecksum(control: Uint8Array): string {
  return `Q1${createHash('sha1').update(control).digest('base64')}`;
}

/**
 * An apk v2 package without its signature: a control member whose tar is left open (apk-tools reads the members as one
 * tar) and a data member whose tar ends with exactly two zero blocks. `.PKGINFO` is the first control file, the rest
 * follows by name. Same parts, same bytes. Errors: package.malformed when `.PKGINFO` cannot hold a value.
 */
export async function assembleApk(parts: ApkParts): Promise<UnsignedApk> {
  const mtime = parts.sourceDateEpoch;
  const data = await gzipLargeMember(writeTar(checksummed(parts.entries), { mtime, end: true }));
  const datahash = createHash('sha256').update(data).digest('hex');
  const info: PackageInfo = { ...parts.info, datahash };
  const files = new Map<string, TarEntry>();
  const put = (path: string, mode: number, text: string): void => {
    files.set(path, { path, type: 'file', mode, content: Buffer.from(text, 'utf8') });
  };
  put('.PKGINFO', 0o644, writePackageInfo(info));
  put('.melange.yaml', 0o644, parts.configuration);
  for (const [name, script] of Object.entries(parts.scriptlets))
    if (script !== undefined) put(`.${name}`, 0o755, script);
  const entries = [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  const control = gzipMember(writeTar(entries, { mtime, end: false }));
  return { info, control, data, checksum: controlChecksum(control), datahash, bytes: Buffer.concat([control, data]) };
}
