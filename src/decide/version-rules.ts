import type { RE2JS } from 're2js';
import { compareApkVersions, isApkVersion } from '../model/apk-version.ts';
import { compileGoPattern, replaceAllGo } from '../model/go-pattern.ts';
import type { UpstreamTag } from '../model/observation.ts';
import type { UpdateBlock } from '../model/recipe/recipe.ts';

/** A tag of upstream that is a version of the package. */
export interface Candidate {
  /** Without epoch. */
  readonly version: string;
  readonly tag: UpstreamTag;
}

export type RejectionReason = 'filtered' | 'ignored' | 'pre-release' | 'invalid-version';

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

interface Rules {
  readonly filterPrefix: string;
  readonly filterContains: string;
  readonly stripPrefix: string;
  readonly stripSuffix: string;
  /** Whether ignore patterns look at the tag as it is (release-monitor) or at what is left of it after the strips. */
  readonly ignoreLooksAt: 'tag' | 'version';
  readonly ignore: readonly { readonly source: string; readonly pattern: RE2JS }[];
  readonly separator: string;
  readonly dropPreReleases: boolean;
  readonly transforms: readonly { readonly pattern: RE2JS; readonly replace: string }[];
}

/**
 * What of upstream's tags a recipe's `update:` block makes versions. The order of operations is that of the last public
 * update bot of the distribution, per kind of source: filters, strips, ignore patterns, separator, pre-releases,
 * transforms. Throws recipe.pattern-invalid.
 */
export function candidatesOf(tags: readonly UpstreamTag[], update: UpdateBlock, packageName: string): Candidates {
  const rules = rulesOf(update, packageName);
  const usable = new Map<string, Candidate>();
  const rejected: Rejection[] = [];
  for (const tag of tags) {
    const outcome = versionOf(tag, rules);
    if ('reason' in outcome) rejected.push({ tag: tag.tag, ...outcome });
    else if (!usable.has(outcome.version)) usable.set(outcome.version, { version: outcome.version, tag });
  }
  return { usable: [...usable.values()].sort((a, b) => compareApkVersions(b.version, a.version)), rejected };
}

function rulesOf(update: UpdateBlock, packageName: string): Rules {
  const compile = (field: string, pattern: string): RE2JS =>
    compileGoPattern(pattern, { package: packageName, field: `update.${field}` });
  const common = {
    ignore: update['ignore-regex-patterns'].map((source) => ({
      source,
      pattern: compile('ignore-regex-patterns', source),
    })),
    separator: update['version-separator'] ?? '',
    transforms: update['version-transform'].map(({ match, replace }) => ({
      pattern: compile('version-transform', match),
      replace,
    })),
  };
  const monitor = update['release-monitor'];
  if (monitor !== undefined) {
    return {
      ...common,
      filterPrefix: monitor['version-filter-prefix'] ?? '',
      filterContains: monitor['version-filter-contains'] ?? '',
      stripPrefix: monitor['strip-prefix'] ?? '',
      stripSuffix: monitor['strip-suffix'] ?? '',
      ignoreLooksAt: 'tag',
      dropPreReleases: false,
    };
  }
  const block = update.github ?? update.git ?? update.oci;
  return {
    ...common,
    filterPrefix: block?.['tag-filter-prefix'] ?? update.github?.['tag-filter'] ?? '',
    filterContains: block?.['tag-filter-contains'] ?? '',
    stripPrefix: block?.['strip-prefix'] ?? '',
    stripSuffix: block?.['strip-suffix'] ?? '',
    ignoreLooksAt: 'version',
    dropPreReleases: update['enable-prerelease-tags'] !== true,
  };
}

type Outcome = { readonly version: string } | { readonly reason: RejectionReason; readonly detail: string };

function versionOf(tag: UpstreamTag, rules: Rules): Outcome {
  if (!tag.tag.startsWith(rules.filterPrefix)) return { reason: 'filtered', detail: `prefix ${rules.filterPrefix}` };
  if (!tag.tag.includes(rules.filterContains))
    return { reason: 'filtered', detail: `contains ${rules.filterContains}` };
  if (rules.dropPreReleases && tag.prerelease) return { reason: 'pre-release', detail: 'marked by upstream' };
  let version = strip(tag.tag, rules);
  const looked = rules.ignoreLooksAt === 'tag' ? tag.tag : version;
  const ignoring = rules.ignore.find(({ pattern }) => pattern.test(looked));
  if (ignoring !== undefined) return { reason: 'ignored', detail: ignoring.source };
  if (rules.separator !== '') version = version.replaceAll(rules.separator, '.');
  const mark = rules.dropPreReleases ? /alpha|beta|rc|pre/i.exec(version) : null;
  if (mark !== null) return { reason: 'pre-release', detail: mark[0] };
  for (const { pattern, replace } of rules.transforms) version = replaceAllGo(pattern, version, replace);
  // The epoch has its own field, so a version that ends in one is none.
  if (!isApkVersion(version) || /-r\d+$/.test(version)) {
    return { reason: 'invalid-version', detail: version };
  }
  return { version };
}

function strip(tag: string, rules: Rules): string {
  const front = tag.startsWith(rules.stripPrefix) ? tag.slice(rules.stripPrefix.length) : tag;
  return rules.stripSuffix !== '' && front.endsWith(rules.stripSuffix)
    ? front.slice(0, -rules.stripSuffix.length)
    : front;
}
