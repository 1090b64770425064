import { expect, test } from 'vitest';
import type { Artifact } from '../../../src/model/artifact.ts';
import type { TargetName } from '../../../src/model/target.ts';
import { planPublication, tieCandidates } from '../../../src/plan/ties.ts';
import type { Candidate } from '../../../src/plan/transaction.ts';
import { artifactOf } from '../../support/packages.ts';

const tally1 = artifactOf({ name: 'libtally', version: '1.4-r0', provides: ['so:libtally.so.1=1.4'] });
const tally2 = artifactOf({ name: 'libtally', version: '2.0-r0', provides: ['so:libtally.so.2=2.0'] });
const count1 = artifactOf({ name: 'count', version: '1.0-r0', depends: ['so:libtally.so.1'] });
const count2 = artifactOf({ name: 'count', version: '1.0-r1', depends: ['so:libtally.so.2'] });
const words = artifactOf({ name: 'words', version: '1-r0' });
const reader = artifactOf({ name: 'reader', version: '1-r0', depends: ['words>=2'] });
const words2 = artifactOf({ name: 'words', version: '2-r0' });

function candidate(...artifacts: readonly [Artifact, ...Artifact[]]): Candidate {
  return { origin: artifacts[0].info.origin, artifacts: new Map([['x86_64-gnu', artifacts]]) };
}
const published = (...artifacts: Artifact[]) => new Map<TargetName, readonly Artifact[]>([['x86_64-gnu', artifacts]]);

test('packages are judged alone unless one asks for what only another brings', () => {
  const candidates = [candidate(words2), candidate(reader), candidate(tally1)];
  expect(tieCandidates(published(words), candidates).groups).toEqual([['libtally'], ['reader', 'words']]);
  expect(tieCandidates(published(words2), [candidate(reader), candidate(tally1)]).groups).toEqual([
    ['libtally'],
    ['reader'],
  ]);
});

test('who takes away a shared object is judged with those that used it', () => {
  const other = artifactOf({ name: 'count', version: '1.1-r0' });
  expect(tieCandidates(published(tally1, count1), [candidate(tally2), candidate(other)]).groups).toEqual([
    ['count', 'libtally'],
  ]);
});

test('a package that is not ready keeps back those that need it, however far, and no other', () => {
  const far = artifactOf({ name: 'far', version: '1-r0', depends: ['reader'] });
  const candidates = [candidate(words2), candidate(reader), candidate(far), candidate(tally1)];
  const ties = tieCandidates(published(words), candidates);
  const { publish, held } = planPublication(published(words), candidates, ties, (origin) => origin !== 'words');
  expect(publish.map(({ origin }) => origin)).toEqual(['libtally']);
  expect(held.map((one) => [one.candidate.origin, one.on])).toEqual([
    ['reader', ['words']],
    ['far', ['reader']],
  ]);
});

test('a library that is not ready keeps back what links against it', () => {
  const candidates = [candidate(tally2), candidate(count2)];
  const before = published(tally1, count1);
  const { publish } = planPublication(before, candidates, tieCandidates(before, candidates), (one) => one === 'count');
  expect(publish).toEqual([]);
});

test('a dependency that nobody can read ties nothing and stops nothing', () => {
  const odd = artifactOf({ name: 'odd', version: '1-r0', depends: ['a b'] });
  expect(tieCandidates(published(), [candidate(odd), candidate(words)]).groups).toEqual([['odd'], ['words']]);
});
