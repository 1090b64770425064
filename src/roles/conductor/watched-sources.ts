import { readingOf } from '../../decide/reading.ts';
import { RegrowError } from '../../errors.ts';
import type { Policy } from '../../model/policy.ts';
import type { Recipe, UpdateBlock } from '../../model/recipe/recipe.ts';
import type { Watcher } from '../../model/watch.ts';
import { chooseSource } from '../../watch/choice.ts';
import { sourceOfKind } from '../../watch/registry.ts';
import { periodOf } from '../../watch/rhythm.ts';
import type { RecipeFile } from './recipes.ts';

/** A source, and who watches it. */
export interface WatchedSource {
  readonly source: string;
  /** Sorted by package. */
  readonly watchers: readonly Watcher[];
  /** Milliseconds: the least that a recipe's schedule, of the most eager one, and the host allow between two looks. */
  readonly period: number;
}

interface Recipes {
  readonly recipes: ReadonlyMap<string, Pick<RecipeFile, 'recipe'>>;
}

const known = new WeakMap<Recipes, ReadonlyMap<string, WatchedSource>>();

/** Every source that an enabled recipe names; each is asked once, however many recipes share it. A conductor has one policy. */
export function watchedSources(tree: Recipes, policy: Pick<Policy, 'anyStream'>): ReadonlyMap<string, WatchedSource> {
  const sources = known.get(tree) ?? findSources(tree, policy);
  known.set(tree, sources);
  return sources;
}

function findSources(tree: Recipes, policy: Pick<Policy, 'anyStream'>): ReadonlyMap<string, WatchedSource> {
  const sources = new Map<string, WatchedSource>();
  for (const name of [...tree.recipes.keys()].sort()) {
    const recipe = tree.recipes.get(name)?.recipe;
    if (recipe?.update?.enabled !== true) continue;
    const found = watcherOf(recipe, recipe.update, policy);
    if (found === undefined) continue;
    const { source, watcher } = found;
    const before = sources.get(source);
    const period = Math.max(periodOf(recipe.update), sourceOfKind(source)?.leastInterval ?? 0);
    sources.set(source, {
      source,
      watchers: [...(before?.watchers ?? []), watcher],
      period: Math.min(before?.period ?? period, period),
    });
  }
  return sources;
}

/** A recipe whose annotation cannot be read is a problem of its own; here it watches nothing. */
function watcherOf(
  recipe: Recipe,
  update: UpdateBlock,
  policy: Pick<Policy, 'anyStream'>,
): { readonly source: string; readonly watcher: Watcher } | undefined {
  try {
    const choice = chooseSource(recipe);
    if (choice === undefined) return undefined;
    const { stream, ignore } = readingOf(recipe, choice, policy);
    return {
      source: choice.key,
      watcher: {
        package: recipe.package.name,
        version: recipe.package.version,
        update,
        chosenBy: choice.chosenBy,
        ...(stream === undefined ? {} : { stream }),
        ...(ignore === undefined ? {} : { ignore: [...ignore] }),
      },
    };
  } catch (thrown) {
    if (thrown instanceof RegrowError) return undefined;
    throw thrown;
  }
}
