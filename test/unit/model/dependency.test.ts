import { describe, expect, test } from 'vitest';
import { parseDependency, printDependency, satisfies } from '../../../src/model/dependency.ts';

describe('parseDependency', () => {
  test.each([
    ['bash', { name: 'bash', conflict: false }],
    ['!bash', { name: 'bash', conflict: true }],
    ['so:libz.so.1', { name: 'so:libz.so.1', conflict: false }],
    ['foo=1.2-r0', { name: 'foo', operator: '=', version: '1.2-r0', conflict: false }],
    ['foo>=1', { name: 'foo', operator: '>=', version: '1', conflict: false }],
    ['foo<=1', { name: 'foo', operator: '<=', version: '1', conflict: false }],
    ['foo>1', { name: 'foo', operator: '>', version: '1', conflict: false }],
    ['foo<1', { name: 'foo', operator: '<', version: '1', conflict: false }],
    ['foo~1.2', { name: 'foo', operator: '~', version: '1.2', conflict: false }],
    ['foo=~1.2', { name: 'foo', operator: '~', version: '1.2', conflict: false }],
    ['foo~=1.2', { name: 'foo', operator: '~', version: '1.2', conflict: false }],
    ['foo=1.2~abc', { name: 'foo', operator: '=', version: '1.2~abc', conflict: false }],
    ['foo=1@edge', { name: 'foo', operator: '=', version: '1', conflict: false, pin: 'edge' }],
    ['foo@edge', { name: 'foo', conflict: false, pin: 'edge' }],
    [' gcc-14-default ', { name: 'gcc-14-default', conflict: false }],
  ] as const)('%s', (text, dependency) => {
    expect(parseDependency(text)).toEqual(dependency);
    expect(parseDependency(printDependency(parseDependency(text)))).toEqual(dependency);
  });

  test.each(['', '!', 'foo=', 'foo=v1', 'foo bar', '=1'])('refuses %j', (text) => {
    expect(() => parseDependency(text)).toThrow(expect.objectContaining({ code: 'recipe.malformed' }));
  });
});

describe('satisfies', () => {
  test.each([
    ['1.2.3-r0', 'a', true],
    ['1.2.3-r0', 'a=1.2.3-r0', true],
    ['1.2.3-r0', 'a=1.2.3', false],
    ['1.2.3-r0', 'a~1.2', true],
    ['1.2.3-r0', 'a~1.2.3', true],
    ['1.20-r0', 'a~1.2', false],
    ['1.2', 'a~1.2-r0', false],
    ['1.2', 'a>1.1', true],
    ['1.2', 'a>1.2', false],
    ['1.2', 'a>=1.2', true],
    ['1.2', 'a<1.10', true],
    ['1.2', 'a<1.2', false],
    ['1.2', 'a<=1.2', true],
    ['1.2', 'a<=1.1', false],
  ] as const)('%s for %s: %s', (version, dependency, answer) => {
    expect(satisfies(version, parseDependency(dependency))).toBe(answer);
  });

  test('a provide without version meets only a dependency without one', () => {
    expect(satisfies(undefined, parseDependency('a'))).toBe(true);
    expect(satisfies(undefined, parseDependency('a>=0'))).toBe(false);
  });
});
