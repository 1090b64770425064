import { RegrowError } from '../../errors.ts';
import type { SourceChoice } from '../../model/observation.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';
import type { Watcher } from '../../model/watch.ts';
import { chooseSource } from '../../watch/choice.ts';
import { periodOf } from '../../watch/rhythm.ts';
import type { RecipeTree } from './recipes.ts';

/** A source, and who watches it. */
export interface WatchedSource {
  readonly source: string;
  /** Sorted by package. */
  readonly watchers: readonly Watcher[];
  /** Milliseconds: the least that a recipe's schedule allows between two looks, of the most eager one. */
  readonly period: number;
}

const known = new WeakMap<RecipeTree, ReadonlyMap<string, WatchedSource>>();

/** Every source that an enabled recipe names; each is asked once, however many recipes share it. */
export function watchedSources(tree: RecipeTree): ReadonlyMap<string, WatchedSource> {
  const sources = known.get(tree) ?? findSources(tree);
  known.set(tree, sources);
  return sources;
}

function findSources(tree: RecipeTree): ReadonlyMap<string, WatchedSource> {
  const sources = new Map<string, WatchedSource>();
  for (const name of [...tree.recipes.keys()].sort()) {
    const recipe = tree.recipes.get(name)?.recipe;
    if (recipe?.update?.enabled !== true) continue;
    const choice = choiceOf(recipe);
    if (choice === undefined) continue;
    const { key: source, chosenBy } = choice;
    const before = sources.get(source);
    const period = periodOf(recipe.update);
    sources.set(source, {
      source,
      watchers: [...(before?.watchers ?? []), { package: name, update: recipe.update, chosenBy }],
      period: Math.min(before?.period ?? period, period),
    });
  }
  return sources;
}

/** A recipe whose annotation cannot be read is a problem of its own; here it watches nothing. */
function choiceOf(recipe: Recipe): SourceChoice | undefined {
  try {
    return chooseSource(recipe);
  } catch (thrown) {
    if (thrown instanceof RegrowError) return undefined;
    throw thrown;
  }
}
