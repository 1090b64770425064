import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Apk, readApk } from '../../src/formats/apk.ts';
import type { BuildResult } from '../../src/model/build.ts';
import { engineOrSkip } from '../support/engines.ts';
import { hasCommands } from '../support/host-commands.ts';
import { fixtureRecipe, greetingPatch } from '../support/host-engine.ts';
import {
  bootstrapFiles,
  bootstrapRecipe,
  createMelangeFixture,
  type MelangeFixture,
} from '../support/melange-engine.ts';
import { likenessOf } from '../support/package-likeness.ts';

const program = await engineOrSkip('melange');
const isHere = program !== undefined && hasCommands(['busybox', 'pkg-config'], 'busybox-static pkg-config');

describe.skipIf(!isHere)('the real melange, on the bootstrap distribution', { timeout: 120_000 }, () => {
  let fixture: MelangeFixture;
  beforeAll(async () => {
    fixture = await createMelangeFixture(program ?? '');
  }, 240_000);
  afterAll(() => fixture?.close());

  const packagesOf = async (result: BuildResult): Promise<readonly Apk[]> => {
    expect(result.failure, await fixture.log(result)).toBeUndefined();
    const files = result.artifacts.map(({ info }) => fixture.file(result, `${info.name}-${info.version}.apk`));
    return (await Promise.all(files)).map((bytes) => readApk(bytes));
  };

  test('builds and tests a recipe of scripts, and the host engine makes the same of it', async () => {
    const request = fixture.melangeRequest(bootstrapRecipe('hello'), { files: bootstrapFiles('hello/greeting.txt') });
    const result = await fixture.melangeBuild(request);
    const melange = await packagesOf(result);
    expect(result.tests).toEqual([
      { package: 'hello', outcome: 'passed' },
      { package: 'hello-doc', outcome: 'passed' },
    ]);
    const host = await packagesOf(await fixture.build(fixture.hostRequest(request)));
    expect(melange.map(likenessOf)).toEqual(host.map(likenessOf));
    expect(melange.map(({ signatures }) => signatures)).toEqual([[], []]);
  });
});
