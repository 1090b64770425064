import { array, assert, constantFrom, integer, property, record } from 'fast-check';
import { expect, test } from 'vitest';
import type { CollectedClass, KeepReason } from '../../../../src/model/collection.ts';
import { classOf, type Patience, planCollection } from '../../../../src/publish/collect/plan.ts';

const day = 86_400_000;
const now = new Date('2026-06-10T00:00:00.000Z');
const ago = (days: number) => new Date(now.getTime() - days * day).toISOString();
const patience: Patience = {
  blob: 7 * day,
  package: 7 * day,
  log: 30 * day,
  input: 7 * day,
  request: 7 * day,
  result: 7 * day,
  image: 30 * day,
};
const blob = `blobs/sha256/aa/${'a'.repeat(64)}`;

function plan(
  listing: readonly string[],
  known: Readonly<Record<string, string>>,
  { kept = [] }: { readonly kept?: readonly string[] } = {},
) {
  const roots = {
    kept: new Map<string, KeepReason>(kept.map((key) => [key, 'generation'])),
    missing: [],
  };
  return planCollection(listing, roots, { known, patience, now });
}

test('what is unused is noted the first time, and goes when it still is after its patience', () => {
  expect(plan([blob], {})).toMatchObject({ due: [], waiting: new Map([[blob, now.toISOString()]]) });
  expect(plan([blob], { [blob]: ago(6.9) })).toMatchObject({ due: [], waiting: new Map([[blob, ago(6.9)]]) });
  expect(plan([blob], { [blob]: ago(7) })).toMatchObject({ due: [blob], waiting: new Map() });
});

test('what is used again meanwhile is forgotten, and what is gone is not looked for', () => {
  expect(plan([blob], { [blob]: ago(90) }, { kept: [blob] })).toMatchObject({ due: [], waiting: new Map() });
  expect(plan([], { [blob]: ago(90) })).toMatchObject({ due: [], waiting: new Map() });
});

test('a time that is still to come, of a clock that was put back, counts from now', () => {
  expect(plan([blob], { [blob]: ago(-400) })).toMatchObject({ due: [], waiting: new Map([[blob, now.toISOString()]]) });
});

test.each<[string, CollectedClass, number]>([
  [blob, 'blob', 7],
  ['staging/k/a-1-r0.apk', 'package', 7],
  ['staging/k/result.json', 'package', 7],
  ['staging/k/log', 'log', 30],
  ['inputs/x.json', 'input', 7],
  ['requests/x.json', 'request', 7],
  ['results/build-k.1.json', 'result', 7],
  ['images/attached/x.json', 'image', 30],
])('%s is a %s, and goes after %i days', (key, kind, days) => {
  expect(plan([key], { [key]: ago(days - 0.1) }).due).toEqual([]);
  expect(plan([key], { [key]: ago(days) }).due).toEqual([key]);
  expect(classOf(key)).toBe(kind);
});

test('a result that says that packages are there goes first, and packages never without it', () => {
  const packages = ['staging/k/a-1-r0.apk', 'staging/k/b-1-r0.apk'];
  const result = 'staging/k/result.json';
  const old = Object.fromEntries([...packages, result].map((key) => [key, ago(8)]));
  expect(plan([blob, ...packages, result], { ...old, [blob]: ago(8) }).due).toEqual([result, ...packages, blob]);
  expect(plan([...packages, result], { ...old, [result]: ago(1) }).due).toEqual([]);
  expect(plan([...packages, result], old, { kept: [result] }).due).toEqual([]);
  expect(plan(packages, old).due).toEqual(packages);
});

test('nothing goes that is used, that was not unused before, or that is younger than its patience', () => {
  const keys = [
    blob,
    'staging/k/a-1-r0.apk',
    'staging/k/result.json',
    'staging/k/log',
    'inputs/x.json',
    'results/y.json',
  ];
  const key = constantFrom(...keys);
  const facts = record({
    listing: array(key),
    kept: array(key),
    known: array(record({ key, days: integer({ min: -5, max: 60 }) })),
  });
  assert(
    property(facts, ({ listing, kept, known }) => {
      const since = Object.fromEntries(known.map((one) => [one.key, ago(one.days)]));
      const { due, waiting } = plan(listing, since, { kept });
      for (const one of due) {
        expect(listing).toContain(one);
        expect(kept).not.toContain(one);
        expect(now.getTime() - Date.parse(since[one] ?? '')).toBeGreaterThanOrEqual(patience[classOf(one)]);
      }
      const unused = new Set(listing.filter((one) => !kept.includes(one)));
      expect(new Set([...due, ...waiting.keys()])).toEqual(unused);
    }),
  );
});
