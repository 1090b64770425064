import type { RE2JS } from 're2js';
import { isApkVersion, newestFirst } from '../model/apk-version.ts';
import { compileGoPattern, replaceAllGo } from '../model/go-pattern.ts';
import type { SourceChoice, UpstreamTag } from '../model/observation.ts';
import type { UpdateBlock } from '../model/recipe/recipe.ts';
import { isInStream } from './streams.ts';

/** A tag of upstream that is a version of the package. */
export interface Candidate {
  /** Without epoch. */
  readonly version: string;
  readonly tag: UpstreamTag;
}

export type RejectionReason = 'filtered' | 'ignored' | 'pre-release' | 'invalid-version' | 'other-stream';

/** A tag that is not a version of the package, and which rule says so. */
export interface Rejection {
  readonly tag: string;
  readonly reason: RejectionReason;
  /** What the rule saw: a pattern, or the text that is no version. */
  readonly detail: string;
}

export interface Candidates {
  /** Newest first, each version once. */
  readonly usable: readonly Candidate[];
  readonly rejected: readonly Rejection[];
}

/** How the tags of one source are read for one package, beside what its `update:` block says. */
export interface Reading {
  /** Where they come from; without it, they are those of the place that the block names. */
  readonly source?: Pick<SourceChoice, 'key' | 'chosenBy'> | undefined;
  /** The leading part that its versions have (`streamOf`). */
  readonly stream?: string | undefined;
  /** Versions that are never taken. */
  readonly ignore?: readonly string[] | undefined;
}

interface Rules {
  readonly filterPrefix: string;
  readonly filterContains: string;
  readonly stripPrefix: string;
  /** A `v` before a digit, where the block says no prefix for a place that it does not name. */
  readonly stripLeadingV: boolean;
  readonly stripSuffix: string;
  /** release-monitor: ignore patterns and the separator see the tag as it is, not what the strips leave of it. */
  readonly stripsLast: boolean;
  readonly ignore: readonly { readonly source: string; readonly pattern: RE2JS }[];
  readonly separator: string;
  /** Those that the source itself marks. */
  readonly dropMarked: boolean;
  /** Those that are named as such: where tags are all that a source has. */
  readonly dropNamed: boolean;
  readonly transforms: readonly { readonly pattern: RE2JS; readonly replace: string }[];
  readonly stream: string | undefined;
  readonly ignoredVersions: ReadonlySet<string>;
}

/** Registries have a rule of their own for what a pre-release is, which their source applied; `search` has an `rc` in it. */
const registries = new Set(['npm', 'pypi', 'crates', 'rubygems', 'goproxy', 'maven', 'packagist', 'hex', 'cpan']);

/**
 * What of upstream's tags a recipe's `update:` block makes versions. The order of operations is that of the last public
 * update bot of the distribution, per kind of source: filters, strips, ignore patterns, separator, pre-releases,
 * transforms. Then what apk cannot read, other streams and single versions go. Throws recipe.pattern-invalid.
 */
export function candidatesOf(
  tags: readonly UpstreamTag[],
  update: UpdateBlock,
  packageName: string,
  reading: Reading = {},
): Candidates {
  const rules = rulesOf(update, packageName, reading);
  const usable = new Map<string, Candidate>();
  const rejected: Rejection[] = [];
  for (const tag of tags) {
    const outcome = versionOf(tag, rules);
    if ('reason' in outcome) rejected.push({ tag: tag.tag, ...outcome });
    else if (!usable.has(outcome.version)) usable.set(outcome.version, { version: outcome.version, tag });
  }
  return { usable: newestFirst(usable.values(), ({ version }) => version), rejected };
}

/** Whether a `v` before a digit goes by itself. */
export function stripsLeadingV(update: UpdateBlock, source: Reading['source']): boolean {
  return source !== undefined && source.chosenBy !== 'update' && stripsOf(update)?.['strip-prefix'] === undefined;
}

function stripsOf(update: UpdateBlock) {
  return update.github ?? update.git ?? update.oci ?? update['release-monitor'];
}

function rulesOf(update: UpdateBlock, packageName: string, { source, stream, ignore = [] }: Reading): Rules {
  const compile = (field: string, pattern: string): RE2JS =>
    compileGoPattern(pattern, { package: packageName, field: `update.${field}` });
  const kind = source?.key.split(':', 1)[0] ?? (update['release-monitor'] === undefined ? 'tags' : 'release-monitor');
  const isMonitor = kind === 'release-monitor';
  const tagged = update.github ?? update.git ?? update.oci;
  const monitor = update['release-monitor'];
  const strips = stripsOf(update);
  const wantsPreReleases = update['enable-prerelease-tags'] === true;
  return {
    filterPrefix:
      tagged?.['tag-filter-prefix'] ?? update.github?.['tag-filter'] ?? monitor?.['version-filter-prefix'] ?? '',
    filterContains: tagged?.['tag-filter-contains'] ?? monitor?.['version-filter-contains'] ?? '',
    stripPrefix: strips?.['strip-prefix'] ?? '',
    stripLeadingV: stripsLeadingV(update, source),
    stripSuffix: strips?.['strip-suffix'] ?? '',
    stripsLast: isMonitor,
    ignore: update['ignore-regex-patterns'].map((text) => ({
      source: text,
      pattern: compile('ignore-regex-patterns', text),
    })),
    separator: update['version-separator'] ?? '',
    dropMarked: !wantsPreReleases,
    dropNamed: !wantsPreReleases && !isMonitor && !registries.has(kind),
    transforms: update['version-transform'].map(({ match, replace }) => ({
      pattern: compile('version-transform', match),
      replace,
    })),
    stream,
    ignoredVersions: new Set(ignore),
  };
}

type Outcome = { readonly version: string } | { readonly reason: RejectionReason; readonly detail: string };

function versionOf(tag: UpstreamTag, rules: Rules): Outcome {
  if (!tag.tag.startsWith(rules.filterPrefix)) return { reason: 'filtered', detail: `prefix ${rules.filterPrefix}` };
  if (!tag.tag.includes(rules.filterContains))
    return { reason: 'filtered', detail: `contains ${rules.filterContains}` };
  if (rules.dropMarked && tag.prerelease) return { reason: 'pre-release', detail: 'marked by upstream' };
  const looked = rules.stripsLast ? tag.tag : strip(tag.tag, rules);
  const ignoring = rules.ignore.find(({ pattern }) => pattern.test(looked));
  if (ignoring !== undefined) return { reason: 'ignored', detail: ignoring.source };
  const separated = rules.separator === '' ? looked : looked.replaceAll(rules.separator, '.');
  let version = rules.stripsLast ? strip(separated, rules) : separated;
  const mark = rules.dropNamed ? /alpha|beta|rc|pre/i.exec(version) : null;
  if (mark !== null) return { reason: 'pre-release', detail: mark[0] };
  for (const { pattern, replace } of rules.transforms) version = replaceAllGo(pattern, version, replace);
  // The epoch has its own field, so a version that ends in one is none.
  if (!isApkVersion(version) || /-r\d+$/.test(version)) return { reason: 'invalid-version', detail: version };
  if (rules.stream !== undefined && !isInStream(version, rules.stream)) {
    return { reason: 'other-stream', detail: version };
  }
  if (rules.ignoredVersions.has(version)) return { reason: 'ignored', detail: 'dev.regrow.ignore' };
  return { version };
}

function strip(tag: string, { stripPrefix, stripLeadingV, stripSuffix }: Rules): string {
  const bare = stripLeadingV ? tag.replace(/^v(?=\d)/, '') : tag;
  const front = bare.startsWith(stripPrefix) ? bare.slice(stripPrefix.length) : bare;
  return stripSuffix !== '' && front.endsWith(stripSuffix) ? front.slice(0, -stripSuffix.length) : front;
}
