import { createGraph } from './graph.ts';
import type { RecipeFacts } from './recipe-facts.ts';

/** Of each origin those that are built with it, directly; both sorted. An origin that nothing is built with is left out. */
export type BuildDependents = ReadonlyMap<string, readonly string[]>;

/** Throws recipe.malformed for a need that apk cannot read. */
export function buildDependents(recipes: readonly RecipeFacts[]): BuildDependents {
  const dependents = new Map<string, string[]>();
  for (const [origin, needs] of createGraph(recipes).needs) {
    for (const need of needs) {
      const known = dependents.get(need);
      if (known === undefined) dependents.set(need, [origin]);
      else known.push(origin);
    }
  }
  return dependents;
}
