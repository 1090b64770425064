import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('docs/errors.md says of every code what it means and what to do, in the order of the union', () => {
  const union = read('src/errors.ts').split('export type ErrorCode =')[1]?.split(';\n')[0] ?? '';
  const codes = [...union.matchAll(/\| '([a-z.-]+)'/g)].map(([, code]) => code);
  const rows = [...read('docs/errors.md').matchAll(/^\| `([a-z.-]+)` \| (.+) \| (.+) \|$/gm)];
  expect(codes.length).toBeGreaterThan(40);
  expect(rows.map(([, code]) => code)).toEqual(codes);
});
