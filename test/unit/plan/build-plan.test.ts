import { describe, expect, test } from 'vitest';
import type { Artifact } from '../../../src/model/artifact.ts';
import type { BuildAttempt } from '../../../src/model/build.ts';
import type { BuildNeed } from '../../../src/plan/build-need.ts';
import { type BuildPlanInput, isForTarget, planBuilds } from '../../../src/plan/build-plan.ts';
import type { EngineChoice, EngineSettings } from '../../../src/plan/lock-build.ts';
import { engineSettingsOf } from '../../support/engine-settings.ts';
import { artifactOf, resolvedPackageOf, resolvedRecipeOf } from '../../support/packages.ts';

function needOf(resolved: BuildNeed['resolved'], more: Partial<BuildNeed> = {}): BuildNeed {
  return {
    purpose: 'main',
    target: 'x86_64-gnu',
    resolved,
    recipe: { path: `${resolved.name}.yaml`, text: '' },
    pipelines: {},
    files: {},
    commit: 'c'.repeat(40),
    sourceDateEpoch: 1,
    urgency: 'normal',
    why: 'a test',
    ...more,
  };
}

/** Runs plans as a daemon would: what the plan starts has passed, or failed, by the next one. */
function simulate(needs: readonly BuildNeed[], more: Partial<BuildPlanInput> = {}, failing: readonly string[] = []) {
  const attempts = new Map<string, BuildAttempt>();
  const order: string[] = [];
  for (;;) {
    const plan = planBuilds({
      needs,
      pendingElsewhere: new Map(),
      failedElsewhere: new Map(),
      published: [],
      publishedKey: (artifact) => `blobs/${artifact.info.name}`,
      hostPackages: new Set(['build-base']),
      engines: engineSettingsOf(),
      attemptAt: (key) => attempts.get(key),
      stagedKey: (key, artifact) => `staging/${key}/${artifact.info.name}`,
      ...more,
    });
    const fresh = plan.builds.filter((build) => build.attempt === undefined);
    if (fresh.length === 0) return { plan, order };
    for (const { need, buildKey } of fresh) {
      const { name, fullVersion } = need.resolved;
      order.push(name);
      attempts.set(buildKey, attemptOf(buildKey, name, fullVersion, !failing.includes(name), artifactsOf(need)));
    }
  }
}

function artifactsOf({ resolved }: BuildNeed): Artifact[] {
  return resolved.packages.map((one) =>
    artifactOf({
      name: one.name,
      version: resolved.fullVersion,
      origin: resolved.name,
      depends: [...one.depends],
      provides: [...one.provides],
    }),
  );
}

function attemptOf(
  buildKey: string,
  name: string,
  version: string,
  passed: boolean,
  artifacts: Artifact[],
): BuildAttempt {
  const at = '2026-01-01T00:00:00.000Z';
  const outcome = passed ? 'passed' : 'failed';
  const common = { buildKey, request: 'r' } as const;
  return {
    ...common,
    attempt: 1,
    package: name,
    version,
    target: 'x86_64-gnu',
    state: outcome,
    purpose: 'main',
    why: '',
    urgency: 'normal',
    queuedAt: at,
    finishedAt: at,
    result: {
      ...common,
      schema: 1,
      outcome,
      artifacts: passed ? artifacts : [],
      tests: [],
      log: '',
      milliseconds: 1,
      builder: '',
    },
  };
}

const libc = needOf(resolvedRecipeOf('libc', { builtWith: ['build-base'] }));
const lib = needOf(
  resolvedRecipeOf('lib', {
    builtWith: ['build-base', 'libc'],
    packages: [resolvedPackageOf('lib'), resolvedPackageOf('lib-dev', { depends: ['lib'], provides: ['pc:lib=1.0'] })],
  }),
);
const app = needOf(resolvedRecipeOf('app', { builtWith: ['build-base', 'lib-dev'] }));

describe('order', () => {
  test('a package is built after what it is built with, and sees it before it is published', () => {
    const { plan, order } = simulate([app, lib, libc]);
    expect(order).toEqual(['libc', 'lib', 'app']);
    expect(plan.waits).toEqual([]);
    const built = plan.builds.find((build) => build.need.resolved.name === 'app');
    expect(built?.request.environment.host).toEqual(['build-base']);
    expect(built?.request.environment.packages.map((one) => one.name)).toEqual(['lib', 'lib-dev']);
    expect(built?.request.environment.packages[0]?.key).toMatch(/^staging\/[0-9a-f]{64}\/lib$/);
  });

  test('what waits says for whom', () => {
    const first = planBuilds({
      needs: [app, lib, libc],
      pendingElsewhere: new Map(),
      failedElsewhere: new Map(),
      published: [],
      publishedKey: (artifact) => `blobs/${artifact.info.name}`,
      hostPackages: new Set(['build-base']),
      engines: engineSettingsOf(),
      attemptAt: () => undefined,
      stagedKey: () => '',
    });
    expect(first.builds.map((build) => build.need.resolved.name)).toEqual(['libc']);
    expect(first.waits.map(({ package: name, reason, on }) => [name, reason, on])).toEqual([
      ['lib', 'dependency-pending', ['libc']],
      ['app', 'dependency-pending', ['lib']],
    ]);
  });

  test('a failure stops those that need it, and nobody else', () => {
    const other = needOf(resolvedRecipeOf('other', { builtWith: ['libc'] }));
    const { plan, order } = simulate([app, lib, libc, other], {}, ['lib']);
    expect(order).toEqual(['libc', 'lib', 'other']);
    expect(plan.waits).toMatchObject([{ package: 'app', reason: 'dependency-failed', on: ['lib'] }]);
  });

  test('what a test or the package itself needs comes first too', () => {
    const words = needOf(resolvedRecipeOf('words'));
    const tested = resolvedPackageOf('reader', {
      depends: ['words'],
      test: { packages: ['lib'], environment: {}, steps: [] },
    });
    const reader = needOf(resolvedRecipeOf('reader', { packages: [tested] }));
    const { order, plan } = simulate([reader, words, lib, libc]);
    expect(order.at(-1)).toBe('reader');
    const request = plan.builds.find((build) => build.need.resolved.name === 'reader')?.request;
    expect(request?.testEnvironments['reader']?.packages.map((one) => one.name)).toEqual(['lib', 'words']);
  });

  test('a proposal waits for what main still has to build', () => {
    const waiting = needOf(resolvedRecipeOf('app', { version: '2.0', builtWith: ['lib-dev'] }), { purpose: 7 });
    const { plan } = simulate([waiting], { pendingElsewhere: new Map([['lib', ['lib', 'lib-dev']]]) });
    expect(plan.waits).toMatchObject([{ package: 'app', purpose: 7, reason: 'dependency-pending', on: ['lib'] }]);
  });

  test('what main could not build is no reason to wait where an older one is published', () => {
    const waiting = needOf(resolvedRecipeOf('app', { version: '2.0', builtWith: ['lib-dev'] }), { purpose: 7 });
    const failedElsewhere = new Map([['lib', ['lib', 'lib-dev']]]);
    const published = [artifactOf({ name: 'lib-dev', version: '0.9-r0', origin: 'lib' })];
    expect(simulate([waiting], { failedElsewhere, published }).order).toEqual(['app']);
    const { plan } = simulate([waiting], { failedElsewhere });
    expect(plan.waits).toMatchObject([{ package: 'app', reason: 'dependency-failed', on: ['lib'] }]);
  });

  test('inside a cycle each is built against what is published', () => {
    const gcc = needOf(resolvedRecipeOf('gcc', { version: '2', builtWith: ['glibc-dev'] }));
    const glibc = needOf(
      resolvedRecipeOf('glibc', {
        version: '2',
        builtWith: ['gcc'],
        packages: [resolvedPackageOf('glibc'), resolvedPackageOf('glibc-dev')],
      }),
    );
    const published = ['gcc', 'glibc', 'glibc-dev'].map((name) =>
      artifactOf({ name, version: '1-r0', origin: name.replace('-dev', '') }),
    );
    const { plan } = simulate([gcc, glibc], { published });
    const locked = plan.builds.map(({ need, request }) => [
      need.resolved.name,
      request.environment.packages.map((p) => p.version),
    ]);
    expect(locked).toEqual([
      ['gcc', ['1-r0']],
      ['glibc', ['1-r0']],
    ]);
  });
});

describe('refusal', () => {
  test('a package that nobody has is said with the field and the remedy', () => {
    const { plan } = simulate([needOf(resolvedRecipeOf('web', { builtWith: ['nodejs-22'] }))]);
    expect(plan.waits).toMatchObject([{ package: 'web', reason: 'refused' }]);
    expect(plan.waits[0]?.because).toMatch(/environment\.contents\.packages asks for nodejs-22.*build\.hostTools/);
  });

  test('a version that the repository does not have', () => {
    const published = [artifactOf({ name: 'lib-dev', version: '1.0-r0' })];
    const { plan } = simulate([needOf(resolvedRecipeOf('app', { builtWith: ['lib-dev>=2'] }))], { published });
    expect(plan.waits).toMatchObject([{ package: 'app', reason: 'environment-unsatisfiable' }]);
  });

  test('a conflict is not something to install', () => {
    const { plan } = simulate([needOf(resolvedRecipeOf('app', { builtWith: ['build-base', '!openssl'] }))]);
    expect(plan.builds[0]?.request.environment).toEqual({ host: ['build-base'], packages: [] });
  });
});

describe('key', () => {
  const keyOf = (need: BuildNeed, more: Partial<BuildPlanInput> = {}) =>
    simulate([need], more).plan.builds[0]?.buildKey;
  const dev = (version: string) => artifactOf({ name: 'lib-dev', version });

  test('it follows from what is built and with what, not from when and from where', () => {
    const published = [dev('1.0-r0')];
    const key = keyOf(app, { published });
    expect(keyOf({ ...app, commit: 'd'.repeat(40), sourceDateEpoch: 9, purpose: 4 }, { published })).toBe(key);
    expect(keyOf(app, { published, publishedKey: () => 'elsewhere' })).toBe(key);
    expect(keyOf(app, { published: [dev('1.0-r1')] })).not.toBe(key);
    expect(keyOf({ ...app, files: { 'fix.patch': 'AA==' } }, { published })).not.toBe(key);
    expect(keyOf(app, { published, engines: engineSettingsOf({ versions: { host: 2, melange: 1 } }) })).not.toBe(key);
    expect(keyOf(app, { published, engines: engineSettingsOf({ versions: { host: 1, melange: 2 } }) })).toBe(key);
  });
});

describe('engines', () => {
  const published = ['lib-dev', 'busybox'].map((name) => artifactOf({ name, version: '1-r0' }));
  const of = (choice: EngineChoice, more: Partial<EngineSettings> = {}) =>
    engineSettingsOf({ choiceOf: () => choice, versions: { host: 1, melange: 7 }, ...more });
  const planned = (need: BuildNeed, engines: EngineSettings) => {
    const { plan } = simulate([need], { published, engines });
    return { request: plan.builds[0]?.request, waits: plan.waits };
  };
  const tool = needOf(resolvedRecipeOf('tool', { builtWith: ['build-base', 'lib-dev'] }));
  const script = needOf(resolvedRecipeOf('script', { builtWith: ['busybox'] }));

  test('melange takes nothing from the machine, and is part of what a build is', () => {
    const { request } = planned(script, of('melange'));
    expect(request).toMatchObject({
      engine: 'melange',
      engineVersion: 7,
      melange: { version: 'v0.59.1', runner: 'bubblewrap', network: false },
      environment: { host: [] },
    });
    expect(request?.environment.packages.map(({ name }) => name)).toEqual(['busybox']);
    const keys = ['v0.59.1', 'v0.60.0'].map((version) => {
      const melange = { version, runner: 'bubblewrap', network: false } as const;
      return simulate([script], { published, engines: of('melange', { melange }) }).plan.builds[0]?.buildKey;
    });
    expect(keys[0]).not.toBe(keys[1]);
  });

  test('what the repository does not have, melange does not build, and it says what to do', () => {
    expect(planned(tool, of('melange')).waits).toMatchObject([
      {
        reason: 'refused',
        code: 'build.refused',
        because:
          'environment.contents.packages asks for build-base, which the repository does not have; add a recipe for it: melange builds from the packages of this distribution alone (docs/melange-engine.md: where to begin)',
      },
    ]);
  });

  test('auto: the host engine what it can build, melange the rest', () => {
    expect(planned(tool, of('auto')).request?.engine).toBe('host');
    expect(planned(script, of('auto')).request?.engine).toBe('host');
    expect(planned(script, of('auto', { hostRefuses: () => true })).request?.engine).toBe('melange');
    // Of the machine there is none of the name, of the repository there is.
    const other = needOf(resolvedRecipeOf('other', { builtWith: ['nowhere'] }));
    expect(planned(other, of('auto')).waits).toMatchObject([
      { reason: 'refused', because: expect.stringContaining('asks for nowhere, which the repository does not have') },
    ]);
    expect(planned(other, of('host')).waits).toMatchObject([
      { reason: 'refused', because: expect.stringContaining('which neither this host nor the repository has') },
    ]);
  });

  test('fetch and git-checkout need packages where melange runs them, and come first where they are built', () => {
    const step = (uses: 'fetch' | 'git-checkout') => ({
      label: uses,
      native: { uses, with: {} },
      workingDirectory: '/home/build',
      environment: {},
      steps: [],
    });
    const { resolved } = script;
    const [origin] = resolved.packages;
    const sources = needOf({ ...resolved, packages: [{ ...origin, steps: [step('fetch'), step('git-checkout')] }] });
    const wget = needOf(resolvedRecipeOf('wget', { builtWith: [] }));
    const git = needOf(resolvedRecipeOf('git', { builtWith: [] }));
    const { plan, order } = simulate([sources, wget, git], { published, engines: of('melange') });
    expect(order.at(-1)).toBe('script');
    const request = plan.builds.find(({ need }) => need.resolved.name === 'script')?.request;
    expect(request?.environment.packages.map(({ name }) => name)).toEqual(['busybox', 'git', 'wget']);
    expect(
      simulate([sources], { published, engines: of('host') }).plan.builds[0]?.request.environment.packages.map(
        ({ name }) => name,
      ),
    ).toEqual(['busybox']);
  });
});

test('a recipe for another architecture is not for this target', () => {
  expect(isForTarget(app.resolved, 'x86_64-musl')).toBe(true);
  expect(isForTarget(app.resolved, 'aarch64-gnu')).toBe(false);
  expect(isForTarget({ ...app.resolved, forThisArch: false }, 'x86_64-gnu')).toBe(false);
});
