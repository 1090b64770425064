import { createHash } from 'node:crypto';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { PackageInfo } from '../model/artifact.ts';
import { sha256 } from '../model/canonical.ts';
import type { Signer } from '../ports/signer.ts';
import type { UnpackEntry } from '../ports/workspace.ts';
import { controlChecksum, fileChecksumKey } from './apk-assembly.ts';
import { type GzipMember, readGzipMember } from './gzip.ts';
import { parsePackageInfo, type ScriptletName, scriptletNames } from './package-info.ts';
import {
  type PublicKey,
  readSignatures,
  type Signature,
  signatureMember,
  verifySignatures,
} from './signature-member.ts';
import { readTar, type TarContents, type TarReadEntry } from './tar-reader.ts';

/** A file of a package; `path` is relative to the root it is installed in. */
export interface ApkEntry extends UnpackEntry {
  readonly content: Uint8Array;
  /** Names of its extended attributes, `security.capability`; absent where it has none. */
  readonly xattrs?: readonly string[];
}

export interface Apk {
  readonly info: PackageInfo;
  readonly signatures: readonly Signature[];
  /** `.melange.yaml`, where there is one. */
  readonly configuration: string | undefined;
  readonly scriptlets: Readonly<Partial<Record<ScriptletName, string>>>;
  /** Compressed members as stored. */
  readonly control: Uint8Array;
  readonly data: Uint8Array;
  /** `Q1` + base64(sha1(control)). */
  readonly checksum: string;
  /** sha256 of the whole file, signature included, as lower-case hex. */
  digest(): string;
  /** Unpacks the data member; every file's and symlink's recorded sha1 is checked. Errors: package.malformed. */
  entries(): readonly ApkEntry[];
}

function malformed(what: string, info?: PackageInfo): RegrowError {
  const subject = info === undefined ? 'not an apk package' : `package ${info.name} ${info.version}`;
  return new RegrowError('package.malformed', `${subject}: ${what}`, info === undefined ? {} : { package: info.name });
}

/** Runs a reader of one member so that its error says which member, and of which package. */
function within<T>(member: string, info: PackageInfo | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code, message } = toRegrowError(error);
    if (code !== 'package.malformed') throw error;
    throw malformed(`${member}: ${message}`, info);
  }
}

/** Bytes that signatures or the control files may unpack to: a recipe and its scripts, read by everyone who only looks at a package. */
const controlLimit = 32 * 1024 * 1024;
/** The PAX records that apk makes extended attributes of. */
const xattrPrefix = 'SCHILY.xattr.';

function readMember(member: string, bytes: Uint8Array, offset: number): GzipMember & { readonly tar: TarContents } {
  return within(member, undefined, () => {
    const unpacked = readGzipMember(bytes, offset, controlLimit);
    const tar = readTar(unpacked.content);
    const paths = tar.entries.map(({ path }) => path);
    const twice = paths.find((path, i) => paths.indexOf(path) !== i);
    if (twice !== undefined) throw malformed(`it has ${twice} twice`);
    return { ...unpacked, tar };
  });
}

function unsafePath(path: string): boolean {
  return path === '' || path.startsWith('/') || path.includes('\0') || path.split('/').some((part) => part === '..');
}

function checkEntry(entry: TarReadEntry, info: PackageInfo): ApkEntry {
  if (unsafePath(entry.path)) throw malformed(`its file ${JSON.stringify(entry.path)} leaves the root`, info);
  if (entry.type === 'hardlink' && unsafePath(entry.link ?? '')) {
    throw malformed(`its hard link ${entry.path} leads out of the root`, info);
  }
  if (entry.type === 'file' || entry.type === 'symlink') {
    const hashed = entry.type === 'file' ? entry.content : Buffer.from(entry.link ?? '', 'utf8');
    const expected = entry.pax[fileChecksumKey];
    if (expected === undefined) throw malformed(`its file ${entry.path} has no recorded sha1`, info);
    if (createHash('sha1').update(hashed).digest('hex') !== expected) {
      throw malformed(`its file ${entry.path} is not what its recorded sha1 says`, info);
    }
  }
  const { path, type, mode, link, content, pax } = entry;
  const xattrs = Object.keys(pax).flatMap((key) =>
    key.startsWith(xattrPrefix) ? [key.slice(xattrPrefix.length)] : [],
  );
  return {
    path,
    type,
    mode,
    content,
    ...(link === undefined ? {} : { link }),
    ...(xattrs.length === 0 ? {} : { xattrs }),
  };
}

function readData(data: Uint8Array, info: PackageInfo): readonly ApkEntry[] {
  const contents = within('data member', info, () => {
    const member = readGzipMember(data);
    if (member.compressed.length !== data.length) throw malformed('there are bytes after it');
    return readTar(member.content);
  });
  if (contents.endBlocks !== 2)
    throw malformed(`its data tar ends with ${contents.endBlocks} zero blocks, not 2`, info);
  return contents.entries.map((entry) => checkEntry(entry, info));
}

/**
 * Takes a package file apart: an optional signature member, the control member, the data member. Checked at once: that each
 * is one gzip member, that control is an open tar with `.PKGINFO` first, that the data member has the datahash that
 * `.PKGINFO` says. The data is unpacked, and checked, when `entries` is called. Signatures are not judged here: see
 * `verifyApkSignature`. Errors: package.malformed.
 */
export function readApk(bytes: Uint8Array): Apk {
  const first = readMember('first member', bytes, 0);
  const signatures = readSignatures(first.tar);
  const offset = signatures === undefined ? 0 : first.compressed.length;
  const control = signatures === undefined ? first : readMember('control member', bytes, offset);
  if (first.tar.endBlocks > 0 || control.tar.endBlocks > 0) throw malformed('its control tar has end blocks');
  const [infoFile, ...others] = control.tar.entries;
  if (infoFile === undefined || infoFile.path !== '.PKGINFO')
    throw malformed('its control does not start with .PKGINFO');
  const info = parsePackageInfo(Buffer.from(infoFile.content).toString('utf8'));
  const data = bytes.subarray(offset + control.compressed.length);
  if (createHash('sha256').update(data).digest('hex') !== info.datahash) {
    throw malformed('its data is not what the datahash in .PKGINFO says', info);
  }
  const texts = new Map(others.map((entry) => [entry.path, Buffer.from(entry.content).toString('utf8')]));
  const scriptlets: Partial<Record<ScriptletName, string>> = {};
  for (const name of scriptletNames) {
    const script = texts.get(`.${name}`);
    if (script !== undefined) scriptlets[name] = script;
  }
  let unpacked: readonly ApkEntry[] | undefined;
  return {
    info,
    signatures: signatures ?? [],
    configuration: texts.get('.melange.yaml'),
    scriptlets,
    control: control.compressed,
    data,
    checksum: controlChecksum(control.compressed),
    digest: () => sha256(bytes),
    entries(): readonly ApkEntry[] {
      unpacked ??= readData(data, info);
      return unpacked;
    },
  };
}

/**
 * Puts a signature member in front of an unsigned package; checksum and datahash stay. `sourceDateEpoch` is in seconds.
 * Errors: package.malformed when `unsigned` is no package or is signed.
 */
export function signApk(unsigned: Uint8Array, signer: Signer, sourceDateEpoch: number): Uint8Array {
  const { control, info, signatures } = readApk(unsigned);
  if (signatures.length > 0) throw malformed('it is signed already', info);
  return Buffer.concat([signatureMember(control, [signer], sourceDateEpoch), unsigned]);
}

/** The name of the key of `keys` that signed a package. Errors: package.malformed, package.signature-invalid. */
export function verifyApkSignature(bytes: Uint8Array, keys: readonly PublicKey[]): string {
  const { control, info, signatures } = readApk(bytes);
  return verifySignatures(`package ${info.name} ${info.version}`, control, signatures, keys);
}
