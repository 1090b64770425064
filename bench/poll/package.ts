import { type Candidate, candidatesOf } from '../../src/decide/version-rules.ts';
import { compareApkVersions } from '../../src/model/apk-version.ts';
import type { UpstreamTag } from '../../src/model/observation.ts';
import { pinnedSources } from '../../src/model/recipe/pinned-sources.ts';
import type { Recipe, UpdateBlock } from '../../src/model/recipe/recipe.ts';
import type { Watcher } from '../../src/model/watch.ts';

/** A package that watches GitHub. */
export interface WatchingPackage {
  readonly name: string;
  readonly version: string;
  readonly source: string;
  readonly watcher: Watcher;
  /** The tag that its version was made from; undefined where none was found that its rules make this version of. */
  readonly tag: string | undefined;
}

export function watchingPackage(recipe: Recipe, source: string, watcher: Watcher): WatchingPackage {
  const { name, version } = recipe.package;
  const one = { name, version, source, watcher, tag: undefined };
  return { ...one, tag: possibleTags(recipe, watcher.update).find((tag) => versionFrom(one, tag) === version) };
}

/** The versions of a package that some tags are, newest first. */
export function versionsFrom(source: string, watcher: Watcher, tags: readonly UpstreamTag[]): readonly Candidate[] {
  const { package: name, update, chosenBy, stream, ignore } = watcher;
  return candidatesOf(tags, update, name, { source: { key: source, chosenBy }, stream, ignore }).usable;
}

/** What the rules of the package make of one tag. */
export function versionFrom({ source, watcher }: WatchingPackage, tag: string): string | undefined {
  return versionsFrom(source, watcher, [{ tag, prerelease: false }])[0]?.version;
}

/** Whether a tag would be an update of the package, from its version or another. */
export function isNewer(one: WatchingPackage, tag: string, than = one.version): boolean {
  const version = versionFrom(one, tag);
  return version !== undefined && compareApkVersions(version, than) > 0;
}

/** The tag that the recipe checks out, else its version with what the block takes away put back. */
function possibleTags(recipe: Recipe, { github, 'version-separator': separator = '' }: UpdateBlock): string[] {
  const { version } = recipe.package;
  const checkedOut = pinnedSources(recipe).flatMap(({ tag }) => (tag === undefined ? [] : [tag]));
  const front = github?.['strip-prefix'] ?? '';
  const back = github?.['strip-suffix'] ?? '';
  const filter = github?.['tag-filter-prefix'] ?? github?.['tag-filter'] ?? '';
  const texts = [version, ...(separator === '' ? [] : [version.replaceAll('.', separator)])];
  const built = texts.flatMap((text) => [`${front}${text}${back}`, `${filter}${text}${back}`, `v${text}`, text]);
  return [...checkedOut, ...built];
}

/**
 * The tag with one of its numbers changed, the last one first: `v1.2.3` by 1 gives `v1.2.4`, `v1.3.3`, `v2.2.3`. Numbers below
 * nought are left out.
 */
export function neighbours(tag: string, by: number): string[] {
  return [...tag.matchAll(/\d+/g)].toReversed().flatMap(({ 0: digits, index }) => {
    const number = Number(digits) + by;
    if (number < 0 || !Number.isSafeInteger(number)) return [];
    const text = String(number).padStart(digits.startsWith('0') ? digits.length : 0, '0');
    return [tag.slice(0, index) + text + tag.slice(index + digits.length)];
  });
}
