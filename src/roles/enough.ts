import { candidatesOf } from '../decide/version-rules.ts';
import { RegrowError } from '../errors.ts';
import type { UpstreamTag } from '../model/observation.ts';
import type { Watcher } from '../model/watch.ts';

/**
 * Whether some tags of a source are enough for the recipes that watch it: each finds a version of its own among them. A recipe
 * with a bad pattern finds none on any page, so it asks for no more.
 */
export function enoughFor(source: string, watchers: readonly Watcher[]): (tags: readonly UpstreamTag[]) => boolean {
  return (tags) => watchers.every((watcher) => findsItsOwn(source, watcher, tags));
}

function findsItsOwn(key: string, watcher: Watcher, tags: readonly UpstreamTag[]): boolean {
  const { package: name, update, chosenBy, stream, ignore } = watcher;
  try {
    return candidatesOf(tags, update, name, { source: { key, chosenBy }, stream, ignore }).usable.length > 0;
  } catch (thrown) {
    if (thrown instanceof RegrowError) return true;
    throw thrown;
  }
}
