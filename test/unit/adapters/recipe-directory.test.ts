import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { openRecipeCache } from '../../../src/adapters/recipe-cache.ts';
import { readRecipeDirectory } from '../../../src/adapters/recipe-directory.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-recipes-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
}

test('recipes are the files at the top, pipelines those below pipelines/, by name', () => {
  write('b.yaml', 'b');
  write('a.yml', 'a');
  write('.hidden.yaml', 'x');
  write('README.md', 'x');
  write('a/fix.yaml', 'x');
  write('pipelines/split/dev.yaml', 'dev');
  write('pipelines/bump.yaml', 'bump');
  write('pipelines/split/notes.txt', 'x');
  const { recipes, pipelines } = readRecipeDirectory(folder);
  expect(recipes.map(({ path, text }) => [path, text])).toEqual([
    ['a.yml', 'a'],
    ['b.yaml', 'b'],
  ]);
  expect([...pipelines]).toEqual([
    ['bump', 'bump'],
    ['split/dev', 'dev'],
  ]);
});

test('digests follow the content, pipelines are read anew', () => {
  write('a.yaml', 'a');
  write('pipelines/x.yaml', 'x');
  const before = readRecipeDirectory(folder);
  write('a.yaml', 'b');
  const after = readRecipeDirectory(folder);
  expect(after.recipes[0]?.digest).not.toBe(before.recipes[0]?.digest);
  expect(after.pipelines).toEqual(before.pipelines);
  write('pipelines/x.yaml', 'y');
  expect(readRecipeDirectory(folder).pipelines).toEqual(new Map([['x', 'y']]));
});

test('a folder without pipelines has none, and one that is not there is refused', () => {
  expect(readRecipeDirectory(folder)).toMatchObject({ recipes: [], pipelines: new Map() });
  expect(() => readRecipeDirectory(join(folder, 'none'))).toThrow(
    expect.objectContaining({ code: 'config.invalid', where: { field: 'recipes' } }),
  );
});

test('a file that cannot be read is an error of the folder', () => {
  symlinkSync(join(folder, 'nowhere'), join(folder, 'a.yaml'));
  expect(() => readRecipeDirectory(folder)).toThrow(
    expect.objectContaining({ code: 'storage.failed', retry: 'later' }),
  );
});

const valueSchema = z.strictObject({ n: z.number() });
const open = (key = 'k') => openRecipeCache(join(folder, 'cache'), key, valueSchema);

test('the cache keeps what it was last given, for its key', () => {
  expect(open().get('a')).toBeUndefined();
  expect(open().replace(new Map([['a', { n: 1 }]]))).toBe(true);
  expect(open().get('a')).toEqual({ n: 1 });
  expect(open().get('b')).toBeUndefined();
  expect(open('other').get('a')).toBeUndefined();
  open().replace(new Map([['b', { n: 2 }]]));
  expect(open().get('a')).toBeUndefined();
  expect(readdirSync(join(folder, 'cache'))).toHaveLength(1);
});

test.each(['{', '{"key":"k","entries":{"a":{"n":"1"}}}'])('a damaged cache (%s) is an empty one', (text) => {
  open().replace(new Map([['a', { n: 1 }]]));
  const [file = ''] = readdirSync(join(folder, 'cache'));
  writeFileSync(join(folder, 'cache', file), text);
  expect(open().get('a')).toBeUndefined();
});

test('a cache that cannot be written says so', () => {
  write('cache', 'a file where the folder should be');
  expect(open().replace(new Map())).toBe(false);
});
