import { X509Certificate } from 'node:crypto';
import type { Apk } from '../../../formats/apk.ts';
import { scriptletNames } from '../../../formats/package-info.ts';
import { readTar } from '../../../formats/tar-reader.ts';
import { sha256 } from '../../../model/canonical.ts';
import { serviceSupervisor } from '../../../model/image-support.ts';
import type { LaidOutImage } from '../assemble.ts';
import { linksOf, type Root, readText, resolvePath } from '../root.ts';
import type { ApkoWish } from './apko.ts';
import { installedProblem } from './installed.ts';

/** A file that apko writes itself. */
export interface OwnFile {
  readonly mode: number;
  /** Absent: it is written in some images only. */
  readonly isNeeded?: true;
  /** What is wrong with it. `isTop`: in the last layer. */
  readonly problem: (content: Buffer, isTop: boolean) => string | undefined;
}

const database = 'usr/lib/apk/db';
export const installedPath = `${database}/installed`;
const bundlePath = 'etc/ssl/certs/ca-certificates.crt';
const comment = 'Account created by apko';

/** What apko writes of a definition and its packages (apko 1.2.37, seen in what it makes), by path; what is written alike by both engines is in the root. */
export function apkoFiles(
  { root, packages }: LaidOutImage,
  { file, definition }: ApkoWish,
): ReadonlyMap<string, OwnFile> {
  const { contents, entrypoint, certificates } = file;
  const pins = packages.map(({ info }) => `${info.name}=${info.version}`);
  const services = entrypoint?.services ?? {};
  const world = [...pins, ...(Object.keys(services).length > 0 ? [serviceSupervisor.package] : [])];
  const told = [...new Set([...(contents?.repositories ?? []), ...(contents?.runtime_repositories ?? [])])];
  const extra = certificates?.additional ?? [];
  const bundle = [readText(root, bundlePath) ?? '', ...extra.map(({ content }) => content)].join('\n');
  const users = new Set(definition.users.map(({ username }) => username));
  const shadow = [...linesOf(readText(root, 'etc/shadow') ?? ''), ...[...users].map((name) => `${name}:!:::::::`)];
  const own = new Map<string, OwnFile>([
    [installedPath, needed(0o644, (content, isTop) => installedProblem(content.toString(), packages, isTop))],
    [`${database}/scripts.tar`, needed(0o644, (content) => scriptsProblem(content, packages))],
    [`${database}/triggers`, needed(0o644, sameLines(linesOf(readText(root, `${database}/triggers`) ?? '')))],
    ['etc/apk/world', needed(0o644, sameLines(world))],
    ['etc/apk/repositories', needed(0o644, sameLines(told.length === 0 ? ['# no repository'] : told))],
    ['etc/apko.json', { mode: 0o444, problem: (content) => snapshotProblem(content, file, pins) }],
    ['etc/ld.so.cache', { mode: 0o644, problem: (content) => cacheProblem(content, root) }],
    ['etc/shadow', { mode: 0o640, problem: sameLines(shadow) }],
  ]);
  const passwd = linesOf(readText(root, 'etc/passwd') ?? '').map((line) => {
    const [name = '', password, uid, gid, , ...rest] = line.split(':');
    return users.has(name) ? [name, password, uid, gid, comment, ...rest].join(':') : line;
  });
  const group = linesOf(readText(root, 'etc/group') ?? '');
  // Without accounts and without a file of a package, apko writes empty ones.
  for (const [path, lines] of [
    ['etc/passwd', passwd],
    ['etc/group', group],
  ] as const) {
    const file = { mode: root.get(path)?.mode ?? 0o644, problem: sameAccounts(lines) };
    own.set(path, root.has(path) ? { ...file, isNeeded: true } : file);
  }
  const plain = bundle.replace(/\s+/g, '');
  if (extra.length > 0 || root.has(bundlePath)) {
    const isBundle = (content: Buffer) => content.toString().replace(/\s+/g, '') === plain;
    if (extra.length > 0)
      own.set(
        bundlePath,
        needed(0o644, (content) => (isBundle(content) ? undefined : 'has other certificates')),
      );
    // Its text is the bundle's, which is looked at beside it.
    const sum = /^[0-9a-f]{64} {2}ca-certificates\.crt\n$/;
    const original = readText(root, bundlePath) ?? '';
    own.set('etc/ssl/certs/.ca-certificates.crt.sha256', {
      mode: 0o444,
      problem: (content) =>
        extra.length > 0
          ? otherUnless(sum.test(content.toString()))
          : otherUnless(content.toString() === `${sha256(Buffer.from(original))}  ca-certificates.crt\n`),
    });
  }
  for (const { name, content } of extra) {
    const hex = derDigest(content);
    const problem = (found: Buffer) => otherUnless(found.toString().trim() === content.trim());
    own.set(`usr/local/share/ca-certificates/${name}-${hex}.crt`, { mode: 0o644, problem });
  }
  for (const { name, content } of contents?.runtime_keyring ?? [])
    own.set(`etc/apk/keys/${name}`, { mode: 0o644, problem: (found) => otherUnless(found.toString() === content) });
  for (const [name, command] of Object.entries(services))
    own.set(`sv/${name}/run`, needed(0o755, sameLines(['#!/bin/execlineb', ...linesOf(command)])));
  return own;
}

function needed(mode: number, problem: OwnFile['problem']): OwnFile {
  return { mode, isNeeded: true, problem };
}

/** sha256, hex, of a certificate itself; of what is none, of its text. */
function derDigest(pem: string): string {
  try {
    return sha256(new X509Certificate(pem).raw);
  } catch {
    return sha256(Buffer.from(pem));
  }
}

function otherUnless(isSame: boolean): string | undefined {
  return isSame ? undefined : 'is not what apko writes there';
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}

function sameLines(wanted: readonly string[]): OwnFile['problem'] {
  const text = wanted.toSorted().join('\n');
  return (content) => otherUnless(linesOf(content.toString()).toSorted().join('\n') === text);
}

/** Accounts in any order; without a file of a package, apko adds no root. */
function sameAccounts(wanted: readonly string[]): OwnFile['problem'] {
  return (content) => {
    const found = linesOf(content.toString());
    const other = found.find((line) => !wanted.includes(line));
    if (other !== undefined) return `has the account ${other}`;
    const lost = wanted.find((line) => !found.includes(line) && !line.startsWith('root:'));
    return lost === undefined ? undefined : `lacks the account ${lost}`;
  };
}

function scriptsProblem(content: Buffer, packages: readonly Apk[]): string | undefined {
  const wanted = new Map<string, string>(
    packages.flatMap(({ info, checksum, scriptlets }) =>
      scriptletNames.flatMap((name) => {
        const script = scriptlets[name];
        return script === undefined ? [] : [[`${info.name}-${info.version}.${checksum}.${name}`, script] as const];
      }),
    ),
  );
  const { entries } = readTar(content);
  const other = entries.find(
    ({ path, type, content: text }) => type !== 'file' || wanted.get(path) !== text.toString(),
  );
  if (other !== undefined) return `has a script ${other.path} that is of no package`;
  return otherUnless(new Set(entries.map(({ path }) => path)).size === wanted.size && entries.length === wanted.size);
}

/** What apko tells of how it was called: every word of it is one of the definition, of the packages or of how regrow calls it. */
function snapshotProblem(content: Buffer, file: object, pins: readonly string[]): string | undefined {
  const told = new Set<unknown>(leavesOf(file));
  const calls =
    /^(?:\/input\/(?:repository|keys\/[A-Za-z0-9@._+-]+)|# no repository|\/bin\/s6-svscan \/sv|s6|\/home\/[^/]+|\d+|[a-z0-9]+(?:\/v\d)?)$/;
  let leaves: readonly unknown[];
  try {
    leaves = leavesOf(JSON.parse(content.toString()));
  } catch {
    return 'is no JSON';
  }
  const known = (leaf: unknown) => told.has(leaf) || pins.includes(String(leaf)) || calls.test(String(leaf));
  const other = leaves.find((leaf) => typeof leaf === 'string' && !known(leaf));
  return other === undefined ? undefined : `says ${JSON.stringify(other)}, which nobody told apko`;
}

function leavesOf(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [value];
  return Object.values(value).flatMap(leavesOf);
}

/** ld.so.cache of glibc 2.32 (`sysdeps/generic/dl-cache.h`): each name leads to a file of the image that is called so. */
function cacheProblem(content: Buffer, root: Root): string | undefined {
  const headerSize = 48;
  const entrySize = 24;
  if (content.toString('latin1', 0, 20) !== 'glibc-ld.so.cache1.1') return 'is no cache of ld.so';
  const count = content.length < headerSize ? 0 : content.readUInt32LE(20);
  if (headerSize + count * entrySize > content.length) return 'is cut off';
  const links = linksOf(root);
  const textAt = (at: number) => content.toString('utf8', at, Math.max(at, content.indexOf(0, at)));
  for (let i = 0; i < count; i++) {
    const at = headerSize + i * entrySize;
    const [name, path] = [textAt(content.readUInt32LE(at + 4)), textAt(content.readUInt32LE(at + 8))];
    const isThere = root.get(resolvePath(links, path, true))?.type === 'file';
    if (!isThere || path.slice(path.lastIndexOf('/') + 1) !== name) return `has ${name} lead to ${path}`;
  }
  return undefined;
}
