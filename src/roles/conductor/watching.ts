import type { AnyJobRequest } from '../../jobs/queues.ts';
import { canonicalJson } from '../../model/canonical.ts';
import type { WatchFailure } from '../../model/observation.ts';
import type { ObservedResult } from '../../model/result.ts';
import { isOfWholeFeed } from '../../watch/advisories/feed.ts';
import { sourceOf } from '../../watch/registry.ts';
import type { ConductorContext } from './context.ts';
import type { RecipeTree } from './recipes.ts';

/** Every source that an enabled recipe names; each is asked once, however many recipes share it. */
export function watchedSources(tree: RecipeTree): ReadonlyMap<string, readonly string[]> {
  const sources = new Map<string, string[]>();
  for (const [name, { recipe }] of tree.recipes) {
    if (recipe.update?.enabled !== true) continue;
    const source = sourceOf(recipe);
    if (source !== undefined) sources.set(source, [...(sources.get(source) ?? []), name]);
  }
  return sources;
}

/** What the last answer gave to compare by. */
function cursorOf(context: ConductorContext, name: string): { cursor?: string } {
  const cursor = context.book.get('cursor', `watch/${name}`)?.value.cursor;
  return cursor === undefined ? {} : { cursor };
}

/** The jobs of one slot: every source once. */
export function releaseJobs(context: ConductorContext, tree: RecipeTree, slot: number): readonly AnyJobRequest[] {
  return [...watchedSources(tree).keys()].map((source) => ({
    type: 'watch-release',
    payload: { source, slot, ...cursorOf(context, source) },
    urgency: 'low',
  }));
}

export function advisoryJobs(context: ConductorContext, feed: string, slot: number): readonly AnyJobRequest[] {
  return [{ type: 'watch-advisories', payload: { feed, slot, ...cursorOf(context, feed) } }];
}

/** Writes down that something cannot be asked. The time of the first failure stays: `explain` says since when. */
export async function recordFailure({ book }: ConductorContext, failure: WatchFailure): Promise<boolean> {
  const { source, code, message, observedAt } = failure;
  const key = `failure/${source}`;
  const known = book.get('observation', key)?.value;
  if (known?.kind === 'failure' && known.code === code && known.message === message) return false;
  await book.tell({
    id: `source-failed/${source}/${observedAt}`,
    kind: 'source-failed',
    text: `${source} cannot be asked: ${message}`,
    facts: { source, code },
  });
  return book.put('observation', key, failure);
}

/** Writes down what a poller saw. Says whether anything is new. */
export async function recordObserved(context: ConductorContext, result: ObservedResult): Promise<boolean> {
  const { book } = context;
  let changed = false;
  for (const observation of result.observations) {
    if (observation.kind === 'failure') {
      changed = (await recordFailure(context, observation)) || changed;
      continue;
    }
    if (observation.kind === 'release') {
      changed = (await book.remove('observation', `failure/${observation.source}`)) || changed;
      const known = book.get('observation', `release/${observation.source}`)?.value;
      if (known?.kind === 'release' && canonicalJson(known.tags) === canonicalJson(observation.tags)) continue;
      // An answer whose job was taken up again late says nothing against a newer one.
      if (known?.kind === 'release' && known.observedAt > observation.observedAt) continue;
      const newest = observation.tags[0];
      if (newest !== undefined) {
        await book.tell({
          id: `release-seen/${observation.source}/${newest.tag}`,
          kind: 'release-seen',
          text: `${observation.source} has ${newest.tag}`,
          facts: { source: observation.source, tag: newest.tag },
        });
      }
      changed = (await book.put('observation', `release/${observation.source}`, observation)) || changed;
      continue;
    }
    changed = (await book.remove('observation', `failure/advisories:${observation.feed}/${observation.id}`)) || changed;
    const key = `advisory/${observation.feed}/${observation.id}`;
    if (book.holds('observation', key, observation)) continue;
    await book.tell({
      id: `advisory-seen/${observation.feed}/${observation.id}/${observation.osv.modified}`,
      kind: 'advisory-seen',
      text: `${observation.id}: ${observation.osv.summary ?? 'no summary'}`,
      facts: { feed: observation.feed, advisory: observation.id },
    });
    changed = (await book.put('observation', key, observation)) || changed;
  }
  if (result.observations.length === 0) {
    // Unchanged: the source answers again.
    changed = (await book.remove('observation', `failure/${result.source}`)) || changed;
  }
  const failing = new Set(result.observations.map((one) => (one.kind === 'failure' ? one.source : '')));
  for (const { key, value } of book.all('observation')) {
    if (value.kind !== 'failure' || failing.has(value.source) || !isOfWholeFeed(value.source, result.source)) continue;
    changed = (await book.remove('observation', key)) || changed;
  }
  const cursor = result.cursor?.cursor ?? result.cursor?.etag;
  if (cursor !== undefined) await book.put('cursor', `watch/${result.source}`, { cursor });
  await book.put('cursor', `asked/${result.source}`, { cursor: result.at });
  return changed;
}
