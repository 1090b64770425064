import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pinSteps } from '../../../src/bump/dependency-pins.ts';
import { editPins } from '../../../src/bump/pin-edits.ts';
import { readRecipeDocument } from '../../../src/bump/recipe-document.ts';
import { sharedData } from '../../support/shared-data.ts';

const head = `package:
  name: p
  version: "1.2.3"
  epoch: 0

pipeline:
  - uses: git-checkout
    with:
      repository: https://example.test/r
`;
const build = `  - uses: go/build
    with:
      packages: .
`;

/** The recipe without the pins named, and with others raised. */
function edit(text: string, gone: readonly string[], raised: Readonly<Record<string, string>> = {}): string {
  const pins = pinSteps(readRecipeDocument(text)).flatMap((step) => step.pins);
  return editPins(
    text,
    pins.flatMap((pin) => {
      const to = raised[pin.text];
      if (to !== undefined) return [{ pin, to }];
      return gone.includes(pin.text) ? [{ pin }] : [];
    }),
  );
}

const step = (inputs: string, uses = 'bump') => `  - uses: ${uses}\n    with:\n${inputs}`;
const two = '      deps: |-\n        a.test/a@v1.0.0\n        b.test/b/v2@v2.0.0 # GO-1\n';

describe('editPins', () => {
  test('takes a line out of a block, with the comment behind it, and nothing else', () => {
    const text = `${head}\n${step(two)}\n${build}`;
    expect(edit(text, ['b.test/b/v2@v2.0.0'])).toBe(
      `${head}\n${step('      deps: |-\n        a.test/a@v1.0.0\n')}\n${build}`,
    );
    expect(edit(text, [])).toBe(text);
  });

  test('raises one, and keeps the rest of its line', () => {
    const text = `${head}\n${step(two)}\n${build}`;
    expect(edit(text, [], { 'b.test/b/v2@v2.0.0': 'v2.1.0' })).toBe(text.replace('v2.0.0', 'v2.1.0'));
    const replaced = `${head}\n${step('      replaces: x.test/v1=y.test/v1@v1.0.0\n')}\n${build}`;
    expect(edit(replaced, [], { 'x.test/v1=y.test/v1@v1.0.0': 'v1.2.0' })).toBe(replaced.replace('@v1.0.0', '@v1.2.0'));
  });

  test.each([
    ['in the middle', `${head}\n${step(two)}\n${build}`, `${head}\n${build}`],
    ['at the end', `${head}\n${step(two)}\nsubpackages: []\n`, `${head}\nsubpackages: []\n`],
    ['at the end of the file', `${head}\n${step(two)}`, head],
    ['without blank lines', `${head}${step(two)}${build}`, `${head}${build}`],
    [
      'of CRLF',
      `${head}\n${step(two)}\n${build}`.replaceAll('\n', '\r\n'),
      `${head}\n${build}`.replaceAll('\n', '\r\n'),
    ],
    [
      'with the comment above it, but not the one above the next',
      `${head}\n  # why\n  # it is\n${step(two)}\n  # of the next\n${build}`,
      `${head}\n  # of the next\n${build}`,
    ],
    [
      'that is first',
      `pipeline:\n${step(two)}\n${step(two, 'go/bump')}\n${build}`.replace(/^/, 'package: {name: p, version: 1}\n'),
      `package: {name: p, version: 1}\npipeline:\n${build}`,
    ],
    [
      'with other keys and a comment inside',
      `${head}\n  - working-directory: w\n    uses: bump\n    with:\n      # c\n      tidy: false\n${two}      modroot: |-\n        .\n        api\n\n${build}`,
      `${head}\n${build}`,
    ],
    [
      'nested',
      `${head}\n  - pipeline:\n      - runs: x\n\n      - uses: bump\n        with:\n          deps: a.test/a@v1.0.0\n\n${build}`,
      `${head}\n  - pipeline:\n      - runs: x\n\n${build}`,
    ],
  ])('takes a whole step with its last pin: %s', (_, before, after) => {
    expect(edit(before, ['a.test/a@v1.0.0', 'b.test/b/v2@v2.0.0'])).toBe(after);
  });

  test('takes a key with its last pin where the step has others, or a file of them', () => {
    const replaces = '      replaces: |-\n        x.test/x=x.test/x@v1.0.0\n';
    const both = `${head}\n${step(`      # of deps\n${two}${replaces}`)}\n${build}`;
    expect(edit(both, ['a.test/a@v1.0.0', 'b.test/b/v2@v2.0.0'])).toBe(`${head}\n${step(replaces)}\n${build}`);
    expect(edit(both, ['x.test/x=x.test/x@v1.0.0'])).toBe(`${head}\n${step(`      # of deps\n${two}`)}\n${build}`);
    const file = `${head}\n${step('      deps: g@a@1.0\n      properties: properties.yaml\n')}\n${build}`;
    expect(edit(file, ['g@a@1.0'])).toBe(`${head}\n${step('      properties: properties.yaml\n')}\n${build}`);
  });

  test.each([
    ['deps: a@1.0.0 b@2.0.0 c@3.0.0', 'a@1.0.0', 'deps: b@2.0.0 c@3.0.0'],
    ['packages: "a@1.0.0 b@2.0.0 c@3.0.0"', 'b@2.0.0', 'packages: "a@1.0.0 c@3.0.0"'],
    ["packages: 'a@1.0.0 b@2.0.0'", 'b@2.0.0', "packages: 'a@1.0.0'"],
    ['deps: |\n        a@1.0.0 b@2.0.0\n        c@3.0.0', 'a@1.0.0', 'deps: |\n        b@2.0.0\n        c@3.0.0'],
    ['deps: |\n        a@1.0.0 b@2.0.0\n        c@3.0.0', 'c@3.0.0', 'deps: |\n        a@1.0.0 b@2.0.0'],
    ['deps: >-\n        a@1.0.0 b@2.0.0', 'b@2.0.0', 'deps: >-\n        a@1.0.0'],
  ])('takes one word of several: %j without %s', (before, pin, after) => {
    const text = (inputs: string) => `${head}\n${step(`      ${inputs}\n`)}\n${build}`;
    expect(edit(text(before), [pin])).toBe(text(after));
  });

  test.each([
    ['deps: a@1.0.0 b@2.0.0 c@3.0.0 d@4.0.0', ['a', 'b'], 'deps: c@3.0.0 d@4.0.0'],
    ['deps: a@1.0.0  b@2.0.0  c@3.0.0 d@4.0.0', ['a', 'c', 'd'], 'deps: b@2.0.0'],
    ['deps: a@1.0.0 b@2.0.0\n        c@3.0.0 d@4.0.0', ['a', 'b'], 'deps: c@3.0.0 d@4.0.0'],
    ['deps: a@1.0.0 b@2.0.0\n        c@3.0.0 d@4.0.0', ['b', 'c'], 'deps: a@1.0.0 d@4.0.0'],
    [
      'deps: |\n        a@1.0.0 b@2.0.0 c@3.0.0 # x\n        d@4.0.0 # y',
      ['a', 'c', 'd'],
      'deps: |\n        b@2.0.0 # x',
    ],
  ])('takes several words: %j without %j', (before, gone, after) => {
    const text = (inputs: string) => `${head}\n${step(`      ${inputs}\n`)}\n${build}`;
    const names = ['a@1.0.0', 'b@2.0.0', 'c@3.0.0', 'd@4.0.0'].filter((pin) => gone.includes(pin[0] ?? ''));
    expect(edit(text(before), names)).toBe(text(after));
  });

  test('refuses where nothing would be left of a pipeline, or all stands on one line', () => {
    const alone = `${head}\nsubpackages:\n  - name: s\n    pipeline:\n      - uses: bump\n        with:\n          deps: a@1.0.0\n`;
    expect(() => edit(alone, ['a@1.0.0'])).toThrow(expect.objectContaining({ code: 'recipe.edit-impossible' }));
    const flow = `${head}\n  - {uses: bump, with: {deps: a@1.0.0}}\n${build}`;
    expect(() => edit(flow, ['a@1.0.0'])).toThrow(expect.objectContaining({ code: 'recipe.edit-impossible' }));
  });
});

describe('pinSteps', () => {
  const read = (inputs: string, rest = '') =>
    pinSteps(readRecipeDocument(`${head}\n${step(inputs)}${rest}\n${build}`), (text) =>
      text.replace('${{vars.sub}}', 'sub'),
    )[0];

  test('says what each pin means', () => {
    const pins = read(
      '      deps: |-\n        a.test/a@v1.0.0 crate@1.2.3 g.h@art@4.1.Final@import@pom x@latest y@v1@2 a@${{vars.v}}\n' +
        '      replaces: a.test/a=b.test/b@v1.1.0\n',
    )?.pins;
    expect(pins?.map(({ means }) => means)).toEqual([
      { ecosystem: 'go', name: 'a.test/a', version: 'v1.0.0' },
      { ecosystem: 'cargo', name: 'crate', version: '1.2.3' },
      { ecosystem: 'maven', name: 'g.h:art', version: '4.1.Final' },
      undefined,
      { ecosystem: 'maven', name: 'y:v1', version: '2' },
      undefined,
      { ecosystem: 'go', name: 'a.test/a', by: 'b.test/b', version: 'v1.1.0' },
    ]);
  });

  test('names the projects of a step below the workspace', () => {
    expect(read('      deps: a@1.0.0\n')?.roots).toEqual(['.']);
    expect(read('      deps: a@1.0.0\n      modroot: |-\n        ./${{vars.sub}}\n\n        ../up\n')?.roots).toEqual([
      'sub',
      '../up',
    ]);
    const inside = read(
      '      deps: a@1.0.0\n      modroot: api\n      manifest: bom.xml\n',
      '    working-directory: in/./it\n',
    );
    expect(inside).toMatchObject({ roots: ['in/it/api'], pom: 'in/it/bom.xml' });
    expect(read('      deps: a@1.0.0\n', '    working-directory: /home/build/w\n')?.roots).toEqual(['w']);
  });

  test('a file of pins and pins of Python mean nothing here; a step without any is none', () => {
    const meanings = (inputs: string) => read(inputs)?.pins.map(({ text, means }) => [text, means]);
    expect(meanings('      deps: deps.yaml\n')).toEqual([['deps.yaml', undefined]]);
    expect(meanings('      deps: |\n        # c\n        urllib3==2.7.0 # d\n')).toEqual([
      ['urllib3==2.7.0', undefined],
    ]);
    expect(read('      tidy: false\n')).toBeUndefined();
  });
});

const wolfi = sharedData('wolfi-os');

/** What is left of a recipe's tree when these pins go, made without any text. */
function without(node: unknown, gone: ReadonlySet<string>): unknown {
  if (Array.isArray(node)) return node.map((one) => without(one, gone)).filter((one) => one !== undefined);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => [key, without(value, gone)] as const);
  if (!('uses' in node) || node.uses !== 'bump' || !('with' in node)) return Object.fromEntries(entries);
  const before = Object.entries(node.with as Record<string, string>);
  const left = before.flatMap(([key, value]) => {
    if (!['deps', 'packages', 'replaces'].includes(key)) return [[key, value]];
    const words = value
      .replace(/(^|\s)#.*$/gm, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    const stay = words.filter((word) => !gone.has(word));
    return stay.length === 0 && words.length > 0 ? [] : [[key, stay.join(' ')]];
  });
  const hasPins = left.some(([key = '']) => ['deps', 'packages', 'replaces', 'properties'].includes(key));
  return hasPins ? Object.fromEntries([...entries, ['with', Object.fromEntries(left)]]) : undefined;
}

test.skipIf(wolfi === undefined)('of every real recipe with pins, any of them can go, and nothing else changes', () => {
  const folder = wolfi ?? '';
  let edited = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    if (!/uses: bump$/m.test(text)) continue;
    const steps = pinSteps(readRecipeDocument(text)).filter(({ fixed }) => fixed === undefined);
    const pins = [...new Set(steps.flatMap((step) => step.pins.map((pin) => pin.text)))];
    for (const every of [1, 2, 3]) {
      const gone = pins.filter((_, i) => i % every === 0);
      if (gone.length === 0) continue;
      const after = edit(text, gone);
      const nothing = new Set<string>();
      expect(without(readRecipeDocument(after).document.toJS(), nothing), file).toEqual(
        without(readRecipeDocument(text).document.toJS(), new Set(gone)),
      );
      const lines = new Set(text.split('\n'));
      const strange = after.split('\n').filter((line) => !lines.has(line) && !/@v?\d/.test(line));
      expect(strange, file).toEqual([]);
      edited += 1;
    }
  }
  expect(edited).toBeGreaterThan(600);
});
