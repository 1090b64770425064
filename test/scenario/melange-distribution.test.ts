import { afterEach, describe, expect, test } from 'vitest';
import { readApk } from '../../src/formats/apk.ts';
import { engineOrSkip } from '../support/engines.ts';
import { hasCommands } from '../support/host-commands.ts';
import { bootstrapFile, bootstrapRecipe, bootstrapTools, melangeVersion } from '../support/melange-engine.ts';
import {
  createSmallDistribution,
  owner,
  recipe,
  type SmallDistribution,
  target,
} from './support/small-distribution.ts';

const program = await engineOrSkip('melange');
const isHere = program !== undefined && hasCommands(['busybox'], 'busybox-static');
/** Milliseconds. */
const patience = 150_000;

/** Made from a release of its project; the archive is the package. */
const kept = (sha256: string) =>
  recipe('kept', {
    watched: true,
    pipeline: `  - uses: fetch
    with:
      uri: https://github.com/${owner}/kept/archive/refs/tags/v\${{package.version}}.tar.gz
      expected-sha256: ${sha256}
      extract: false
  - runs: |
      mkdir -p "\${{targets.destdir}}/usr/share/kept"
      cp v\${{package.version}}.tar.gz "\${{targets.destdir}}/usr/share/kept/data.tar.gz"
`,
  });

describe.skipIf(!isHere)('a distribution that melange builds', () => {
  let small: SmallDistribution | undefined;
  afterEach(async () => {
    await small?.close();
  });

  test('from the recipes, by way of a release and a pull request, to what is published', {
    timeout: 400_000,
  }, async () => {
    const bootstrap = ['baselayout', 'host-libc', 'shell', 'busybox', 'hello'];
    const files = {
      ...Object.fromEntries(bootstrap.map((name) => [`${name}.yaml`, bootstrapRecipe(name)])),
      'hello/greeting.txt': bootstrapFile('hello/greeting.txt').toString('utf8'),
      'pipelines/bootstrap/script.yaml': bootstrapFile('pipelines/bootstrap/script.yaml').toString('utf8'),
    };
    const distribution = await createSmallDistribution({
      files,
      prepare: async (one) => ({ 'kept.yaml': kept(await one.project('kept')) }),
      config: { build: { hostTools: bootstrapTools, engines: { hello: 'melange', kept: 'melange' } } },
    });
    small = distribution;
    const has = (name: string) => async () => name in (await distribution.published());
    await distribution.until('hello is published', has('hello-1.2.0-r3'), patience);
    await distribution.until('kept 1.0 is published', has('kept-1.0-r0'), patience);
    const attempts = await distribution.read((ledger) => ledger.list('build'));
    expect(attempts.filter(({ value }) => value.state === 'failed')).toEqual([]);

    const objects = await distribution.objects();
    const { 'hello-1.2.0-r3': digest = '' } = await distribution.published();
    const object = await objects.get(`blobs/sha256/${digest.slice(0, 2)}/${digest}`);
    const apk = readApk(object?.bytes ?? new Uint8Array());
    expect(apk.signatures).toHaveLength(1);
    expect(apk.configuration).toContain('- busybox=1-r0');

    const response = await fetch(
      `${distribution.daemon().url}/repository/${target.split('-').toReversed().join('/')}/hello-1.2.0-r3.apk.intoto.jsonl`,
    );
    const { payload } = (await response.json()) as { payload: string };
    const statement = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as {
      predicate: {
        buildDefinition: { buildType: string; internalParameters: unknown; resolvedDependencies: { name?: string }[] };
        runDetails: { builder: { version: unknown } };
      };
    };
    const { buildDefinition, runDetails } = statement.predicate;
    expect(buildDefinition.buildType).toMatch(/#build-type-melange-v1$/);
    expect(buildDefinition.internalParameters).toMatchObject({
      melange: { version: melangeVersion, runner: 'bubblewrap', network: false },
      hostTools: [],
    });
    expect(buildDefinition.resolvedDependencies.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['hello.yaml', 'busybox-1-r0.apk', 'shell-1-r0.apk', 'host-libc-1-r0.apk']),
    );
    expect(runDetails.builder.version).toEqual({ engine: 'melange 1', melange: melangeVersion });

    await distribution.release('kept', '1.1');
    await distribution.until('kept 1.1 is published', has('kept-1.1-r0'), patience);
    expect(distribution.os.pulls()).toMatchObject([{ title: 'kept/1.1 package update' }]);
    expect(await distribution.problems()).toEqual([]);
  });
});
