import fc from 'fast-check';
import { expect, test } from 'vitest';
import { components } from '../../../src/plan/components.ts';

type Edges = Readonly<Record<string, readonly string[]>>;

const of = (edges: Edges) => components(Object.keys(edges), (node) => edges[node] ?? []);

test('a chain comes out in build order', () => {
  expect(of({ app: ['lib'], lib: ['libc'], libc: [] })).toEqual([['libc'], ['lib'], ['app']]);
});

test('a cycle is one component, and what needs it comes after it', () => {
  expect(of({ image: ['gcc'], gcc: ['libc'], libc: ['gcc', 'headers'], headers: [] })).toEqual([
    ['headers'],
    ['gcc', 'libc'],
    ['image'],
  ]);
});

test('a chain of 100,000 packages does not exhaust the stack', () => {
  const successors = (node: string) => (Number(node) < 100_000 ? [String(Number(node) + 1)] : []);
  expect(components(['0'], successors)).toHaveLength(100_001);
});

test('every node is in one component, and an edge never leads to a later one', () => {
  const graph = fc.dictionary(fc.constantFrom(...'abcdefgh'), fc.uniqueArray(fc.constantFrom(...'abcdefgh')));
  fc.assert(
    fc.property(graph, (edges) => {
      const found = of(edges);
      const place = new Map(found.flatMap((members, i) => members.map((member) => [member, i] as const)));
      expect(place.size).toBe(found.flat().length);
      for (const [from, successors] of Object.entries(edges)) {
        for (const to of successors) expect(place.get(to) ?? 0).toBeLessThanOrEqual(place.get(from) ?? 0);
      }
    }),
  );
});
