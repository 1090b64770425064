import semver from 'semver';
import { compareApkVersions, isApkVersion, parseApkVersion } from '../model/apk-version.ts';
import type { OsvEvent } from '../model/osv.ts';
import type { Affected } from './advisory-index.ts';

/** What an advisory says of one version of one component. */
export interface Assessment {
  readonly affected: boolean;
  /** Later versions that fix it, lowest first. */
  readonly fixedIn: readonly string[];
}

const unaffected: Assessment = { affected: false, fixedIn: [] };

/**
 * Whether a version is in the ranges or the list of an OSV record (ossf.github.io/osv-schema, "Evaluation"). What cannot
 * be compared is not affected: a snapshot version, a bound in another scheme, and a range without an end that is about
 * another major version of a Go module.
 */
export function assess(affected: Affected, version: string): Assessment {
  if (isSnapshot(version)) return unaffected;
  const listed = affected.versions.some((name) => tagVersion(name) === version);
  const ranges = rangesOf(affected, version);
  const hit = ranges.some((events) => contains(events, version));
  if (!listed && !hit) return unaffected;
  const later = ranges
    .flatMap((events) => events.flatMap(({ fixed }) => (fixed === undefined ? [] : [fixed])))
    .filter((fixed) => compareBounds(fixed, version) === 1);
  return { affected: true, fixedIn: [...new Set(later)].sort((a, b) => compareBounds(a, b) ?? 0) };
}

/** Ranges of versions; GIT ranges are of commits, and their versions stand in the list. */
function rangesOf(affected: Affected, version: string): readonly (readonly OsvEvent[])[] {
  const custom = affected.ecosystem_specific?.custom_ranges ?? [];
  const ranges = (custom.length > 0 ? custom : affected.ranges).filter(({ type }) => type !== 'GIT');
  const isGo = affected.package?.ecosystem === 'Go';
  return ranges.map(({ events }) => events).filter((events) => !isGo || isSameModule(affected, events, version));
}

/**
 * A Go module of major version 2 or more has its number in its path, so the module without one is another thing than
 * a release 5.0 of the repository, unless the record itself speaks of such versions (`28.3.3+incompatible`).
 */
function isSameModule(affected: Affected, events: readonly OsvEvent[], version: string): boolean {
  const major = Number(/^\d+/.exec(version)?.[0] ?? 0);
  const inPath = /\/v(\d+)$/.exec(affected.package?.name ?? '')?.[1];
  if (inPath !== undefined) return major === Number(inPath);
  if (major < 2) return true;
  return events.some((event) => {
    const bound = event.introduced ?? event.fixed ?? event.last_affected ?? '0';
    return Number(/^v?(\d+)/.exec(bound)?.[1] ?? 0) >= 2;
  });
}

function contains(events: readonly OsvEvent[], version: string): boolean {
  const sorted = [...events].sort((a, b) => compareBounds(boundOf(a), boundOf(b)) ?? 0);
  let inside = false;
  for (const event of sorted) {
    const order = compareBounds(version, boundOf(event));
    if (order === undefined) return false;
    if (event.introduced !== undefined && order >= 0) inside = true;
    if (event.fixed !== undefined && order >= 0) inside = false;
    if (event.last_affected !== undefined && order > 0) inside = false;
  }
  return inside;
}

function boundOf(event: OsvEvent): string {
  return event.introduced ?? event.fixed ?? event.last_affected ?? event.limit ?? '0';
}

/** -1, 0 or 1; undefined where the two cannot be compared. */
export function compareBounds(a: string, b: string): -1 | 0 | 1 | undefined {
  const [left, right] = [toSemver(a), toSemver(b)];
  if (left !== undefined && right !== undefined) return semver.compare(left, right);
  const [apkLeft, apkRight] = [a.replace(/^v/, ''), b.replace(/^v/, '')];
  return isApkVersion(apkLeft) && isApkVersion(apkRight) ? compareApkVersions(apkLeft, apkRight) : undefined;
}

/** `1.8` is 1.8.0, and apk's `1.2.3_rc1` is 1.2.3-rc.1; suffixes after the release (`_p1`) do not make it older. */
function toSemver(text: string): semver.SemVer | undefined {
  const match = /^(?:v|go)?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:_(alpha|beta|pre|rc)(\d*)|_p\d*)?([-+].*)?$/.exec(text);
  if (match === null) return undefined;
  const [, major = '0', minor = '0', patch = '0', suffix, number = '0', rest = ''] = match;
  const plain = [major, minor, patch].map((part) => BigInt(part).toString()).join('.');
  return semver.parse(`${plain}${suffix === undefined ? '' : `-${suffix}.${number || '0'}`}${rest}`) ?? undefined;
}

/** A build of some commit: its place among releases is not known. */
function isSnapshot(version: string): boolean {
  if (!isApkVersion(version)) return true;
  const parsed = parseApkVersion(version);
  return parsed.suffixes.some(({ name }) => name === 'git' || name === 'cvs' || name === 'svn' || name === 'hg');
}

/** `v1.2.3` and `jq-1.8.1` as versions. */
function tagVersion(tag: string): string {
  return tag.replace(/^[^0-9]*/, '');
}
