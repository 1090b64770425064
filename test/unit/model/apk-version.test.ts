import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareApkVersions, isApkVersion, parseApkVersion, splitEpoch } from '../../../src/model/apk-version.ts';
import { sharedData } from '../../support/shared-data.ts';

const vectors = sharedData('apk-versions.json');
const signs = { '<': -1, '=': 0, '>': 1 } as const;

const version = fc
  .tuple(
    fc.array(fc.constantFrom('0', '1', '2', '10', '01', '002', '20240101123456789012'), { minLength: 1, maxLength: 4 }),
    fc.constantFrom('', 'a', 'b'),
    fc.array(fc.constantFrom('_alpha', '_rc1', '_rc2', '_rc10', '_git20240101', '_p1', '_p'), { maxLength: 2 }),
    fc.constantFrom('', '~a1', '~b'),
    fc.constantFrom('', '-r0', '-r1', '-r10'),
  )
  .map(
    ([numbers, letter, suffixes, hash, revision]) => numbers.join('.') + letter + suffixes.join('') + hash + revision,
  );

describe('compareApkVersions', () => {
  test.skipIf(vectors === undefined)('agrees with every vector of apk', () => {
    const { rows } = JSON.parse(readFileSync(vectors ?? '', 'utf8')) as { rows: [string, '<' | '=' | '>', string][] };
    const wrong = rows.filter(([a, sign, b]) => compareApkVersions(a, b) !== signs[sign]);
    expect(wrong).toEqual([]);
    expect(rows).toHaveLength(731);
  });

  test.each([
    ['1.2', '<', '1.10'],
    ['1.2.1', '>', '1.2a'],
    ['1.2a', '>', '1.2_p1'],
    ['1.2_p1', '>', '1.2'],
    ['1.2_rc10', '>', '1.2_rc9'],
    ['1.2_rc1', '<', '1.2'],
    ['1.2_alpha_p1', '>', '1.2_alpha'],
    ['1.2_p1_rc1', '<', '1.2_p1'],
    ['1.2-r9', '<', '1.2-r10'],
    ['1.2', '<', '1.2-r0'],
    ['1.2~abc', '<', '1.2~abd'],
    ['4.5.14', '>', '4.09-r1'],
    ['1.01', '<', '1.1'],
    ['010', '=', '10'],
    ['99999999999999999998.1', '<', '99999999999999999999'],
  ] as const)('%s %s %s', (a, sign, b) => {
    expect(compareApkVersions(a, b)).toBe(signs[sign]);
  });

  test('is antisymmetric and equal to itself', () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(compareApkVersions(a, b) + compareApkVersions(b, a)).toBe(0);
        expect(compareApkVersions(a, a)).toBe(0);
      }),
    );
  });
});

describe('parseApkVersion', () => {
  test('gives the parts as they are written', () => {
    expect(parseApkVersion('1.10.0a_rc2_git~c0ffee-r3')).toEqual({
      text: '1.10.0a_rc2_git~c0ffee-r3',
      numbers: ['1', '10', '0'],
      letter: 'a',
      suffixes: [
        { name: 'rc', number: '2' },
        { name: 'git', number: undefined },
      ],
      hash: 'c0ffee',
      revision: '3',
    });
  });

  test.each(['', 'v1', '1.', '1..2', '1.1.0-r1-r4', '1-1', '1.2ab', '1_foo', '1.2~XYZ', '1.2-r', ' 1', '1\n'])(
    'refuses %j',
    (text) => {
      expect(isApkVersion(text)).toBe(false);
      expect(() => parseApkVersion(text)).toThrow(expect.objectContaining({ code: 'recipe.version-invalid' }));
    },
  );
});

test('splitEpoch takes the epoch off', () => {
  expect(splitEpoch('1.2.3-r14')).toEqual({ version: '1.2.3', epoch: 14 });
  expect(splitEpoch('1.2.3')).toEqual({ version: '1.2.3', epoch: 0 });
});
