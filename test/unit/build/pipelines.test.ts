import { afterAll, beforeAll, expect, test } from 'vitest';
import { readApk } from '../../../src/formats/apk.ts';
import type { BuildResult } from '../../../src/model/build.ts';
import { createEngineFixture, type EngineFixture, fixtureRecipe, hostArch } from '../../support/host-engine.ts';

let fixture: EngineFixture;
let result: BuildResult;

beforeAll(async () => {
  fixture = await createEngineFixture();
  result = await fixture.build(fixture.request(fixtureRecipe('kitchen-sink', fixture), `${hostArch}-gnu`));
}, 120_000);
afterAll(() => fixture.close());

async function entries(name: string) {
  return readApk(await fixture.file(result, `${name}-1.0.0-r0.apk`))
    .entries()
    .filter((entry) => !entry.path.startsWith('var'));
}

test('the recipe builds', async () => {
  expect(result.outcome, await fixture.log(result)).toBe('passed');
});

test.each([
  ['', []],
  ['-dbg', ['usr/lib/debug/usr/bin/x.debug', 'usr/lib/debug/usr/lib/libx.so.1.0.debug']],
  ['-static', ['usr/lib/libx.a']],
  [
    '-dev',
    ['usr/bin/x-config', 'usr/include/x/x.h', 'usr/lib/cmake/x/x.cmake', 'usr/lib/libx.so', 'usr/lib/x/plugin.o'],
  ],
  ['-info', ['usr/share/info/x.info']],
  ['-doc', ['usr/share/doc/x/README', 'usr/share/man/man1/x.1']],
  ['-lang', ['usr/share/locale/de/x.mo']],
  ['-lib', ['usr/lib/libx.so.1', 'usr/lib/libx.so.1.0']],
  ['-bin', ['usr/bin/x']],
  ['-none', []],
])('kitchen-sink%s has what its pipeline moves', async (suffix, files) => {
  const found = (await entries(`kitchen-sink${suffix}`)).filter((entry) => entry.type !== 'directory');
  expect(found.map((entry) => entry.path)).toEqual(files);
});

test('stripping takes the symbols and leaves the mode', async () => {
  const program = (await entries('kitchen-sink-bin')).find((entry) => entry.path === 'usr/bin/x');
  expect(program?.mode).toBe(0o555);
  expect(Buffer.from(program?.content ?? []).includes('.symtab')).toBe(false);
});
