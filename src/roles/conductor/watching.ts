import type { AnyJobRequest } from '../../jobs/queues.ts';
import { canonicalJson } from '../../model/canonical.ts';
import type { ObservedResult } from '../../model/result.ts';
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

/** Writes down what a poller saw. Says whether anything is new. */
export async function recordObserved(context: ConductorContext, result: ObservedResult): Promise<boolean> {
  const { book } = context;
  let changed = false;
  for (const observation of result.observations) {
    if (observation.kind === 'failure') {
      // The time of the first failure stays: `explain` says since when.
      const key = `failure/${observation.source}`;
      const known = book.get('observation', key)?.value;
      if (known?.kind === 'failure' && known.code === observation.code && known.message === observation.message)
        continue;
      changed = (await book.put('observation', key, observation)) || changed;
      await book.tell({
        id: `source-failed/${observation.source}/${observation.observedAt}`,
        kind: 'source-failed',
        text: `${observation.source} cannot be asked: ${observation.message}`,
        facts: { source: observation.source, code: observation.code },
      });
      continue;
    }
    if (observation.kind === 'release') {
      changed = (await book.remove('observation', `failure/${observation.source}`)) || changed;
      const known = book.get('observation', `release/${observation.source}`)?.value;
      if (known?.kind === 'release' && canonicalJson(known.tags) === canonicalJson(observation.tags)) continue;
      changed = (await book.put('observation', `release/${observation.source}`, observation)) || changed;
      const newest = observation.tags[0];
      if (newest === undefined) continue;
      await book.tell({
        id: `release-seen/${observation.source}/${newest.tag}`,
        kind: 'release-seen',
        text: `${observation.source} has ${newest.tag}`,
        facts: { source: observation.source, tag: newest.tag },
      });
      continue;
    }
    const isNew = await book.put('observation', `advisory/${observation.feed}/${observation.id}`, observation);
    changed = isNew || changed;
    if (isNew) {
      await book.tell({
        id: `advisory-seen/${observation.feed}/${observation.id}/${observation.osv.modified}`,
        kind: 'advisory-seen',
        text: `${observation.id}: ${observation.osv.summary ?? 'no summary'}`,
        facts: { feed: observation.feed, advisory: observation.id },
      });
    }
  }
  if (result.observations.length === 0) {
    // Unchanged: the source answers again.
    changed = (await book.remove('observation', `failure/${result.source}`)) || changed;
  }
  const cursor = result.cursor?.cursor ?? result.cursor?.etag;
  if (cursor !== undefined) await book.put('cursor', `watch/${result.source}`, { cursor });
  await book.put('cursor', `asked/${result.source}`, { cursor: result.at });
  return changed;
}
