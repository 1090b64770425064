import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileGoPattern, replaceAllGo } from '../../../src/model/go-pattern.ts';
import { evaluateCondition } from '../../../src/model/recipe/condition.ts';
import { scopeOf, substitute, substituteKnown, variablesIn } from '../../../src/model/recipe/substitute.ts';
import { gnuTriplet, goArch, rustTriplet } from '../../../src/model/recipe/triplets.ts';

const scope = scopeOf(
  new Map([
    ['build.arch', 'x86_64'],
    ['range.key', ''],
    ['vars.odd', `x" == "x`],
  ]),
);

test('variables are put in, with or without spaces, and other texts in braces are left alone', () => {
  expect(substitute('a ${{build.arch}}-${{ build.arch }}${{range.key}} ${x} ${{a b}}', scope)).toBe(
    'a x86_64-x86_64 ${x} ${{a b}}',
  );
  expect(substituteKnown('${{build.arch}} ${{vars.none}}', scope)).toBe('x86_64 ${{vars.none}}');
  expect(variablesIn('${{a.b}}${{ c }}')).toEqual(['a.b', 'c']);
});

test('a variable that nothing defines is refused with package and field', () => {
  const where = { package: 'jq', field: 'pipeline.0' };
  expect(() => substitute('${{vars.none}}', scope, where)).toThrow(
    expect.objectContaining({
      code: 'recipe.variable-unknown',
      where,
      message: 'jq: pipeline.0: nothing defines the variable ${{vars.none}}',
    }),
  );
  expect(() => substitute('${{vars.none}}', scope)).toThrow('nothing defines');
});

const conditions: readonly (readonly [condition: string, holds: boolean])[] = [
  [`\${{build.arch}} == 'x86_64'`, true],
  [`\${{build.arch}} == "aarch64"`, false],
  ['${{build.arch}} != aarch64', true],
  [`"\${{range.key}}" == ""`, true],
  ['${{range.key}} == ""', true],
  ['a == a && b == c', false],
  ['a == a || (b == c && b == d)', true],
  ['(a == a || b == c) && b == d', false],
  // From left to right: `&&` binds no tighter.
  ['a == a || b == c && b == d', false],
  [String.raw`'it\'s' == "it's"`, true],
  [String.raw`"a\"b\\" == 'a"b\\'`, true],
  [String.raw`'\d' == '\\d'`, true],
  ['a==b||(b==b)', true],
  // A value cannot become part of the condition.
  ['${{vars.odd}} == x', false],
];

test.each(conditions)('%s is %s', (condition, holds) => {
  expect(evaluateCondition(condition, scope)).toBe(holds);
});

test.each(['', 'a', 'a ==', '== a', '(a == b', 'a == b)', 'a == b c', 'a = b', 'a == "b', 'a & b'])(
  '%j cannot be read as a condition',
  (condition) => {
    expect(() => evaluateCondition(condition, scope, { package: 'jq', field: 'pipeline.0.if' })).toThrow(
      expect.objectContaining({ code: 'recipe.condition-invalid', where: { package: 'jq', field: 'pipeline.0.if' } }),
    );
  },
);

test('a variable that nothing defines is refused in a condition, too', () => {
  expect(() => evaluateCondition('${{vars.none}} == a', scope)).toThrow(
    expect.objectContaining({ code: 'recipe.variable-unknown' }),
  );
});

const replacements: readonly (readonly [pattern: string, input: string, template: string, result: string])[] = [
  [String.raw`^(\d{2})(\d{2})`, '2602', '$1.$2', '26.02'],
  [String.raw`^\d{2}(\d{4}).*$`, '20260817.0', '${1}.0.0', '2608.0.0'],
  // Go takes the longest name: there is no group 1_x.
  ['(a)', 'a', '$1_x', ''],
  ['(?P<major>\\d+)', 'v12', '${major}!', 'v12!'],
  ['a', 'a', '$$1', '$1'],
  ['(a)|(b)', 'ab', '[$2]', '[][b]'],
  ['(a)', 'a', '$7', ''],
  ['(a)', 'a', '$name', ''],
  ['b*', 'abc', 'x', 'xaxcx'],
  ['(?i)[a-z]', 'aBc1', '', '1'],
  [String.raw`\.`, '1.2.3', '_', '1_2_3'],
];

test.each(replacements)('%s in %s replaced by %s is %s', (pattern, input, template, result) => {
  expect(replaceAllGo(compileGoPattern(pattern), input, template)).toBe(result);
});

test('a pattern that RE2 cannot read is refused', () => {
  expect(() => compileGoPattern('*ignore_me', { package: 'jq', field: 'update' })).toThrow(
    expect.objectContaining({ code: 'recipe.pattern-invalid', where: { package: 'jq', field: 'update' } }),
  );
  expect(() => compileGoPattern('(')).toThrow('not an RE2 pattern');
});

test('a replacement of what a whole text matches is that text, whatever stands in it', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(replaceAllGo(compileGoPattern('(?s)^(.*)$'), text, '$1')).toBe(text);
    }),
  );
});

test('triplets of both C libraries', () => {
  expect(gnuTriplet('x86_64', 'gnu')).toBe('x86_64-pc-linux-gnu');
  expect(gnuTriplet('aarch64', 'musl')).toBe('aarch64-unknown-linux-musl');
  expect(gnuTriplet('armv7', 'gnu')).toBe('armv7l-unknown-linux-gnueabihf');
  expect(rustTriplet('x86_64', 'musl')).toBe('x86_64-unknown-linux-musl');
  expect(rustTriplet('riscv64', 'gnu')).toBe('riscv64gc-unknown-linux-gnu');
  expect(goArch('aarch64')).toBe('arm64');
});
