import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildOrder, createGraph, graphCycles, graphDepth, readySet } from '../../../src/plan/graph.ts';
import { describeGraph } from '../../../src/plan/graph-report.ts';
import type { RecipeFacts } from '../../../src/plan/recipe-facts.ts';

/** A recipe with a `-dev` subpackage. */
function recipe(origin: string, needs: readonly string[], more: Partial<RecipeFacts> = {}): RecipeFacts {
  const packages = [origin, `${origin}-dev`].map((name) => ({ name, provides: [], priority: 0 }));
  return { origin, version: '1.0-r0', packages, needs: [...needs], unknownPipelines: [], ...more };
}

test('a subpackage stands for its origin, and several needs of one origin are one edge', () => {
  const graph = createGraph([recipe('app', ['lib', 'lib-dev', '!lib-old', 'gone']), recipe('lib', [])]);
  expect(graph.needs.get('app')).toEqual(['lib']);
  expect(graph).toMatchObject({ origins: ['app', 'lib'], packages: 4, edges: 1, selfBootstrapped: [] });
  expect(graph.unresolved).toEqual([{ origin: 'app', dependency: 'gone' }]);
});

test('a recipe that needs itself is built with the published package', () => {
  const graph = createGraph([recipe('go', ['go', 'libc']), recipe('libc', [])]);
  expect(graph.selfBootstrapped).toEqual(['go']);
  expect(graph.needs.get('go')).toEqual(['libc']);
});

test('cycles count as one node of the depth, and are named, largest first', () => {
  const graph = createGraph([
    recipe('a', ['b']),
    recipe('b', ['a', 'c']),
    recipe('c', ['d']),
    recipe('d', ['e']),
    recipe('e', ['c']),
    recipe('f', ['a']),
  ]);
  const order = buildOrder(graph);
  expect(order).toEqual([['c', 'd', 'e'], ['a', 'b'], ['f']]);
  expect(graphDepth(graph)).toBe(2);
  expect(graphCycles(order)).toEqual([
    ['c', 'd', 'e'],
    ['a', 'b'],
  ]);
  expect(describeGraph(graph).report).toEqual({
    recipes: 6,
    packages: 12,
    edges: 7,
    unresolved: 0,
    cycles: [3, 2],
    depth: 2,
  });
  expect(graphDepth(createGraph([]))).toBe(0);
});

test('ready is what needs nothing that is still to be built, but for members of its own cycle', () => {
  const graph = createGraph([
    recipe('libc', []),
    recipe('gcc', ['libc', 'as']),
    recipe('as', ['gcc']),
    recipe('app', ['gcc', 'lib']),
    recipe('lib', []),
  ]);
  expect(readySet(graph, new Set(['libc', 'gcc', 'app']))).toEqual(['libc']);
  expect(readySet(graph, new Set(['gcc', 'as', 'app']))).toEqual(['as', 'gcc']);
  expect(readySet(graph, new Set(['app', 'lib']))).toEqual(['lib']);
  expect(readySet(graph, new Set(['app']))).toEqual(['app']);
});

const names = 'abcdefg'.split('');
const graphs = fc.uniqueArray(
  fc.record({ origin: fc.constantFrom(...names), needs: fc.uniqueArray(fc.constantFrom(...names)) }),
  { selector: ({ origin }) => origin },
);

test('building what is ready, again and again, builds everything, and nothing before what it needs outside of its cycle', () => {
  fc.assert(
    fc.property(graphs, (recipes) => {
      const graph = createGraph(recipes.map(({ origin, needs }) => recipe(origin, needs)));
      const cycleOf = new Map(
        buildOrder(graph).flatMap((members) => members.map((member) => [member, members] as const)),
      );
      const pending = new Set(graph.origins);
      const built = new Map<string, number>();
      let rounds = 0;
      for (; pending.size > 0 && rounds < 10; rounds++) {
        for (const origin of readySet(graph, pending)) built.set(origin, rounds);
        for (const origin of built.keys()) pending.delete(origin);
      }
      expect([...built.keys()].toSorted()).toEqual(graph.origins);
      expect(rounds).toBeLessThanOrEqual(graphDepth(graph) + 1);
      const early = graph.origins.filter((origin) =>
        graph.needs
          .get(origin)
          ?.some(
            (need) => cycleOf.get(need) !== cycleOf.get(origin) && Number(built.get(need)) >= Number(built.get(origin)),
          ),
      );
      expect(early).toEqual([]);
    }),
  );
});

test('the order of the recipes does not matter', () => {
  fc.assert(
    fc.property(graphs, (recipes) => {
      const facts = recipes.map(({ origin, needs }) => recipe(origin, needs));
      expect(createGraph(facts.toReversed())).toEqual(createGraph(facts));
    }),
  );
});
