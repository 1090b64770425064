import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasCommands } from '../support/host-commands.ts';
import { fixtureRecipe, greetingPatch } from '../support/host-engine.ts';
import {
  bootstrapFilesOf,
  bootstrapRecipe,
  createMelangeFixture,
  type MelangeFixture,
} from '../support/melange-engine.ts';

const isHere = hasCommands(['busybox', 'pkg-config'], 'busybox-static pkgconf');

/** What melange's environments are made of, where there is no melange: the host engine makes it, and builds with it. */
describe.skipIf(!isHere)('the bootstrap distribution, on the host engine', { timeout: 240_000 }, () => {
  let fixture: MelangeFixture;
  beforeAll(async () => {
    fixture = await createMelangeFixture('/nowhere/melange');
  }, 240_000);
  afterAll(() => fixture?.close(), 120_000);

  test('is a base layout, a C library, a shell, commands and a compiler', () => {
    expect(fixture.bootstrap.map(({ name }) => name)).toEqual([
      'baselayout',
      'host-libc',
      'shell',
      'busybox',
      'build-base',
    ]);
  });

  test.each([
    ['hello', () => bootstrapRecipe('hello'), bootstrapFilesOf('hello')],
    [
      'libtally',
      () => fixtureRecipe('libtally', fixture),
      { 'libtally/greeting.patch': Buffer.from(greetingPatch).toString('base64') },
    ],
  ])('builds and tests %s, with nothing that the recipe names from the machine', async (_name, recipe, files) => {
    const request = fixture.hostRequest(fixture.melangeRequest(recipe(), { files }));
    expect(request.environment.host).toEqual([]);
    const result = await fixture.build(request);
    expect(result.failure, await fixture.log(result)).toBeUndefined();
    expect(result.tests.filter(({ outcome }) => outcome === 'passed')).toHaveLength(2);
  });
});
