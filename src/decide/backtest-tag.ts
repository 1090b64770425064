import { isApkVersion } from '../model/apk-version.ts';
import type { UpstreamTag } from '../model/observation.ts';
import { type UpdateBlock, updateBlockSchema } from '../model/recipe/update-block.ts';
import { candidatesOf, type RejectionReason } from './version-rules.ts';

/** Why the recipe's own rules were left out. */
export type LeftRules = RejectionReason | 'other-version';

/** A release as upstream would have named it, and the rules that make its version of it. */
export interface FormerRelease {
  readonly tag: UpstreamTag;
  readonly update: UpdateBlock;
  /** Where the recipe's own rules do not lead from any tag that can be thought of to the version. */
  readonly left?: LeftRules;
}

/** Of a recipe that nothing else is known of. */
export const noRules: UpdateBlock = updateBlockSchema.parse({ enabled: 'true' });

type Tagless = Omit<UpstreamTag, 'tag'>;

/**
 * Works a version that was updated to back into a tag, by the prefix, suffix and separator of the recipe. A timeline knows
 * versions alone, and a recipe of today may have rules that came after the update: where they do not give the version back, it
 * stands for its own tag, and of the rules only those about proposals stay. Throws recipe.pattern-invalid.
 */
export function formerRelease(
  version: string,
  update: UpdateBlock,
  packageName: string,
  facts: Tagless,
): FormerRelease {
  let left: FormerRelease['left'];
  for (const name of tagNames(version, update)) {
    const tag = { ...facts, tag: name };
    const { usable, rejected } = candidatesOf([tag], update, packageName);
    if (usable[0]?.version === version) return { tag, update };
    left ??= rejected[0]?.reason ?? 'other-version';
  }
  return {
    tag: { ...facts, tag: version },
    update: rulesOfProposals(update),
    ...(left === undefined || !isApkVersion(version) ? {} : { left }),
  };
}

/** What of an update block is not about how tags are read. */
export function rulesOfProposals(update: UpdateBlock): UpdateBlock {
  return {
    ...noRules,
    shared: update.shared,
    schedule: update.schedule,
    'require-sequential': update['require-sequential'],
    'enable-prerelease-tags': true,
  };
}

function tagNames(version: string, update: UpdateBlock): ReadonlySet<string> {
  const monitor = update['release-monitor'];
  const block = update.github ?? update.git ?? update.oci;
  const filter =
    monitor?.['version-filter-prefix'] ?? block?.['tag-filter-prefix'] ?? update.github?.['tag-filter'] ?? '';
  const { 'strip-prefix': prefix = '', 'strip-suffix': suffix = '' } = monitor ?? block ?? {};
  const separator = update['version-separator'];
  const spelt = separator === undefined ? [version] : [version, version.replaceAll('.', separator)];
  return new Set(
    spelt.flatMap((text) => [
      `${prefix}${text}${suffix}`,
      `${filter}${text}${suffix}`,
      `${filter}${prefix}${text}${suffix}`,
      text,
    ]),
  );
}
