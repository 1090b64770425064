import { RegrowError } from '../../errors.ts';
import type { JobPayload } from '../../jobs/catalogue.ts';
import type { AnyJobRequest } from '../../jobs/queues.ts';
import { canonicalJson } from '../../model/canonical.ts';
import type { WatchFailure } from '../../model/observation.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';
import type { ObservedResult } from '../../model/result.ts';
import { chooseSource } from '../../watch/choice.ts';
import { cursorKey } from '../effects.ts';
import type { ConductorContext } from './context.ts';
import type { RecipeTree } from './recipes.ts';

/** Every source that an enabled recipe names; each is asked once, however many recipes share it. */
export function watchedSources(tree: RecipeTree): ReadonlyMap<string, readonly string[]> {
  const sources = new Map<string, string[]>();
  for (const [name, { recipe }] of tree.recipes) {
    if (recipe.update?.enabled !== true) continue;
    const source = keyOf(recipe);
    if (source !== undefined) sources.set(source, [...(sources.get(source) ?? []), name]);
  }
  return sources;
}

/** A recipe whose annotation cannot be read is a problem of its own; here it watches nothing. */
function keyOf(recipe: Recipe): string | undefined {
  try {
    return chooseSource(recipe)?.key;
  } catch (thrown) {
    if (thrown instanceof RegrowError) return undefined;
    throw thrown;
  }
}

/** A longer one does not go into a job: the source is then asked as if for the first time. */
const longestCursor = 1024;

/** What the last answer gave to compare by. */
function storedCursor({ book }: ConductorContext, name: string): string | undefined {
  return book.get('cursor', `watch/${name}`)?.value.cursor;
}

/** The jobs of one slot: every source once. */
export function releaseJobs(context: ConductorContext, tree: RecipeTree, slot: number): readonly AnyJobRequest[] {
  return [...watchedSources(tree).keys()].map((source) => {
    const cursor = storedCursor(context, source);
    const known = cursor === undefined || cursor === '' || cursor.length > longestCursor ? {} : { cursor };
    return { type: 'watch-release', payload: { source, slot, ...known }, urgency: 'low' };
  });
}

/** The job that reads a feed on from where it was read to. */
export async function advisoryJob(
  context: ConductorContext,
  { feed, slot, part }: { readonly feed: string; readonly slot: number; readonly part: number },
): Promise<JobPayload<'watch-advisories'>> {
  const cursor = storedCursor(context, feed);
  if (cursor === undefined) return { feed, slot, part };
  await context.objects.put(cursorKey(feed), new TextEncoder().encode(cursor));
  return { feed, slot, part, cursor: cursorKey(feed) };
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

/**
 * Writes down what a poller saw, and asks for the next part of a feed that has one. Says whether anything is new. A part that
 * was read from elsewhere than where the feed has been read to is left: what lies between may not be known.
 */
export async function recordObserved(context: ConductorContext, result: ObservedResult): Promise<boolean> {
  const { book } = context;
  const { part, source } = result;
  const follows = () => part === undefined || part.start === storedCursor(context, source);
  const changed = follows() && (await recordObservations(context, result));
  const cursor = result.cursor?.cursor ?? result.cursor?.etag;
  // Asked once more: the same part may have been read twice, and written down by another job meanwhile.
  if (cursor !== undefined && follows()) await book.put('cursor', `watch/${source}`, { cursor });
  // Also when this was written down before, by who was killed then.
  if (part?.more === true && cursor !== undefined && cursor === storedCursor(context, source)) {
    const next = await advisoryJob(context, { feed: source, slot: part.slot, part: part.number + 1 });
    await context.queues.enqueue('watch-advisories', next);
  }
  return changed;
}

async function recordObservations(context: ConductorContext, result: ObservedResult): Promise<boolean> {
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
    const known = book.get('observation', key)?.value;
    if (known?.kind === 'advisory' && canonicalJson(known.osv) === canonicalJson(observation.osv)) continue;
    // As with releases.
    if (known?.kind === 'advisory' && known.observedAt > observation.observedAt) continue;
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
  for (const source of result.part?.answered ?? []) {
    changed = (await book.remove('observation', `failure/${source}`)) || changed;
  }
  await book.put('cursor', `asked/${result.source}`, { cursor: result.at });
  return changed;
}
