import { createHash } from 'node:crypto';
import { indexEntryText } from '../../formats/apk-index.ts';
import { scriptletNames } from '../../formats/package-info.ts';
import { type TarEntry, writeTar } from '../../formats/tar.ts';
import type { PackageInfo } from '../../model/artifact.ts';
import { parseDependency, printDependency } from '../../model/dependency.ts';
import type { ImagePackage } from './install.ts';
import { putFile, putMissing, type Root, type RootFile, sortedFiles } from './root.ts';

const database = 'usr/lib/apk/db';

export interface ApkState {
  readonly arch: string;
  readonly repositories: readonly string[];
  readonly keys: readonly { readonly name: string; readonly pem: string }[];
  /** As the definition asks for them. */
  readonly wanted: readonly string[];
}

/**
 * What apk keeps in a root: the installed database with every file and its hash, scriptlets, triggers, the world, keys and
 * repositories; so that apk and scanners read the image as one that apk made. Scriptlets are kept, never run.
 */
export function addApkState(root: Root, packages: readonly ImagePackage[], state: ApkState): void {
  const owned = filesByPackage(root);
  const installed = packages.map((one) => installedText(root, one, owned.get(one.apk.info.name) ?? [])).join('');
  const text = (path: string, content: string, mode = 0o644): void => {
    putFile(root, { path, type: 'file', mode, content: Buffer.from(content, 'utf8') });
  };
  text(`${database}/installed`, installed);
  text(`${database}/lock`, '', 0o600);
  text(`${database}/triggers`, packages.map(triggerLine).join(''));
  const scripts = writeTar(packages.flatMap(scriptletEntries), { mtime: 0, end: true });
  putFile(root, { path: `${database}/scripts.tar`, type: 'file', mode: 0o644, content: scripts });
  // apk 2 looks below /lib; where /lib is /usr/lib itself, the database is there already.
  putMissing(root, { path: 'lib/apk', type: 'symlink', mode: 0o777, link: '../usr/lib/apk' });
  text('etc/apk/arch', `${state.arch}\n`);
  text('etc/apk/repositories', lines(state.repositories));
  text('etc/apk/world', lines(worldOf(packages, state.wanted)));
  putMissing(root, { path: 'etc/apk/keys', type: 'directory', mode: 0o755 });
  for (const { name, pem } of state.keys) text(`etc/apk/keys/${name}`, pem);
}

/** Each wanted package pinned to the version that is in the image, and each `!`, sorted. */
function worldOf(packages: readonly ImagePackage[], wanted: readonly string[]): readonly string[] {
  const entries = wanted.map((text) => {
    const dependency = parseDependency(text);
    const provider = dependency.conflict ? undefined : providerOf(packages, dependency.name);
    return provider === undefined ? printDependency(dependency) : `${provider.name}=${provider.version}`;
  });
  return [...new Set(entries)].toSorted();
}

/** The set is solved: what goes by the name is what meets the wish. */
function providerOf(packages: readonly ImagePackage[], name: string): PackageInfo | undefined {
  const infos = packages.map(({ apk }) => apk.info);
  const provides = (info: PackageInfo) => info.provides.some((text) => text.split('=', 1)[0] === name);
  return infos.find((info) => info.name === name) ?? infos.find(provides);
}

/** What of the root belongs to which package, sorted once for all: there are tens of thousands of files. */
function filesByPackage(root: Root): ReadonlyMap<string, readonly RootFile[]> {
  const owned = new Map<string, RootFile[]>();
  for (const file of sortedFiles(root.values())) {
    if (file.from === undefined) continue;
    const files = owned.get(file.from);
    if (files === undefined) owned.set(file.from, [file]);
    else files.push(file);
  }
  return owned;
}

/** One package's entry: the fields of the index, what it replaces, then its directories with their files. */
function installedText(root: Root, { apk, bytes }: ImagePackage, owned: readonly RootFile[]): string {
  const { info, checksum } = apk;
  const out = [indexEntryText({ info, checksum, bytes }).trimEnd()];
  if (info.replaces.length > 0) out.push(`r:${info.replaces.join(' ')}`);
  if (info.replacesPriority !== undefined) out.push(`q:${info.replacesPriority}`);
  const directories = new Map<string, RootFile[]>();
  for (const file of owned) {
    const slash = file.path.lastIndexOf('/');
    const directory = file.type === 'directory' ? file.path : file.path.slice(0, Math.max(slash, 0));
    const files = directories.get(directory) ?? [];
    if (file.type !== 'directory') files.push(file);
    directories.set(directory, files);
  }
  for (const [directory, files] of [...directories].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    out.push(`F:${directory}`, ...rights('M', root.get(directory), 0o755));
    for (const file of files) out.push(...fileLines(root, file));
  }
  return `${out.join('\n')}\n\n`;
}

function fileLines(root: Root, file: RootFile): readonly string[] {
  const shared = file.type === 'hardlink' ? (root.get(file.link ?? '') ?? file) : file;
  const hashed = file.type === 'symlink' ? (file.link ?? '') : (shared.content ?? new Uint8Array());
  return [
    `R:${file.path.slice(file.path.lastIndexOf('/') + 1)}`,
    ...rights('a', file.type === 'symlink' ? { ...file, mode: 0o777 } : shared, 0o644),
    `Z:Q1${createHash('sha1').update(hashed).digest('base64')}`,
  ];
}

/** `M:` or `a:`, owner and mode, where they are not root's and the usual one. */
function rights(key: 'M' | 'a', file: RootFile | undefined, usual: number): readonly string[] {
  const { mode = usual, owner = { uid: 0, gid: 0 } } = file ?? {};
  const plain = mode === usual && owner.uid === 0 && owner.gid === 0;
  return plain ? [] : [`${key}:${owner.uid}:${owner.gid}:${mode.toString(8)}`];
}

function triggerLine({ apk }: ImagePackage): string {
  return apk.info.triggers.length === 0 ? '' : `${apk.checksum} ${apk.info.triggers.join(' ')}\n`;
}

function scriptletEntries({ apk }: ImagePackage): readonly TarEntry[] {
  const { info, checksum, scriptlets } = apk;
  return scriptletNames.flatMap((name) => {
    const script = scriptlets[name];
    const path = `${info.name}-${info.version}.${checksum}.${name}`;
    return script === undefined ? [] : [{ path, type: 'file' as const, mode: 0o755, content: Buffer.from(script) }];
  });
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}
