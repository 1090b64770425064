import { expect, test } from 'vitest';
import { runBuild } from '../../../src/build/build-run.ts';
import { stagingKey } from '../../../src/ports/objects.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { makePackage } from '../../support/package-trees.ts';

async function createBuild() {
  const objects = createMemoryObjects();
  const made = await makePackage({ name: 'tool', version: '1-r0', nodes: { 'usr/share/tool': 'x' } });
  let runs = 0;
  const context = {
    objects,
    clock: createManualClock('2026-06-01T09:00:00Z'),
    limits: { outputLimit: 1000 },
    builder: 'one',
  };
  const build = () =>
    runBuild(context, { package: 'tool', names: { buildKey: 'key', request: 'r' } }, async () => {
      runs += 1;
      return { packages: [made], tests: [] };
    });
  return { objects, build, runs: () => runs };
}

test('a build that passed is not run again while its packages are there', async () => {
  const { build, runs } = await createBuild();
  const first = await build();
  expect(first.outcome).toBe('passed');
  expect(await build()).toEqual(first);
  expect(runs()).toBe(1);
});

test('one of whose packages was removed is run again', async () => {
  const { objects, build, runs } = await createBuild();
  await build();
  await objects.remove(stagingKey('key', 'tool-1-r0.apk'));
  await build();
  expect(runs()).toBe(2);
  expect(await objects.has(stagingKey('key', 'tool-1-r0.apk'))).toBe(true);
});
