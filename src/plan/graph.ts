import { parseDependency } from '../model/dependency.ts';
import { components } from './components.ts';
import { createProviderLookup } from './providers.ts';
import type { RecipeFacts } from './recipe-facts.ts';

/** A need that no recipe here provides; only a published package can meet it. */
export interface UnresolvedNeed {
  readonly origin: string;
  readonly dependency: string;
}

/** Which recipes have to be built before which. Nodes are origins; a subpackage stands for its origin. */
export interface BuildGraph {
  /** Sorted. */
  readonly origins: readonly string[];
  /** Packages of all origins. */
  readonly packages: number;
  /** Of each origin, those that it is built with, sorted; itself left out. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  readonly edges: number;
  readonly unresolved: readonly UnresolvedNeed[];
  /** Needs that no recipe provides and the host that builds stands in for. */
  readonly fromHost: readonly UnresolvedNeed[];
  /** Origins that need what they themselves make: the published package builds the next one. */
  readonly selfBootstrapped: readonly string[];
}

/**
 * The graph of recipes; the same for the same recipes in any order. `host`: names that the host stands in for where no recipe
 * has the name. Throws recipe.malformed for a need that apk cannot read.
 */
export function createGraph(recipes: readonly RecipeFacts[], host: ReadonlySet<string> = new Set()): BuildGraph {
  const sorted = recipes.toSorted((a, b) => (a.origin < b.origin ? -1 : 1));
  const providersOf = createProviderLookup(sorted);
  const needs = new Map<string, readonly string[]>();
  const unresolved: UnresolvedNeed[] = [];
  const fromHost: UnresolvedNeed[] = [];
  const selfBootstrapped: string[] = [];
  const isHosts = (name: string) => host.has(name) && providersOf(name).length === 0;
  let edges = 0;
  let packages = 0;
  for (const recipe of sorted) {
    const { origin } = recipe;
    packages += recipe.packages.length;
    const targets = new Set<string>();
    let self = false;
    for (const dependency of recipe.needs) {
      if (dependency.startsWith('!')) continue;
      const provider = providersOf(dependency)[0];
      if (provider === undefined) {
        const others = isHosts(parseDependency(dependency).name) ? fromHost : unresolved;
        others.push({ origin, dependency });
      }
      // A recipe cannot be built with what it is about to make: the published package builds the next one.
      else if (provider.origin === origin) self = true;
      else targets.add(provider.origin);
    }
    if (self) selfBootstrapped.push(origin);
    needs.set(origin, [...targets].toSorted());
    edges += targets.size;
  }
  const origins = sorted.map(({ origin }) => origin);
  return { origins, packages, needs, edges, unresolved, fromHost, selfBootstrapped };
}

/** Recipes that need each other, or one alone, those that others need first: build order. */
export function buildOrder(graph: BuildGraph): readonly (readonly string[])[] {
  return components(graph.origins, (origin) => graph.needs.get(origin) ?? []);
}

/** The longest chain of needs, in steps, when each cycle counts as one node. */
export function graphDepth(graph: BuildGraph, order: readonly (readonly string[])[] = buildOrder(graph)): number {
  const componentOf = new Map(order.flatMap((members, index) => members.map((member) => [member, index] as const)));
  const levels: number[] = [];
  for (const [index, members] of order.entries()) {
    let level = 0;
    for (const member of members) {
      for (const need of graph.needs.get(member) ?? []) {
        const other = componentOf.get(need) ?? index;
        if (other !== index) level = Math.max(level, (levels[other] ?? 0) + 1);
      }
    }
    levels.push(level);
  }
  return Math.max(0, ...levels);
}

/** Cycles with more than one member, largest first. */
export function graphCycles(order: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return order.filter((members) => members.length > 1).toSorted((a, b) => b.length - a.length);
}

/**
 * Of the origins that are still to be built, those that can be built now: nothing they need is itself to be built. Inside
 * of a cycle nothing ever would be: its members wait only for what is outside, and are built against the published packages.
 */
export function readySet(graph: BuildGraph, pending: ReadonlySet<string>): readonly string[] {
  const componentOf = new Map(
    buildOrder(graph).flatMap((members, index) => members.map((member) => [member, index] as const)),
  );
  return graph.origins.filter(
    (origin) =>
      pending.has(origin) &&
      (graph.needs.get(origin) ?? []).every(
        (need) => !pending.has(need) || componentOf.get(need) === componentOf.get(origin),
      ),
  );
}
