import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { bumpEpoch, bumpRecipe, type HashEdit } from '../../../src/bump/edit-recipe.ts';
import { sharedData } from '../../support/shared-data.ts';

const oldHash = 'a'.repeat(64);
const newHash = 'b'.repeat(64);

const recipe = `# a comment
package:
  name: jq
  version: 1.10 # a number to some
  epoch: 3 # GHSA-xxxx
  description: 'JSON: in, JSON out'

pipeline:
  - uses: fetch
    with:
      uri: https://example.test/jq-\${{package.version}}.tar.gz
      expected-sha256: ${oldHash}   # keep me

  - runs: |
      version: 1.10
`;

const pin = { path: ['pipeline', 0, 'with', 'expected-sha256'], value: newHash } satisfies HashEdit;

describe('bumpRecipe', () => {
  test('sets version, epoch and hash, and keeps every other byte', () => {
    expect(bumpRecipe(recipe, { version: '1.11', hashes: [pin] })).toBe(
      recipe.replace('version: 1.10 #', 'version: "1.11" #').replace('epoch: 3', 'epoch: 0').replace(oldHash, newHash),
    );
  });

  test('raises the epoch when the version stays, or sets the one given', () => {
    expect(bumpRecipe(recipe, { version: '1.10', hashes: [] })).toContain(
      'version: "1.10" # a number to some\n  epoch: 4 #',
    );
    expect(bumpRecipe(recipe, { version: '1.10', epoch: 9, hashes: [] })).toContain('epoch: 9 #');
    expect(bumpRecipe(recipe, { version: '1.1', hashes: [] })).toContain('epoch: 0 #');
  });

  test('keeps line ends, a byte order mark and the quotes of hashes', () => {
    const windows = `\uFEFF${recipe.replace(oldHash, `'${oldHash}'`)}`.replaceAll('\n', '\r\n');
    expect(bumpRecipe(windows, { version: '2', hashes: [pin] })).toBe(
      windows.replace('version: 1.10 #', 'version: "2" #').replace('epoch: 3', 'epoch: 0').replace(oldHash, newHash),
    );
    const doubled = recipe.replace(oldHash, `"${oldHash}"`);
    expect(bumpRecipe(doubled, { version: '2', hashes: [pin] })).toContain(`expected-sha256: "${newHash}"   # keep`);
  });

  test.each(["'1.10'", '"1.10"', '1.10'])('writes double quotes over version: %s', (written) => {
    const text = recipe.replace('version: 1.10 #', `version: ${written} #`);
    expect(bumpRecipe(text, { version: '1.10', hashes: [] })).toContain('version: "1.10" #');
    expect(bumpRecipe(text, { version: '1.10', hashes: [] })).toContain('epoch: 4');
  });

  test('quotes a hash that a YAML parser would read as a number', () => {
    const value = `${'1'.repeat(40)}e${'2'.repeat(23)}`;
    expect(bumpRecipe(recipe, { version: '2', hashes: [{ ...pin, value }] })).toContain(`: "${value}"`);
  });

  test('edits a variable that holds a hash', () => {
    const text = `${recipe}vars:\n  commit: ${'1'.repeat(39)}a\n`;
    const edited = bumpRecipe(text, { version: '2', hashes: [{ path: ['vars', 'commit'], value: 'c'.repeat(40) }] });
    expect(edited).toContain(`vars:\n  commit: ${'c'.repeat(40)}\n`);
  });

  test('adds an epoch where there is none and one is needed', () => {
    const text = recipe.replace('  epoch: 3 # GHSA-xxxx\n', '');
    expect(bumpRecipe(text, { version: '2', hashes: [] })).not.toContain('epoch');
    expect(bumpRecipe(text, { version: '1.10', hashes: [] })).toContain('some\n  epoch: 1\n  description');
    expect(bumpEpoch(text.replaceAll('\n', '\r\n'))).toContain('some\r\n  epoch: 1\r\n  description');
    expect(bumpEpoch('package:\n  version: 1')).toBe('package:\n  version: 1\n  epoch: 1');
  });

  test.each<[string, string, Partial<HashEdit>, string]>([
    ['no such node', recipe, { path: ['pipeline', 7, 'with', 'expected-sha256'] }, 'no such value'],
    ['a path through text', recipe, { path: ['package', 'name', 'x'] }, 'no such value'],
    ['another value', recipe, { old: 'c'.repeat(64) }, `it is ${oldHash}, not`],
    ['a short hash', recipe, { value: 'abc' }, 'not a hash of 64 hex digits'],
    ['upper case', recipe, { value: 'B'.repeat(64) }, 'not a hash'],
    ['a variable', recipe.replace(oldHash, '${{vars.sum}}'), {}, 'comes from a variable'],
    ['several lines', recipe.replace(oldHash, `>-\n        ${oldHash}`), {}, 'over several lines'],
    ['quotes over lines', recipe.replace(oldHash, `"${oldHash}\n       "`), {}, 'over several lines'],
    ['an alias', recipe.replace(oldHash, '*sum').replace('jq\n', '&sum jq\n'), {}, 'no such value'],
  ])('refuses %s', (_, text, change, message) => {
    expect(() => bumpRecipe(text, { version: '2', hashes: [{ ...pin, ...change }] })).toThrow(
      expect.objectContaining({
        code: 'recipe.edit-impossible',
        message: expect.stringContaining(message),
        where: expect.objectContaining({ field: (change.path ?? pin.path).join('.') }),
      }),
    );
  });

  test.each([
    ['not YAML', 'package: [', 'recipe.malformed'],
    ['no version', 'package:\n  epoch: 1\n', 'recipe.edit-impossible'],
    ['an epoch that is no number', 'package:\n  version: 1\n  epoch: x\n', 'recipe.edit-impossible'],
    ['a flow mapping without epoch', 'package: {version: 1}\n', 'recipe.edit-impossible'],
    ['two documents', 'package:\n  version: 1\n---\npackage:\n  version: 1\n', 'recipe.malformed'],
  ])('refuses a recipe with %s', (_, text, code) => {
    expect(() => bumpRecipe(text, { version: '1', hashes: [] })).toThrow(expect.objectContaining({ code }));
  });

  test('refuses a version that is not one word, and two edits of one place', () => {
    expect(() => bumpRecipe(recipe, { version: '1" #', hashes: [] })).toThrow(
      expect.objectContaining({ code: 'recipe.version-invalid' }),
    );
    expect(() => bumpRecipe(recipe, { version: '2', hashes: [pin, pin] })).toThrow(
      expect.objectContaining({ code: 'recipe.edit-impossible' }),
    );
  });

  test('says the line of broken YAML', () => {
    expect(() => bumpEpoch('package:\n  name: a\n  name: b\n')).toThrow(
      expect.objectContaining({ code: 'recipe.malformed', where: { line: 3 } }),
    );
  });

  test('whatever the layout, the result reads as the new version and nothing else moves', () => {
    const comment = fc.constantFrom('', ' # 1.0', '   # "x"');
    const quote = fc.constantFrom('', '"', "'");
    const eol = fc.constantFrom('\n', '\r\n');
    const version = fc.stringMatching(/^[1-9]\.[0-9]{1,2}(_rc[1-9])?$/);
    fc.assert(
      fc.property(quote, quote, comment, comment, eol, version, version, fc.nat(99), (q, r, c, d, end, old, now, e) => {
        const text = [
          'package:',
          '  name: x',
          `  version: ${q}${old}${q}${c}`,
          `  epoch: ${r}${e}${r}${d}`,
          'vars:',
          '  a: 1',
          '',
        ].join(end);
        const edited = bumpRecipe(text, { version: now, hashes: [] });
        const read = parseDocument(edited, { schema: 'failsafe' }).toJS() as { package: Record<string, string> };
        expect(read.package['version']).toBe(now);
        expect(read.package['epoch']).toBe(String(old === now ? e + 1 : 0));
        const others = (t: string) => t.split(end).filter((line) => !/^ {2}(version|epoch)/.test(line));
        expect(others(edited)).toEqual(others(text));
        expect(edited.endsWith(`${d}${end}vars:${end}  a: 1${end}`)).toBe(true);
      }),
    );
  });
});

test('bumpEpoch changes the epoch alone', () => {
  expect(bumpEpoch(recipe)).toBe(recipe.replace('epoch: 3', 'epoch: 4'));
});

const golden = sharedData('golden-bumps.jsonl.gz');

test.skipIf(golden === undefined)('replays every real update that a line edit can make', { timeout: 120_000 }, () => {
  const output = execFileSync(process.execPath, ['--import', 'tsx', 'bench/bumps.ts', golden ?? ''], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { total, identical, expected, expectedIdentical, strayLines } = JSON.parse(
    output.trim().split('\n').at(-1) ?? '',
  ) as Record<string, number>;
  expect({ total, expected, strayLines }).toEqual({ total: 2500, expected: 2353, strayLines: 0 });
  expect(expectedIdentical).toBe(expected);
  expect(identical).toBeGreaterThanOrEqual(0.94 * 2500);
});
