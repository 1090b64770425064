import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { toRegrowError } from '../../../src/errors.ts';
import { type Apk, readApk } from '../../../src/formats/apk.ts';
import { writeSnapshot } from '../../../src/formats/snapshot.ts';
import type { Artifact } from '../../../src/model/artifact.ts';
import { createPackageIndex, solve } from '../../../src/model/solve.ts';
import { apkFile } from '../../support/apk-file.ts';
import { engineOrSkip } from '../../support/engines.ts';
import { artifactOf } from '../../support/packages.ts';
import { isWhole } from '../../support/solver-rules.ts';
import { createTestSigner } from '../../support/test-signer.ts';

const apko = await engineOrSkip('apko');
const signer = createTestSigner('world');

const origins = ['a', 'b', 'c', 'd'];
const names = origins.flatMap((origin) => [origin, `${origin}x`]);
const versions = ['1-r0', '1.5-r0', '2-r0', '2-r1'];
const plain = fc.constantFrom(...names, 'v', 'w', 'so:l.so.1');
const wish = fc
  .tuple(plain, fc.constantFrom(...Array<string>(20).fill(''), '=', '<', '>=', '>=', '~'), fc.constantFrom(...versions))
  .map(([name, operator, version]) => `${name}${operator === '' ? '' : operator + version}`);
/** With a version or without, but each name always in the same way: for apko a bare name ties with every version. */
const provide = fc.oneof(
  fc.tuple(fc.constantFrom('so:l.so.1', ...names), fc.constantFrom(...versions)).map((parts) => parts.join('=')),
  fc.constantFrom('v', 'w'),
);
const facts = fc.record({
  isThere: fc.integer({ min: 0, max: 9 }).map((number) => number > 0),
  depends: fc.oneof(fc.constant<string[]>([]), fc.array(wish, { maxLength: 2 })),
  provides: fc.uniqueArray(provide, { maxLength: 1 }),
  providerPriority: fc.option(fc.constantFrom(5, 10), { nil: undefined }),
});
/** As an image is made of: of each name the newest version, and of each recipe two packages at its version. */
const world = fc.record({
  artifacts: fc
    .tuple(...origins.map(() => fc.tuple(fc.constantFrom(...versions), facts, facts)))
    .map((recipes) =>
      recipes.flatMap(([version, ...packages], recipe) => packages.flatMap(artifactsOf(version, recipe))),
    ),
  wanted: fc.uniqueArray(fc.oneof(plain, plain, wish), { minLength: 1, maxLength: 2 }),
});

type Facts = typeof facts extends fc.Arbitrary<infer F> ? F : never;

function artifactsOf(version: string, recipe: number) {
  return ({ isThere, depends, provides, providerPriority }: Facts, number: number): readonly Artifact[] => {
    const origin = origins[recipe] ?? '';
    const name = number === 0 ? origin : `${origin}x`;
    if (!isThere) return [];
    const others = provides.filter((text) => text.split('=')[0] !== name);
    const priority = providerPriority === undefined ? {} : { providerPriority };
    return [artifactOf({ name, version, origin, depends, provides: others, ...priority })];
  };
}

const id = ({ info }: Pick<Artifact, 'info'>) => `${info.name}-${info.version}`;

/** What `apko lock` takes of a repository that has these packages; undefined where it finds nothing that goes together. */
async function lock(program: string, artifacts: readonly Artifact[], wanted: readonly string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'regrow-world-'));
  try {
    const apks: Apk[] = [];
    for (const { info } of artifacts) apks.push(readApk(await apkFile(id({ info }), {}, info)));
    for (const { path, content } of await writeSnapshot(apks, { arch: 'x86_64', libc: 'gnu' }, signer)) {
      mkdirSync(dirname(join(directory, 'repository', path)), { recursive: true });
      writeFileSync(join(directory, 'repository', path), content);
    }
    writeFileSync(join(directory, signer.keyName), signer.publicKey);
    writeFileSync(join(directory, 'image.yaml'), JSON.stringify({ contents: { packages: wanted }, archs: ['x86_64'] }));
    const options = ['-b', 'repository', '-k', signer.keyName, '--output', 'lock.json', '--cache-dir', 'cache'];
    try {
      execFileSync(program, ['lock', 'image.yaml', ...options], {
        cwd: directory,
        env: { TMPDIR: directory },
        stdio: 'pipe',
      });
    } catch (thrown) {
      if (/solving|constraint|nothing provides|resolv|could not|conflict/.test(String(thrown))) return undefined;
      throw thrown;
    }
    const file = JSON.parse(readFileSync(join(directory, 'lock.json'), 'utf8')) as {
      contents: { packages: { name: string; version: string; checksum: string }[] };
    };
    for (const { name, version, checksum } of file.contents.packages)
      expect(checksum).toBe(apks.find(({ info }) => info.name === name && info.version === version)?.checksum);
    const taken = new Set(file.contents.packages.map(({ name, version }) => `${name}-${version}`));
    return artifacts.filter((one) => taken.has(id(one)));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function answer(artifacts: readonly Artifact[], wanted: readonly string[]): readonly Artifact[] | undefined {
  try {
    return solve(createPackageIndex(artifacts), wanted);
  } catch (thrown) {
    if (toRegrowError(thrown).code === 'solve.unsatisfiable') return undefined;
    throw thrown;
  }
}

/**
 * apko takes a dependency as met whose name the package provides itself, at any version, and does not look back at what it took
 * before: what it answers does not always hold. Where it does, the solver answers the same; but for names that are wanted, and that
 * something else which is wanted provides: apko takes another package for them all the same.
 */
test.skipIf(apko === undefined)(
  'of random small repositories apko locks what the solver chooses',
  {
    timeout: 180_000,
  },
  async () => {
    const different: object[] = [];
    const counts = { same: 0, more: 0, unsound: 0, apkoGivesUp: 0, bothFail: 0 };
    for (const { artifacts, wanted } of fc.sample(world, { numRuns: 120, seed: 20_261_126 })) {
      const locked = await lock(apko ?? '', artifacts, wanted);
      const solved = answer(artifacts, wanted);
      if (locked === undefined) counts[solved === undefined ? 'bothFail' : 'apkoGivesUp'] += 1;
      else if (!isWhole(locked, wanted)) counts.unsound += 1;
      else if (wanted.length > 1 && solved?.every((one) => locked.includes(one)) && solved.length < locked.length) {
        counts.more += 1;
      } else {
        counts.same += 1;
        const [theirs, ours] = [locked, solved].map((taken) => taken?.map(id).toSorted());
        if (!isDeepStrictEqual(ours, theirs)) different.push({ wanted, ours, theirs });
      }
    }
    process.stdout.write(`apko and the solver on 120 repositories: ${JSON.stringify(counts)}\n`);
    expect(different).toEqual([]);
    expect(counts.same).toBeGreaterThan(50);
    expect(counts.more).toBeLessThan(5);
  },
);
