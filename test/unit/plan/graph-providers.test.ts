import { expect, test } from 'vitest';
import { createProviderLookup } from '../../../src/plan/providers.ts';
import type { RecipeFacts } from '../../../src/plan/recipe-facts.ts';

function recipe(origin: string, version: string, provides: readonly string[], priority = 0): RecipeFacts {
  return {
    origin,
    version,
    packages: [{ name: origin, provides: [...provides], priority }],
    needs: [],
    unknownPipelines: [],
  };
}

const lookup = createProviderLookup([
  recipe('java-11', '11.0.2-r0', ['jdk=1.11', 'jvm']),
  recipe('java-21', '21.0.9-r3', ['jdk=1.21', 'jvm']),
  recipe('java-8', '8.1-r0', ['jdk=1.8', 'jvm=99', 'java-8=0.1']),
  recipe('py3.12-six', '1.17-r0', ['py3-six'], 312),
  recipe('py3.14-six', '1.17-r0', ['py3-six'], 314),
  recipe('py3.13-six', '1.17-r0', ['py3-six'], 313),
  recipe('awk-b', '1-r0', ['awk=1']),
  recipe('awk-a', '1-r0', ['awk=1']),
  recipe('odd', '1-r0', ['thing=not.a.version']),
  recipe('even', '1-r0', ['thing']),
  recipe('boost', '1.89.0-r2', []),
]);
const origins = (dependency: string) => lookup(dependency).map(({ origin }) => origin);

const cases: readonly (readonly [dependency: string, origins: readonly string[]])[] = [
  // The version of the name decides, not that of the package; without one it is that of the package.
  ['jdk', ['java-21', 'java-11', 'java-8']],
  ['jvm', ['java-8', 'java-21', 'java-11']],
  ['py3-six', ['py3.14-six', 'py3.13-six', 'py3.12-six']],
  ['awk', ['awk-a', 'awk-b']],
  ['thing', ['even', 'odd']],
  ['jdk<1.21', ['java-11', 'java-8']],
  ['jdk<=1.11', ['java-11', 'java-8']],
  ['jdk>1.11', ['java-21']],
  ['jdk>=1.11', ['java-21', 'java-11']],
  ['jdk=1.11', ['java-11']],
  ['boost~1.89', ['boost']],
  ['boost~1.88', []],
  // Without a revision, every revision is meant.
  ['boost=1.89.0', ['boost']],
  ['boost=1.89.0-r2', ['boost']],
  ['boost=1.89.0-r1', []],
  ['boost>1.89.0', []],
  ['thing>0', ['even']],
  ['boost@edge', ['boost']],
  ['none', []],
  ['none~1', []],
  // A package that provides its own name has the version of the package.
  ['java-8>1', ['java-8']],
];

test.each(cases)('%s is provided by %j', (dependency, expected) => {
  expect(origins(dependency)).toEqual(expected);
  expect(origins(dependency)).toEqual(expected);
});

test('a dependency that apk cannot read is refused', () => {
  expect(() => lookup('a=')).toThrow(expect.objectContaining({ code: 'recipe.malformed' }));
});
