import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readBlockYaml } from '../../../src/model/recipe/block-yaml.ts';
import { lineAt, readFullYaml, readYaml } from '../../../src/model/recipe/yaml.ts';
import { sharedData } from '../../support/shared-data.ts';

const fastTexts: readonly (readonly [what: string, text: string, value: unknown])[] = [
  ['plain scalars as written', 'a: 1.10\nb: true\nc: 0x1F\n', { a: '1.10', b: 'true', c: '0x1F' }],
  ['nothing', 'a:\nb: ~\nc: null\nd: # none\n', { a: null, b: null, c: null, d: null }],
  [
    'quotes',
    `a: "x \\"y\\" \\n"\nb: 'it''s' # c\n"c d": "e"\n'f': g\n`,
    { a: 'x "y" \n', b: "it's", 'c d': 'e', f: 'g' },
  ],
  ['comments', '# top\na: b # c\n\n  # deep\nd: e#f\n', { a: 'b', d: 'e#f' }],
  ['a sequence at the column of its key', 'a:\n- b\n- c\nd: e\n', { a: ['b', 'c'], d: 'e' }],
  [
    'maps in sequences',
    'a:\n  - b: c\n    d:\n      - e\n  -\n    f: g\n  - - h\n    - i\n',
    { a: [{ b: 'c', d: ['e'] }, { f: 'g' }, ['h', 'i']] },
  ],
  ['an empty item', 'a:\n  -\n  - b\n', { a: [null, 'b'] }],
  [
    'literal text',
    'a: |\n  one\n\n    two # no comment\n  three\n\nb: |-\n  x\nc: |+ # kept\n  y\n\n',
    { a: 'one\n\n  two # no comment\nthree\n', b: 'x', c: 'y\n\n' },
  ],
  [
    'literal text after an empty line, ended by a comment',
    'a:\n  - |\n\n    x\n  # end\n  - y\n',
    { a: ['\nx\n', 'y'] },
  ],
  ['empty collections', 'a: {}\nb: [] # none\n', { a: {}, b: [] }],
  ['variables and colons', 'a: ${{vars.x}}\nb: http://x/y\nc: -1\n', { a: '${{vars.x}}', b: 'http://x/y', c: '-1' }],
  ['a sequence alone', '- a\n- b\n', ['a', 'b']],
];

test.each(fastTexts)('reads %s', (_, text, value) => {
  expect(readBlockYaml(text)).toEqual(value);
  expect(readFullYaml('x.yaml', text)).toEqual(value);
});

const slowTexts: readonly (readonly [what: string, text: string, value: unknown])[] = [
  ['no line break at the end', 'a: b', { a: 'b' }],
  ['Windows line breaks', 'a: b\r\nc: |\r\n  d\r\n', { a: 'b', c: 'd\n' }],
  ['flow collections', 'a: [b, "c"]\nd: {e: f}\n', { a: ['b', 'c'], d: { e: 'f' } }],
  ['folded text', 'a: >-\n  b\n  c\n', { a: 'b c' }],
  ['plain text on two lines', 'a: b\n  c\nd: e\n', { a: 'b c', d: 'e' }],
  ['quoted text on two lines', 'a: "b\n  c"\n', { a: 'b c' }],
  ['other escapes', 'a: "\\x41"\n', { a: 'A' }],
  [
    'anchors, aliases and merges',
    'a: &x\n  b: c\n  d: e\nf:\n  <<: *x\n  d: own\ng: *x\n',
    { a: { b: 'c', d: 'e' }, f: { b: 'c', d: 'own' }, g: { b: 'c', d: 'e' } },
  ],
  ['a document marker', '---\na: b\n', { a: 'b' }],
  ['explicit indentation', 'a: |1\n  b\n', { a: ' b\n' }],
  ['an empty literal', 'a: |\nb: c\n', { a: '', b: 'c' }],
  ['tabs after text', 'a: b\t# c\n', { a: 'b' }],
  ['a tag', 'a: !x b\n', { a: 'b' }],
  ['nothing at all', '', null],
];

test.each(slowTexts)('leaves %s to the full parser', (_, text, value) => {
  expect(readBlockYaml(text)).toBeUndefined();
  expect(readYaml('x.yaml', text)).toEqual(value);
});

const wrongTexts: readonly (readonly [what: string, text: string, line: number | undefined])[] = [
  ['a key twice', 'a: b\na: c\n', 2],
  ['a map in a plain scalar', 'a: b: c\n', 1],
  ['an entry further in than its siblings', 'a: b\n  c: d\n', 1],
  ['items and keys in one collection', 'a:\n  - b\n  c: d\n', 3],
  ['an open quote', 'a: "b\n', 2],
  ['a tab for indentation', 'a:\n\tb: c\n', 2],
  ['two documents', 'a: b\n---\nc: d\n', 2],
  ['an alias of itself', 'a: &x\n  - *x\n', undefined],
];

test.each(wrongTexts)('refuses %s and says where', (_, text, line) => {
  const where = line === undefined ? {} : { line };
  expect(() => readYaml('x.yaml', text)).toThrow(
    expect.objectContaining({ code: 'recipe.malformed', where: { file: 'x.yaml', ...where } }),
  );
});

test('aliases that would fill the memory, and levels that would fill the stack, are refused', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  for (const text of [`${bomb.join('\n')}\n`, `${'- '.repeat(100_000)}x\n`]) {
    expect(() => readYaml('x.yaml', text)).toThrow(expect.objectContaining({ code: 'recipe.malformed' }));
  }
});

test('a key named __proto__ is a key', () => {
  expect(Object.keys(readYaml('x.yaml', '__proto__: x\na: b\n') as object)).toEqual(['__proto__', 'a']);
});

test('what any YAML writer prints is read the same as by the full parser', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('1.10', 'true', 'x: y', '# z', '- a', 'a\nb\n', '', ' lead', 'null', "it's"),
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie('node'), { maxKeys: 3 }),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (value) => {
      const printed = stringify(value, { lineWidth: 0 });
      const full = readFullYaml('x.yaml', printed);
      expect(readBlockYaml(printed) ?? full).toEqual(full);
    }),
    { numRuns: 500 },
  );
});

test('lines of keys and items, or of what is nearest', () => {
  const text = 'a: b\nc:\n  - d: e\n    f: g\n';
  expect(lineAt(text, ['a'])).toBe(1);
  expect(lineAt(text, ['c', 0, 'f'])).toBe(4);
  expect(lineAt(text, ['c', 0, 'missing'])).toBe(3);
  expect(lineAt(text, ['missing'])).toBeUndefined();
});

const recipes = sharedData('wolfi-os');

test.skipIf(recipes === undefined)(
  'the fast reader and the full parser agree on every real recipe and pipeline',
  { timeout: 180_000 },
  () => {
    const folder = recipes ?? '';
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.yaml'));
    const different: string[] = [];
    let left = 0;
    for (const file of files) {
      const text = readFileSync(join(folder, file), 'utf8');
      const fast = readBlockYaml(text);
      if (fast === undefined) left++;
      else if (JSON.stringify(fast) !== JSON.stringify(readFullYaml(file, text))) different.push(file);
    }
    expect(different).toEqual([]);
    expect(files.length).toBeGreaterThan(3_400);
    expect(left).toBeLessThan(files.length / 100);
  },
);
