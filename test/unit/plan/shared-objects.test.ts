import { expect, test } from 'vitest';
import type { Artifact } from '../../../src/model/artifact.ts';
import type { TargetName } from '../../../src/model/target.ts';
import { followers } from '../../../src/plan/followers.ts';
import { type Candidate, planTransaction } from '../../../src/plan/transaction.ts';
import { artifactOf } from '../../support/packages.ts';

const tally1 = artifactOf({ name: 'libtally', version: '1.4-r0', provides: ['so:libtally.so.1=1.4'] });
const tally2 = artifactOf({ name: 'libtally', version: '2.0-r0', provides: ['so:libtally.so.2=2.0'] });
const count1 = artifactOf({ name: 'count', version: '1.0-r0', depends: ['so:libtally.so.1'] });
const count2 = artifactOf({ name: 'count', version: '1.0-r1', depends: ['so:libtally.so.2'] });
const greet1 = artifactOf({ name: 'greet', version: '3.0-r0', depends: ['so:libtally.so.1'] });
const greet2 = artifactOf({ name: 'greet', version: '3.0-r1', depends: ['so:libtally.so.2'] });

function candidate(...artifacts: readonly [Artifact, ...Artifact[]]): Candidate {
  return { origin: artifacts[0].info.origin, artifacts: new Map([['x86_64-gnu', artifacts]]) };
}
const published = (...artifacts: Artifact[]) => new Map<TargetName, readonly Artifact[]>([['x86_64-gnu', artifacts]]);

test('who links against a shared object that goes away follows; who does not stays', () => {
  const data = artifactOf({ name: 'words', version: '1-r0' });
  expect(followers([tally1, count1, greet1, data], [tally2])).toEqual([
    { origin: 'count', lost: ['so:libtally.so.1'] },
    { origin: 'greet', lost: ['so:libtally.so.1'] },
  ]);
});

test('nobody follows when the shared object stays, or when an update brings its dependents along', () => {
  const tally15 = artifactOf({ name: 'libtally', version: '1.5-r0', provides: ['so:libtally.so.1=1.5'] });
  expect(followers([tally1, count1], [tally15])).toEqual([]);
  expect(followers([tally1, count1], [tally2, count2])).toEqual([]);
});

test('a package that was broken before the update is not dragged into it', () => {
  const broken = artifactOf({ name: 'broken', version: '1-r0', depends: ['so:libgone.so.3'] });
  expect(followers([tally1, count1, broken], [tally2])).toEqual([{ origin: 'count', lost: ['so:libtally.so.1'] }]);
});

test('an older published version does not count: only what machines would have', () => {
  const oldCount = artifactOf({ name: 'count', version: '0.9-r0', depends: ['so:libtally.so.1'] });
  expect(followers([tally1, oldCount, count2, tally2], [])).toEqual([]);
});

test('a library and its dependents are published together', () => {
  const { publish, held } = planTransaction(published(tally1, count1, greet1), [
    candidate(greet2),
    candidate(tally2),
    candidate(count2),
  ]);
  expect(publish.map(({ origin }) => origin)).toEqual(['count', 'greet', 'libtally']);
  expect(held).toEqual([]);
});

test('a library whose dependents are not ready is held, and so are the dependents that need it', () => {
  const { publish, held } = planTransaction(published(tally1, count1, greet1), [candidate(tally2), candidate(count2)]);
  expect(publish).toEqual([]);
  expect(held.map((one) => [one.candidate.origin, one.on])).toEqual([
    ['libtally', ['greet']],
    ['count', []],
  ]);
  expect(held[0]?.because).toContain('greet still needs so:libtally.so.1');
});

test('what has nothing to do with the held ones is published all the same', () => {
  const words = artifactOf({ name: 'words', version: '2-r0' });
  const { publish } = planTransaction(published(tally1, count1), [candidate(tally2), candidate(words)]);
  expect(publish.map(({ origin }) => origin)).toEqual(['words']);
});

test('a first publication needs its shared objects too', () => {
  const { publish, held } = planTransaction(published(), [candidate(count1), candidate(tally1)]);
  expect(publish.map(({ origin }) => origin)).toEqual(['count', 'libtally']);
  expect(planTransaction(published(), [candidate(count1)]).held.map((one) => one.because)).toEqual([
    'count needs so:libtally.so.1, which nothing in x86_64-gnu provides',
  ]);
  expect(held).toEqual([]);
});
