import { describe, expect, test } from 'vitest';
import type { Difference } from '../../../src/model/difference.ts';
import type { DifferencePolicy, Verdict } from '../../../src/model/verdict.ts';
import { buildsTable } from '../../../src/propose/body.ts';
import { ask, proposed } from '../../support/explaining.ts';
import { before, build, finished, putBuild, type World } from '../../support/report-world.ts';

const difference: Difference = {
  package: 'zlib',
  path: 'usr/share/stamp',
  kind: 'content',
  text: 'differs in line 1: “9” and “<10>”',
  offset: 0,
};

async function judged(world: World, buildKey: string, rebuild: DifferencePolicy | undefined): Promise<void> {
  const outcome = rebuild === undefined ? 'waived' : rebuild === 'fail' ? 'failed' : 'waived';
  const because = rebuild === undefined ? 'it was built once' : 'it is not reproducible (built both times by one)';
  const verdict: Verdict = {
    buildKey,
    package: 'zlib',
    version: '1.1-r0',
    gateSet: 1,
    passed: outcome !== 'failed',
    gates: [
      { gate: 'reproducible', outcome, because, ...(rebuild === undefined ? {} : { differences: [difference] }) },
    ],
    at: before(3),
    ...(rebuild === undefined ? {} : { rebuild }),
  };
  await world.ledger.put('verdict', buildKey, verdict, before(3), 'zlib');
}

describe('a build that is made a second time', () => {
  test('waits to be compared, and its second build is not what it is judged by', async () => {
    const world = await proposed();
    const first = finished(build('zlib', '1.1-r0', { purpose: 7 }));
    await putBuild(world, first);
    const again = build('zlib', '1.1-r0', {
      purpose: 7,
      repeats: first.buildKey,
      buildKey: 'again',
      queuedAt: before(1),
    });
    await putBuild(world, again);
    const { blocker, builds } = await ask(world);
    expect(blocker.kind).toBe('verifying');
    expect(blocker.text).toContain('passed and is built a second time, to compare the bytes');
    expect(builds).toHaveLength(2);
    await putBuild(world, finished(again));
    expect((await ask(world)).blocker.text).toContain('passed and is being verified');
    await judged(world, first.buildKey, 'report');
    expect((await ask(world)).blocker.kind).toBe('waiting-for-merge');
  });

  test.each(['fail', 'report'] as const)('has what it gave otherwise among the evidence: %s', async (policy) => {
    const world = await proposed();
    const first = finished(build('zlib', '1.1-r0', { purpose: 7 }));
    await putBuild(world, first);
    await judged(world, first.buildKey, policy);
    const { evidence, blocker } = await ask(world);
    expect(blocker.kind).toBe(policy === 'fail' ? 'gate-failed' : 'waiting-for-merge');
    expect(evidence.filter(({ source }) => source === 'verify')).toEqual([
      {
        fact: `1.1-r0 for ${first.target}: it is not reproducible (built both times by one)`,
        source: 'verify',
        at: before(3),
      },
      {
        fact: `1.1-r0 for ${first.target}: zlib: usr/share/stamp differs in line 1: “9” and “<10>”`,
        source: 'verify',
        at: before(3),
      },
    ]);
  });

  test('says nothing of it where it was built once', async () => {
    const world = await proposed();
    const first = finished(build('zlib', '1.1-r0', { purpose: 7 }));
    await putBuild(world, first);
    await judged(world, first.buildKey, undefined);
    expect((await ask(world)).evidence.filter(({ source }) => source === 'verify')).toEqual([]);
  });
});

test('a pull request lists what second builds gave otherwise, as text, and not more than there is room for', () => {
  const line = {
    package: 'zlib',
    target: 'x86_64-gnu',
    state: 'passed',
    text: '1 packages, not reproducible',
  } as const;
  const many = Array.from(
    { length: 30 },
    (_, number) => `zlib: usr/<b>${number} differs\n--> in line 1: ${'x'.repeat(900)}`,
  );
  const text = buildsTable([{ ...line, differences: many }]);
  expect(text).toMatch(
    /Built a second time, it is not the same:\n\n- x86&#95;64-gnu: zlib: usr\/&#60;b&#62;0 differs --&#62; in line 1/,
  );
  expect(text).toMatch(/and 18 more\.$/);
  expect(text.length).toBeLessThan(12_000);
  expect(buildsTable([line])).not.toContain('second time');
});
