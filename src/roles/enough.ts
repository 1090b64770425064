import { type Candidate, candidatesOf } from '../decide/version-rules.ts';
import { RegrowError } from '../errors.ts';
import { compareApkVersions, isApkVersion } from '../model/apk-version.ts';
import type { UpstreamTag } from '../model/observation.ts';
import type { Watcher } from '../model/watch.ts';

/**
 * Whether some tags of a source are enough for the recipes that watch it: each finds the version that it is at. Lists begin with
 * the newest, so what is newer is among them then; an older version says nothing, as it may have been released after the newest.
 * A recipe with a bad pattern finds none on any page, so it asks for no more.
 */
export function enoughFor(source: string, watchers: readonly Watcher[]): (tags: readonly UpstreamTag[]) => boolean {
  return (tags) => watchers.every((watcher) => findsIts(source, watcher, tags, isAt(watcher)));
}

/** Whether every recipe finds some version of its own. */
export function saysSomething(source: string, watchers: readonly Watcher[], tags: readonly UpstreamTag[]): boolean {
  return watchers.every((watcher) => findsIts(source, watcher, tags, () => true));
}

function isAt({ version }: Watcher): (candidate: Candidate) => boolean {
  if (version === undefined || !isApkVersion(version)) return () => true;
  return (candidate) => compareApkVersions(candidate.version, version) === 0;
}

function findsIts(
  key: string,
  watcher: Watcher,
  tags: readonly UpstreamTag[],
  is: (candidate: Candidate) => boolean,
): boolean {
  const { package: name, update, chosenBy, stream, ignore } = watcher;
  try {
    return candidatesOf(tags, update, name, { source: { key, chosenBy }, stream, ignore }).usable.some(is);
  } catch (thrown) {
    if (thrown instanceof RegrowError) return true;
    throw thrown;
  }
}
