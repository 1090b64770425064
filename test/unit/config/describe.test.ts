import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { configOptions, configSchemaText } from '../../../src/config/describe.ts';
import { withGenerated } from '../../../src/config/document.ts';

function read(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
}

/** Writes both again. */
const remedy = 'npx tsx src/config/generate.ts';

describe('what is generated from the schema of the configuration', () => {
  test('config/schema.json is as the code has it', () => {
    const current = read('config/schema.json') === configSchemaText();
    expect(current ? 'current' : `outdated: ${remedy}`).toBe('current');
  });

  test('the tables of docs/configuration.md are as the code has them', () => {
    const text = read('docs/configuration.md');
    expect(text === withGenerated(text) ? 'current' : `outdated: ${remedy}`).toBe('current');
  });

  test('every option says what it is', () => {
    const silent = configOptions().filter((option) => option.description === '');
    expect(silent.map((option) => option.key)).toEqual([]);
  });

  test('config/default.yaml mentions every option', () => {
    const text = read('config/default.yaml');
    const missing = configOptions()
      .map((option) => option.key)
      .filter((key) => !key.includes('[]') && !new RegExp(`\\b${key.split('.').at(-1)}:`).test(text));
    expect(missing).toEqual([]);
  });

  test('a page without a place for the table is refused', () => {
    expect(() => withGenerated('# nothing')).toThrow(expect.objectContaining({ code: 'internal' }));
  });
});
