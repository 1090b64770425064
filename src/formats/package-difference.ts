import type { Difference } from '../model/difference.ts';
import { readApk } from './apk.ts';
import { fileChecksumKey } from './apk-assembly.ts';
import { describeBytes } from './byte-difference.ts';
import { readGzipMember } from './gzip.ts';
import { readTar, type TarReadEntry } from './tar-reader.ts';

/** What the two packages are called: `the first build` and `the second build`. */
export interface Sides {
  readonly first: string;
  readonly second: string;
}

type Found = Omit<Difference, 'package'>;

/**
 * Everything in which two packages differ: what their data and control members hold, file by file. Signatures do not count,
 * nor does what only follows from something that is named (`datahash`, a file's recorded sha1). Empty exactly where control
 * and data are the same bytes. Errors: package.malformed.
 */
export function comparePackages(name: string, first: Uint8Array, second: Uint8Array, sides: Sides): Difference[] {
  const [a, b] = [readApk(first), readApk(second)];
  const data = compareMembers('data', a.data, b.data, sides, []);
  const control = compareMembers('control', a.control, b.control, sides, data.length > 0 ? ['datahash'] : []);
  return [...data, ...control].map((found) => ({ package: name, ...found }));
}

/** `implied`: keys of `.PKGINFO` whose values follow from another member. */
function compareMembers(
  label: 'data' | 'control',
  first: Uint8Array,
  second: Uint8Array,
  sides: Sides,
  implied: readonly string[],
): readonly Found[] {
  if (Buffer.compare(first, second) === 0) return [];
  const [one, other] = [readGzipMember(first).content, readGzipMember(second).content];
  if (one.equals(other)) {
    const text = `holds the same, compressed to ${first.length} and ${second.length} bytes: by another zlib, or otherwise`;
    return [{ path: label, kind: 'compression', text }];
  }
  const [ours, theirs] = [readTar(one).entries, readTar(other).entries];
  const found = compareEntries(ours, theirs, sides, implied);
  if (found.length > 0) return found;
  // The files are the same, but for what was left out because something else implies it.
  if (implied.length > 0 && isOnlyImplied(ours, theirs)) return [];
  const moved = ours.findIndex((entry, place) => entry.path !== theirs[place]?.path);
  if (moved !== -1) {
    const [before, after] = [ours[moved]?.path ?? '', theirs[moved]?.path ?? ''];
    const text = `has its files in another order: at place ${moved + 1} stands ${before} and ${after}`;
    return [{ path: label, kind: 'order', text }];
  }
  const bytes = describeBytes(one, other);
  const text = `has other headers: it differs ${bytes?.text ?? ''}`;
  return [{ path: label, kind: 'header', text, ...(bytes === undefined ? {} : { offset: bytes.offset }) }];
}

function isOnlyImplied(ours: readonly TarReadEntry[], theirs: readonly TarReadEntry[]): boolean {
  const differing = ours.filter((entry, place) => {
    const other = theirs[place];
    return other === undefined || Buffer.compare(entry.content, other.content) !== 0;
  });
  return ours.length === theirs.length && differing.every(({ path }) => path === '.PKGINFO');
}

function compareEntries(
  ours: readonly TarReadEntry[],
  theirs: readonly TarReadEntry[],
  sides: Sides,
  implied: readonly string[],
): readonly Found[] {
  const [byPath, other] = [
    new Map(ours.map((entry) => [entry.path, entry])),
    new Map(theirs.map((entry) => [entry.path, entry])),
  ];
  const found: Found[] = [];
  for (const [path, entry] of byPath) {
    const same = other.get(path);
    if (same === undefined) found.push({ path, kind: 'missing', text: `is only in ${sides.first}` });
    else found.push(...compareEntry(entry, same, sides, implied));
  }
  for (const path of other.keys())
    if (!byPath.has(path)) found.push({ path, kind: 'missing', text: `is only in ${sides.second}` });
  return found;
}

function compareEntry(one: TarReadEntry, other: TarReadEntry, sides: Sides, implied: readonly string[]): Found[] {
  const { path } = one;
  if (one.type !== other.type) return [{ path, kind: 'type', text: `is a ${one.type} and a ${other.type}` }];
  const found: Found[] = [];
  const say = (kind: Found['kind'], text: string) => void found.push({ path, kind, text });
  if (one.mode !== other.mode) say('mode', `has mode ${one.mode.toString(8)} and ${other.mode.toString(8)}`);
  const [owner, others] = [one, other].map(({ owner: { uid, gid } }) => `${uid}:${gid}`);
  if (owner !== others) say('owner', `belongs to ${owner} and ${others}`);
  if (one.mtime !== other.mtime) say('time', `is of ${timeText(one.mtime)} and ${timeText(other.mtime)}`);
  if (one.link !== other.link) say('link', `leads to ${one.link} and ${other.link}`);
  const records = new Set([...Object.keys(one.pax), ...Object.keys(other.pax)]);
  for (const key of records) {
    if (key === fileChecksumKey || one.pax[key] === other.pax[key]) continue;
    say('records', `has the PAX record ${key} as ${quoted(one.pax[key])} and ${quoted(other.pax[key])}`);
  }
  if (path === '.PKGINFO') found.push(...compareFields(one.content, other.content, sides, implied));
  else {
    const bytes = describeBytes(one.content, other.content);
    if (bytes !== undefined) {
      found.push({ path, kind: 'content', text: `differs ${bytes.text}`, offset: bytes.offset });
    }
  }
  return found;
}

function timeText(seconds: number): string {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? String(seconds) : time.toISOString().replace('.000Z', 'Z');
}

function quoted(value: string | undefined): string {
  return value === undefined ? 'nothing' : `“${value}”`;
}

/** The values of each key of `.PKGINFO`, in order. */
function fieldsOf(content: Uint8Array): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, string[]>();
  for (const line of Buffer.from(content).toString('utf8').split('\n')) {
    const equals = line.indexOf(' = ');
    if (line.startsWith('#') || equals < 0) continue;
    const key = line.slice(0, equals);
    fields.set(key, [...(fields.get(key) ?? []), line.slice(equals + 3)]);
  }
  return fields;
}

function compareFields(first: Uint8Array, second: Uint8Array, sides: Sides, implied: readonly string[]): Found[] {
  const [ours, theirs] = [fieldsOf(first), fieldsOf(second)];
  const found: Found[] = [];
  const say = (text: string) => void found.push({ path: '.PKGINFO', kind: 'field', text });
  for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
    if (implied.includes(key)) continue;
    const [values, others] = [ours.get(key) ?? [], theirs.get(key) ?? []];
    const here = values.filter((value) => !others.includes(value));
    const there = others.filter((value) => !values.includes(value));
    if (values.length === 1 && others.length === 1 && here.length === 1) {
      say(`has ${key} ${quoted(here[0])} and ${quoted(there[0])}`);
      continue;
    }
    for (const value of here) say(`has ${key} ${quoted(value)} only in ${sides.first}`);
    for (const value of there) say(`has ${key} ${quoted(value)} only in ${sides.second}`);
  }
  if (found.length > 0 || ours.size === 0) return found;
  const bytes = describeBytes(first, second);
  const isImplied = implied.some((key) => ours.get(key)?.join() !== theirs.get(key)?.join());
  if (bytes === undefined || isImplied) return found;
  return [{ path: '.PKGINFO', kind: 'content', text: `differs ${bytes.text}`, offset: bytes.offset }];
}
