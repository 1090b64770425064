import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostEngineVersion } from '../../../src/build/host/engine.ts';
import { readApk } from '../../../src/formats/apk.ts';
import type { BuildRequest, BuildResult } from '../../../src/model/build.ts';
import type { Libc } from '../../../src/model/target.ts';
import {
  createEngineFixture,
  type EngineFixture,
  fixtureRecipe,
  greetingPatch,
  hostArch,
  hostPackages,
} from '../../support/host-engine.ts';

const muslHere = existsSync('/usr/bin/musl-gcc');
if (!muslHere) console.log('musl is left out: musl-gcc is not here (apt install musl-tools)');
const libcs: readonly Libc[] = muslHere ? ['gnu', 'musl'] : ['gnu'];

interface Chain {
  readonly libc: BuildResult;
  readonly library: BuildResult;
  readonly program: BuildResult;
}

/** The C library, a library on it, a program on both: each built against the packages of those before. */
async function buildChain(fixture: EngineFixture, libc: Libc): Promise<Chain> {
  const target = `${hostArch}-${libc}` as const;
  const first = await fixture.build(fixture.request(fixtureRecipe('host-libc', fixture), target));
  const library = await fixture.build(libtallyRequest(fixture, target, first));
  const packages = fixture.lock(first, library);
  const program = await fixture.build(
    fixture.request(fixtureRecipe('tally', fixture), target, {
      environment: { host: hostPackages, packages },
      testEnvironments: { tally: { host: hostPackages, packages } },
    }),
  );
  return { libc: first, library, program };
}

function libtallyRequest(fixture: EngineFixture, target: BuildRequest['target'], libc: BuildResult): BuildRequest {
  const environment = { host: hostPackages, packages: fixture.lock(libc) };
  return fixture.request(fixtureRecipe('libtally', fixture), target, {
    files: { 'libtally/greeting.patch': Buffer.from(greetingPatch).toString('base64') },
    environment,
    testEnvironments: { libtally: environment, 'libtally-dev': environment },
  });
}

describe.each(libcs)('host engine, %s', (libc) => {
  let fixture: EngineFixture;
  let chain: Chain;

  beforeAll(async () => {
    fixture = await createEngineFixture();
    chain = await buildChain(fixture, libc);
  }, 120_000);
  afterAll(() => fixture.close());

  test('builds and tests a C library, a library on it, and a program on both', async () => {
    for (const result of [chain.libc, chain.library, chain.program]) {
      expect(result.failure, await fixture.log(result)).toBeUndefined();
      expect(result.outcome).toBe('passed');
    }
    expect(chain.program.tests).toEqual([{ package: 'tally', outcome: 'passed' }]);
    expect(chain.library.tests.map((one) => `${one.package} ${one.outcome}`)).toEqual([
      'libtally passed',
      'libtally-static none',
      'libtally-dev passed',
      'libtally-doc none',
    ]);
  });

  test('finds what the packages need and give', () => {
    const loader = libc === 'gnu' ? 'so:libc.so.6' : `so:libc.musl-${hostArch}.so.1`;
    const library = chain.library.artifacts[0]?.info;
    expect(library?.provides).toContain('so:libtally.so.1=1');
    const program = chain.program.artifacts[0]?.info;
    expect(program?.depends).toEqual(expect.arrayContaining(['so:libtally.so.1', loader]));
    expect(program?.provides).toContain('cmd:tally=0.4.0-r0');
    expect(chain.libc.artifacts[0]?.info.provides.some((one) => one.startsWith(loader))).toBe(true);
  });

  test('puts every file into the package that is for it', async () => {
    const files = async (name: string): Promise<readonly string[]> =>
      readApk(await fixture.file(chain.library, `${name}-1.2.0-r3.apk`))
        .entries()
        .filter((entry) => entry.type !== 'directory' && !entry.path.startsWith('var/lib/db/sbom/'))
        .map((entry) => entry.path);
    expect(await files('libtally')).toEqual(['usr/lib/libtally.so.1']);
    expect(await files('libtally-static')).toEqual(['usr/lib/libtally.a']);
    expect(await files('libtally-doc')).toEqual(['usr/share/man/man3/tally.3']);
    expect(await files('libtally-dev')).toEqual([
      'usr/include/tally.h',
      'usr/lib/libtally.so',
      'usr/lib/pkgconfig/tally.pc',
    ]);
  });

  test('says in the package where it comes from', async () => {
    const apk = readApk(await fixture.file(chain.program, 'tally-0.4.0-r0.apk'));
    const sbom = apk.entries().find((entry) => entry.path === 'var/lib/db/sbom/tally-0.4.0-r0.spdx.json');
    const text = Buffer.from(sbom?.content ?? []).toString('utf8');
    expect(text).toContain(fixture.tallyCommit);
    expect(text).toContain(`regrow-host ${hostEngineVersion}`);
    expect(apk.configuration).toContain('libtally-dev=1.2.0-r3');
    expect(apk.info).toMatchObject({ commit: 'a'.repeat(40), buildDate: 1_700_000_000, origin: 'tally' });
  });

  test('names the repository of the recipes in it, and has the text of a licence that SPDX does not know', async () => {
    const recipe = `package:
  name: free
  version: "1"
  epoch: 0
  copyright:
    - license: LicenseRef-Free
      license-path: doc/FREE
    - license: LicenseRef-Lost
      license-path: doc/LOST
    - license: LicenseRef-Endless
      license-path: doc/ENDLESS

environment:
  contents:
    packages:
      - busybox

pipeline:
  - runs: |
      install -d doc "\${{targets.destdir}}/usr"
      echo "Do what you like." > doc/FREE
      dd if=/dev/zero of=doc/ENDLESS bs=1 count=0 seek=3000000000
`;
    const environment = { host: ['busybox'], packages: [] };
    const recorded = { commit: 'a'.repeat(40), sourceDateEpoch: 1, repository: 'https://github.com/box/os' };
    const request = fixture.request(recipe, `${hostArch}-${libc}`, { environment, recorded });
    const result = await fixture.build(request);
    const apk = readApk(await fixture.file(result, 'free-1-r0.apk'));
    const sbom = Buffer.from(apk.entries().find(({ path }) => path.endsWith('.spdx.json'))?.content ?? []).toString();
    expect(JSON.parse(sbom)).toMatchObject({
      packages: [
        { name: 'free', licenseDeclared: 'LicenseRef-Free AND LicenseRef-Lost AND LicenseRef-Endless' },
        {},
        {
          name: 'free.yaml',
          downloadLocation: `git+https://github.com/box/os@${'a'.repeat(40)}#free.yaml`,
          externalRefs: [{ referenceLocator: `pkg:github/box/os@${'a'.repeat(40)}#free.yaml` }],
        },
      ],
      hasExtractedLicensingInfos: [
        { licenseId: 'LicenseRef-Endless' },
        { licenseId: 'LicenseRef-Free', extractedText: 'Do what you like.\n' },
        { licenseId: 'LicenseRef-Lost' },
      ],
    });
    const log = await fixture.log(result);
    expect(log).toContain('the text of LicenseRef-Lost is not there: doc/LOST');
    expect(log).toContain('the text of LicenseRef-Endless is longer than 1000000 bytes: doc/ENDLESS');
  });

  test('in another folder at another time the bytes are the same', async () => {
    const other = await createEngineFixture();
    try {
      const again = await buildChain(other, libc);
      const digests = (chain: Chain) =>
        [chain.libc, chain.library, chain.program].flatMap((one) => one.artifacts.map((artifact) => artifact.digest));
      expect(digests(again)).toEqual(digests(chain));
    } finally {
      other.close();
    }
  }, 120_000);

  test('a build that passed is not run again', async () => {
    const target = `${hostArch}-${libc}` as const;
    const request = libtallyRequest(fixture, target, chain.libc);
    fixture.served.delete('/libtally-1.2.0.tar.gz');
    expect(await fixture.build(request)).toEqual(chain.library);
  });
});
