import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { toRegrowError } from '../../../src/errors.ts';
import type { Artifact } from '../../../src/model/artifact.ts';
import { createPackageIndex, solve } from '../../../src/model/solve.ts';
import { artifactOf } from '../../support/packages.ts';
import { isMetBy, isWhole, readWish } from '../../support/solver-rules.ts';

/**
 * What the solver answers, against a second reading of the rules that shares only the order of versions with it: small
 * repositories, whose every subset is looked at.
 */
function subsetsOf(artifacts: readonly Artifact[]): readonly (readonly Artifact[])[] {
  return artifacts.reduce<Artifact[][]>((sets, one) => [...sets, ...sets.map((set) => [...set, one])], [[]]);
}

const names = ['a', 'b', 'c', 'd'];
const virtuals = ['v', 'so:w.so.1'];
const versions = ['1-r0', '1.5-r0', '2-r0', '2-r1'];
const wish = fc
  .tuple(
    fc.constantFrom('', '', '', '!'),
    fc.constantFrom(...names, ...virtuals),
    fc.constantFrom('', '', '', '', '=', '<', '>', '<=', '>=', '~'),
    fc.constantFrom('1', '2', ...versions),
  )
  .map(([bang, name, operator, version]) => `${bang}${name}${operator === '' ? '' : operator + version}`);
const provide = fc
  .tuple(fc.constantFrom(...virtuals, ...names), fc.constantFrom('', '=1', '=2', '=2-r1'))
  .map(([name, version]) => name + version);
const artifact = fc
  .record({
    name: fc.constantFrom(...names),
    version: fc.constantFrom(...versions),
    origin: fc.constantFrom('o', 'p'),
    depends: fc.array(wish, { maxLength: 2 }),
    provides: fc.uniqueArray(provide, { maxLength: 2, selector: (text) => text.split('=')[0] }),
    providerPriority: fc.option(fc.constantFrom(5, 10), { nil: undefined }),
  })
  .map(({ providerPriority, provides, ...facts }) =>
    artifactOf({
      ...facts,
      provides: provides.filter((text) => text.split('=')[0] !== facts.name),
      ...(providerPriority === undefined ? {} : { providerPriority }),
    }),
  );
const repository = fc.uniqueArray(artifact, {
  selector: ({ info }) => info.name + info.version,
  minLength: 5,
  maxLength: 9,
});
const wants = fc.array(wish, { minLength: 1, maxLength: 3 });

function answer(artifacts: readonly Artifact[], wanted: readonly string[]): readonly Artifact[] | undefined {
  try {
    return solve(createPackageIndex(artifacts), wanted);
  } catch (thrown) {
    if (toRegrowError(thrown).code === 'solve.unsatisfiable') return undefined;
    throw thrown;
  }
}

test('an answer holds by the rules, and there is one wherever any set of packages holds', () => {
  fc.assert(
    fc.property(repository, wants, (artifacts, wanted) => {
      const solved = answer(artifacts, wanted);
      const holding = subsetsOf(artifacts).filter((set) => isWhole(set, wanted));
      expect(solved === undefined).toBe(holding.length === 0);
      expect(solved === undefined || isWhole(solved, wanted)).toBe(true);
    }),
    { numRuns: 3000 },
  );
}, 60_000);

test('an answer does not depend on the order of the repository, and has nothing that nobody asked for', () => {
  fc.assert(
    fc.property(repository, wants, (artifacts, wanted) => {
      const solved = answer(artifacts, wanted);
      expect(answer(artifacts.toReversed(), wanted)).toEqual(solved);
      const reached = new Set<Artifact>();
      const reach = (texts: readonly string[]): void => {
        for (const one of solved ?? []) {
          const isAsked = texts.map(readWish).some((asked) => !asked.conflict && isMetBy(asked, one));
          if (!isAsked || reached.has(one)) continue;
          reached.add(one);
          reach(one.info.depends);
        }
      };
      reach(wanted);
      expect([...reached]).toHaveLength(solved?.length ?? 0);
    }),
    { numRuns: 1000 },
  );
}, 60_000);

test('of packages that provide a bare name the one with the highest priority is taken, whatever else they are', () => {
  const provider = fc.record({
    name: fc.constantFrom('x', 'y', 'z'),
    version: fc.constantFrom(...versions),
    priority: fc.integer({ min: 0, max: 9 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(provider, { selector: ({ name }) => name, minLength: 1 }), (providers) => {
      const artifacts = providers.map(({ name, version, priority }) =>
        artifactOf({ name, version, provides: ['virtual'], providerPriority: priority }),
      );
      const [chosen] = answer(artifacts, ['virtual']) ?? [];
      expect(chosen?.info.providerPriority).toBe(Math.max(...providers.map(({ priority }) => priority)));
    }),
  );
});
