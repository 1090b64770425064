import { RegrowError } from '../../errors.ts';
import type { BuildRequest, BuildResult, TestResult } from '../../model/build.ts';
import { parseDependency } from '../../model/dependency.ts';
import { createPipelineLibrary } from '../../model/recipe/pipeline.ts';
import { parseRecipe, type Recipe } from '../../model/recipe/recipe.ts';
import { resolveRecipe } from '../../model/recipe/resolve.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import { parseTarget } from '../../model/target.ts';
import type { Workspace } from '../../ports/workspace.ts';
import type { BuildLog } from '../build-log.ts';
import { type BuildNames, type BuildOutcome, type BuildProgress, runBuild, type StepClock } from '../build-run.ts';
import { type EnvironmentPackage, readLocked } from '../locked.ts';
import type { PackagedTree } from '../packaging.ts';
import { writeFiles } from '../recipe-files.ts';
import { refuseUnless } from '../refusal.ts';
import { writeConfiguration } from './configuration.ts';
import { directories, type HostEngineContext } from './context.ts';
import { hostCommands } from './host-tools.ts';
import { readLicenseTexts } from './license-texts.ts';
import { makeOutputDirectories, packageOutputs } from './outputs.ts';
import { findRefusals } from './refusals.ts';
import { baseEnvironment, clockEnvironment, makeRoot } from './root.ts';
import { createStepRunner, type StepRunner } from './step-runner.ts';
import { runTest } from './test-run.ts';

/** Part of every build key: raised when the same request gives other bytes than before. */
export const hostEngineVersion = 3;

/**
 * Builds and tests the packages of one recipe on the host's toolchain, each step in a sandbox without network, and leaves
 * packages (unsigned), log and, last, `result.json` in staging. A build that fails is a result; a build that passed before
 * is not run again. Throws what may pass by itself: aborted, sandbox.unavailable, storage.*, tool.missing,
 * upstream.unreachable, upstream.rate-limited.
 */
export async function runHostBuild(
  context: HostEngineContext,
  request: BuildRequest,
  names: BuildNames,
  signal: AbortSignal,
): Promise<BuildResult> {
  return runBuild(context, { package: request.package, names }, (progress) =>
    run({ request, context, progress, clock: names.clock, log: progress.log, signal }),
  );
}

interface RunningBuild {
  readonly request: BuildRequest;
  readonly context: HostEngineContext;
  readonly progress: BuildProgress;
  readonly clock: StepClock | undefined;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

async function run(build: RunningBuild): Promise<BuildOutcome> {
  const { request, context, log } = build;
  const target = parseTarget(request.target);
  log.say(`${request.package} ${request.version}-r${request.epoch} for ${request.target}`);
  const { recipe } = parseRecipe(request.recipe.path, request.recipe.text);
  const pipelines = createPipelineLibrary(new Map(Object.entries(request.pipelines)));
  const resolved = resolveRecipe(recipe, { target, pipelines, file: request.recipe.path });
  checkRequest(request, resolved);
  refuseUnless(findRefusals({ recipe, resolved, target, hostArch: context.arch }), {
    package: resolved.name,
    file: request.recipe.path,
  });
  const environment = await readLocked(context.objects, request.environment.packages);
  checkEnvironment(request, resolved, environment, context);

  const workspace = await context.workspaces.create(`${resolved.name}-${request.target}`);
  try {
    await makeRoot(workspace, directories.root, environment, target.libc);
    const packages = await buildPackages(build, { recipe, resolved, environment, workspace });
    // The tests have roots of their own; what the build used is not needed any more.
    await workspace.remove(directories.root);
    await workspace.remove(directories.build);
    const tests: TestResult[] = [];
    for (const one of resolved.packages) {
      const test = one.test;
      tests.push(
        test === undefined || test.steps.length === 0
          ? { package: one.name, outcome: 'none' }
          : await runTest(
              { request, package: one, test, built: packages, workspace, log, signal: build.signal },
              context,
            ),
      );
    }
    return { packages, tests };
  } finally {
    await workspace.dispose();
  }
}

interface BuildPlace {
  readonly recipe: Recipe;
  readonly resolved: ResolvedRecipe;
  readonly environment: readonly EnvironmentPackage[];
  readonly workspace: Workspace;
}

async function buildPackages(build: RunningBuild, place: BuildPlace): Promise<readonly PackagedTree[]> {
  const { request, context, clock, log, signal } = build;
  const { recipe, resolved, environment, workspace } = place;
  const { libc } = parseTarget(request.target);
  log.say(
    `environment: ${environment.map(({ apk }) => `${apk.info.name} ${apk.info.version}`).join(', ') || 'no packages'}`,
  );
  log.say(`from the host: ${request.environment.host.join(', ') || 'nothing'}`);
  if (clock !== undefined) log.say(`the clock of its steps: ${clock.secondsAhead} s ahead`);
  await writeFiles(workspace, directories.build, request);
  await makeOutputDirectories(workspace, resolved);
  const runner: StepRunner = await createStepRunner(
    {
      workspace,
      root: directories.root,
      build: directories.build,
      script: directories.script,
      sourceDateEpoch: request.recorded.sourceDateEpoch,
      package: resolved.name,
      environment: {
        ...baseEnvironment(libc, request.recorded.sourceDateEpoch),
        ...resolved.environment.variables,
        ...clockEnvironment(clock),
      },
      commands: hostCommands(context.hostTools, request.environment.host, libc),
      log,
      signal,
    },
    context,
  );
  const { compiler } = runner;
  if (compiler !== undefined) log.say(`compiler: ${compiler}`);
  build.progress.step = runner.current;
  build.progress.sources = runner.sources;
  for (const one of resolved.packages) await runner.run(one.steps);
  build.progress.step = () => 'package';

  const { commit, repository } = request.recorded;
  const packages = await packageOutputs(workspace, {
    request,
    resolved,
    configuration: writeConfiguration(recipe, request),
    provenance: {
      distribution: context.distribution,
      recipe: {
        path: request.recipe.path,
        commit,
        ...(repository === undefined ? {} : { repository }),
      },
      sources: runner.sources(),
      licenseTexts: await readLicenseTexts(workspace, resolved, log),
      tools: [`regrow-host ${hostEngineVersion}`, ...(compiler === undefined ? [] : [compiler])],
    },
  });
  for (const { artifact } of packages) {
    log.say(`made ${artifact.info.name}-${artifact.info.version}.apk, ${artifact.bytes} bytes, ${artifact.checksum}`);
  }
  return packages;
}

/** The request says what it is for, and the recipe in it says so too; anything else was put together wrongly. */
function checkRequest(request: BuildRequest, resolved: ResolvedRecipe): void {
  const asked = `${request.package} ${request.version}-r${request.epoch}`;
  if (asked === `${resolved.name} ${resolved.fullVersion}` && request.engineVersion === hostEngineVersion) return;
  throw new RegrowError(
    'build.refused',
    `the request is for ${asked} by engine version ${request.engineVersion}; its recipe is ${resolved.name} ${resolved.fullVersion}, and this is engine version ${hostEngineVersion}`,
    { package: request.package, remedy: 'run the same version of regrow on all machines' },
  );
}

/** Everything that the recipe asks for is locked, from the host or from the repository. */
function checkEnvironment(
  request: BuildRequest,
  resolved: ResolvedRecipe,
  environment: readonly EnvironmentPackage[],
  context: HostEngineContext,
): void {
  const where = { package: resolved.name, file: request.recipe.path };
  const own = new Set(environment.flatMap(({ apk }) => [apk.info.name, ...apk.info.provides.map(nameOf)]));
  const host = new Set(request.environment.host);
  const missing = resolved.environment.packages.filter((text) => {
    const { name, conflict } = parseDependency(text);
    return !conflict && !own.has(name) && !host.has(name);
  });
  const unknown = [...host].filter((name) => !Object.hasOwn(context.hostTools, name));
  const strange = [...missing, ...unknown];
  if (strange.length === 0) return;
  const field = 'environment.contents.packages';
  const what = `neither the repository nor this machine has ${strange.join(', ')}`;
  const remedy = 'add a recipe, or map the package to commands under build.hostTools';
  refuseUnless([{ field, what, remedy }], where);
}

function nameOf(provide: string): string {
  return provide.split(/[=<>~]/, 1)[0] ?? provide;
}
