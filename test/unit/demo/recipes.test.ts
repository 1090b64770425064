import { createHash } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createGit } from '../../../src/adapters/git.ts';
import { readPipelineDirectory } from '../../../src/adapters/pipeline-directory.ts';
import { createSandbox } from '../../../src/adapters/sandbox.ts';
import { createSources } from '../../../src/adapters/sources.ts';
import { createWorkspaces } from '../../../src/adapters/workspace.ts';
import type { HostEngineContext } from '../../../src/build/host/context.ts';
import { runHostBuild } from '../../../src/build/host/engine.ts';
import { createHostTools } from '../../../src/build/host/host-tools.ts';
import { type Box, createBox } from '../../../src/demo/box.ts';
import { recipes } from '../../../src/demo/distribution/recipes/recipes.ts';
import { events } from '../../../src/demo/events.ts';
import { hostLibcVersion } from '../../../src/demo/host-libc-version.ts';
import { projects } from '../../../src/demo/upstream/projects.ts';
import type { BuildAttempt, BuildResult } from '../../../src/model/build.ts';
import { createPipelineLibrary } from '../../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { resolveRecipe } from '../../../src/model/recipe/resolve.ts';
import { parseTarget, type TargetName } from '../../../src/model/target.ts';
import type { BuildNeed } from '../../../src/plan/build-need.ts';
import { planBuilds } from '../../../src/plan/build-plan.ts';
import { stagingKey } from '../../../src/ports/objects.ts';
import { engineVersions } from '../../../src/roles/engine-settings.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { engineSettingsOf } from '../../support/engine-settings.ts';

let directory: string;
let box: Box;
let context: HostEngineContext;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regrow-recipes-'));
  const clock = { now: () => new Date('2026-06-01T00:00:00Z') };
  box = await createBox({ directory: join(directory, 'box'), clock, libcVersion: await hostLibcVersion() });
  const exec = createExec();
  context = {
    workspaces: createWorkspaces({ directory: join(directory, 'work'), exec }),
    sandbox: createSandbox({ exec }),
    sources: createSources({ directory: join(directory, 'sources'), rewrite: box.rewrite }),
    git: createGit({ exec, rewrite: box.rewrite }),
    objects: createMemoryObjects(),
    clock,
    arch: 'x86_64',
    hostTools: createHostTools(),
    limits: { stepTimeout: 60_000, outputLimit: 1_000_000, processLimit: 200 },
    distribution: { namespace: 'regrow-box', name: 'regrow-box' },
    builder: 'test',
  };
});

afterEach(async () => {
  await box.close();
  await rm(directory, { recursive: true, force: true });
});

/** Builds every recipe for a target as the daemon would: what the planner says is ready, against what is there already. */
async function buildAll(
  target: TargetName,
  textOf: (name: string) => Promise<string>,
): Promise<readonly BuildResult[]> {
  const pipelines = new Map(await readPipelineDirectory());
  pipelines.set('box/version-check', (await box.os.read('pipelines/box/version-check.yaml')) ?? '');
  const needs: BuildNeed[] = [];
  for (const { name } of recipes) {
    const text = await textOf(name);
    const { recipe } = parseRecipe(`${name}.yaml`, text);
    const resolved = resolveRecipe(recipe, {
      target: parseTarget(target),
      pipelines: createPipelineLibrary(pipelines),
    });
    needs.push({
      purpose: 'main',
      target,
      resolved,
      recipe: { path: `${name}.yaml`, text },
      pipelines: Object.fromEntries(pipelines),
      files: {},
      commit: (await box.os.resolve('main')) ?? '',
      sourceDateEpoch: 1_777_626_000,
      urgency: 'normal',
      why: 'test',
    });
  }
  const attempts = new Map<string, BuildAttempt>();
  for (;;) {
    const plan = planBuilds({
      needs,
      pendingElsewhere: new Map(),
      failedElsewhere: new Map(),
      published: [],
      publishedKey: () => '',
      hostPackages: new Set(Object.keys(context.hostTools)),
      engines: engineSettingsOf({ versions: { ...engineVersions } }),
      attemptAt: (key) => attempts.get(key),
      stagedKey: (key, { info }) => stagingKey(key, `${info.name}-${info.version}.apk`),
    });
    const ready = plan.builds.filter(({ attempt }) => attempt === undefined);
    if (ready.length === 0)
      return [...attempts.values()].flatMap(({ result }) => (result === undefined ? [] : [result]));
    for (const { buildKey, request, need } of ready) {
      const result = await runHostBuild(
        context,
        request,
        { buildKey, request: buildKey },
        new AbortController().signal,
      );
      attempts.set(buildKey, {
        buildKey,
        attempt: 1,
        package: need.resolved.name,
        version: need.resolved.fullVersion,
        target,
        request: buildKey,
        state: result.outcome,
        purpose: 'main',
        why: need.why,
        urgency: 'normal',
        queuedAt: '2026-06-01T00:00:00.000Z',
        result,
      });
    }
  }
}

/** A recipe as it is in the repository at the beginning. */
async function committed(name: string): Promise<string> {
  return (await box.os.read(`${name}.yaml`)) ?? '';
}

/** A recipe as it is after the update to the last release of its project. */
async function updated(name: string): Promise<string> {
  const recipe = recipes.find((one) => one.name === name);
  const release = projects.find((one) => one.name === recipe?.project)?.releases.at(-1);
  if (recipe === undefined || release === undefined) return committed(name);
  const upstream = box.upstream(name);
  const sha256 = createHash('sha256')
    .update(await upstream.archive(release.tag))
    .digest('hex');
  return recipe.text({ version: release.version, commit: (await upstream.resolve(release.tag)) ?? '', sha256 });
}

function failures(results: readonly BuildResult[]): unknown[] {
  return results.filter(({ outcome }) => outcome === 'failed').map(({ failure, tests }) => ({ failure, tests }));
}

function infoOf(results: readonly BuildResult[], name: string) {
  return results.flatMap(({ artifacts }) => artifacts).find(({ info }) => info.name === name)?.info;
}

const loaders = { 'x86_64-gnu': 'so:ld-linux-x86-64.so.2', 'x86_64-musl': 'so:libc.musl-x86_64.so.1' } as const;

async function canBuild(target: TargetName): Promise<boolean> {
  const compiler = target === 'x86_64-musl' ? '/usr/bin/musl-gcc' : '/usr/bin/cc';
  const can = process.arch === 'x64' && (await stat(compiler).catch(() => undefined)) !== undefined;
  if (!can) console.log(`left out: no ${compiler} for ${target} on this machine`);
  return can;
}

describe.each(['x86_64-gnu', 'x86_64-musl'] as const)('%s', (target) => {
  test('every recipe of the box builds, its tests pass, and its packages find each other', {
    timeout: 240_000,
  }, async (context) => {
    if (!(await canBuild(target))) context.skip();
    const results = await buildAll(target, committed);
    expect(failures(results)).toEqual([]);
    expect(results).toHaveLength(recipes.length);
    const names = results.flatMap(({ artifacts }) => artifacts.map(({ info }) => info.name)).sort();
    expect(names).toEqual([
      'beacon',
      'box-baselayout',
      'count',
      'greet',
      'host-libc',
      'libtally',
      'libtally-dev',
      'libtally-static',
      'notes',
      'words',
      'words-english',
      'words-german',
    ]);
    expect(infoOf(results, 'count')?.depends).toContain('so:libtally.so.1');
    expect(infoOf(results, 'count')?.depends).toContain(loaders[target]);
    expect(infoOf(results, 'host-libc')?.provides.map((text) => text.split('=')[0])).toContain(loaders[target]);
    expect(infoOf(results, 'libtally')?.provides).toContain('so:libtally.so.1=1');
    expect(infoOf(results, 'libtally-dev')?.provides).toContain('pc:tally=1.4.0-r0');
    expect(infoOf(results, 'beacon')?.depends).toEqual([]);
    expect(infoOf(results, 'notes')?.depends).toContain('cmd:greet');
    expect(results.flatMap(({ tests }) => tests).filter(({ outcome }) => outcome === 'passed').length).toBeGreaterThan(
      9,
    );
  });
});

test('after the events all but count builds, and count fails for the header that it misses', {
  timeout: 240_000,
}, async (context) => {
  if (!(await canBuild('x86_64-gnu'))) context.skip();
  for (const event of events) await event.apply(box);
  const results = await buildAll('x86_64-gnu', updated);
  expect(failures(results)).toMatchObject([{ failure: { class: 'package', code: 'build.step-failed' } }]);
  const log = results.find(({ outcome }) => outcome === 'failed')?.failure?.tail.join('\n');
  expect(log).toContain('tally/histogram.h: No such file');
  expect(infoOf(results, 'libtally')?.provides).toContain('so:libtally.so.2=2');
  expect(infoOf(results, 'greet')).toMatchObject({ version: '1.1.0-r0' });
  expect(infoOf(results, 'greet')?.depends).toContain('so:libtally.so.2');
  expect(infoOf(results, 'beacon')).toMatchObject({ version: '1.2.1-r0' });
});
