import { RegrowError } from '../../errors.ts';
import { type Apk, readApk } from '../../formats/apk.ts';
import type { BuildRequest, BuildResult, MelangeProgram } from '../../model/build.ts';
import { createPipelineLibrary } from '../../model/recipe/pipeline.ts';
import { parseRecipe } from '../../model/recipe/recipe.ts';
import { resolveRecipe } from '../../model/recipe/resolve.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import { parseTarget } from '../../model/target.ts';
import type { Signer } from '../../ports/signer.ts';
import type { Workspace } from '../../ports/workspace.ts';
import { type BuildNames, type BuildOutcome, type BuildProgress, runBuild } from '../build-run.ts';
import { readLocked } from '../locked.ts';
import { writeFiles } from '../recipe-files.ts';
import { refuseUnless } from '../refusal.ts';
import { type ArgumentFacts, buildArguments } from './arguments.ts';
import { bubblewrapScript } from './bubblewrap.ts';
import { directories, type MelangeEngineContext, type MelangePlace, statusFile } from './context.ts';
import { checkProgram, goDuration, type MelangePosition, runMelange } from './melange-run.ts';
import { readOutputs } from './outputs.ts';
import { findMelangeRefusals } from './refusals.ts';
import { writeRepository } from './snapshot-folder.ts';
import { bringSources } from './sources.ts';
import { runTests } from './test-run.ts';
import { createThrowAwayKey } from './throw-away-key.ts';

/** Part of every build key: raised when the same request, given to the same melange, gives other bytes than before. */
export const melangeEngineVersion = 1;

/**
 * Has melange build and test the packages of one recipe, from a snapshot of the locked packages and from sources that were
 * brought before, and leaves packages (unsigned), log and, last, `result.json` in staging. A build that fails is a result; a
 * build that passed before is not run again. Throws what may pass by itself: aborted, sandbox.unavailable, storage.*,
 * tool.missing, upstream.unreachable, upstream.rate-limited.
 */
export async function runMelangeBuild(
  context: MelangeEngineContext,
  request: BuildRequest,
  names: BuildNames,
  signal: AbortSignal,
): Promise<BuildResult> {
  // The clock of its steps is the machine's: melange has no way to give them another.
  const { buildKey, request: digest } = names;
  const about = { package: request.package, names: { buildKey, request: digest } };
  return runBuild(context, about, (progress) => build(context, request, progress, signal));
}

async function build(
  context: MelangeEngineContext,
  request: BuildRequest,
  progress: BuildProgress,
  signal: AbortSignal,
): Promise<BuildOutcome> {
  const { log } = progress;
  const target = parseTarget(request.target);
  const { recipe } = parseRecipe(request.recipe.path, request.recipe.text);
  const pipelines = createPipelineLibrary(new Map(Object.entries(request.pipelines)));
  const resolved = resolveRecipe(recipe, { target, pipelines, file: request.recipe.path });
  const melange = checkRequest(request, resolved);
  const { version, runner, network } = melange;
  log.say(`${request.package} ${request.version}-r${request.epoch} for ${request.target}`);
  log.say(`melange ${version}, in ${runner}, ${network ? 'with' : 'without'} network`);
  refuseUnless(
    findMelangeRefusals({ recipe, resolved, target, arches: context.arches, network, runner }),
    { package: resolved.name, file: request.recipe.path },
    'melange',
  );
  await checkProgram(context, melange, signal);
  const environment = (await readLocked(context.objects, request.environment.packages)).map(({ apk }) => apk);
  log.say(`environment: ${environment.map(({ info }) => `${info.name} ${info.version}`).join(', ') || 'no packages'}`);

  const workspace = await context.workspaces.create(`${resolved.name}-${request.target}`);
  try {
    const key = await createThrowAwayKey();
    const place = await prepare(context, { request, melange, workspace, key });
    const brought = await bringSources(resolved, { context, workspace, signal, say: log.say });
    progress.sources = () => brought.sources;
    await writeProgram(context, { workspace, melange, repositories: brought.repositories });
    await writeRepository(workspace, directories.repository, { packages: environment, request, key });
    const own = ownPipelines(request, context.shippedPipelines);
    for (const [name, text] of own) await workspace.write(`${directories.pipelines}/${name}.yaml`, text);

    const facts: ArgumentFacts = {
      request,
      hasPipelines: own.length > 0,
      namespace: context.namespace,
      recipeRepository: request.recorded.repository,
    };
    const position: MelangePosition = { step: undefined, tested: undefined };
    progress.step = () => position.step;
    const timeout = goDuration(recipe.package.timeout) ?? context.limits.timeout;
    const run = { request, context, workspace, place, log, signal };
    await runMelange(run, buildArguments(facts, place), timeout, position);
    position.step = 'package';
    const packages = await readOutputs(workspace, resolved, request.target);
    for (const { artifact } of packages) {
      log.say(`made ${artifact.info.name}-${artifact.info.version}.apk, ${artifact.bytes} bytes, ${artifact.checksum}`);
    }
    const installed: readonly Apk[] = packages.map(({ bytes }) => readApk(bytes));
    const tests = await runTests(run, { resolved, facts, timeout, built: installed, key });
    return { packages, tests };
  } finally {
    await workspace.dispose();
  }
}

/** The request says what it is for, and the recipe in it says so too; anything else was put together wrongly. */
function checkRequest(request: BuildRequest, resolved: ResolvedRecipe): MelangeProgram {
  const asked = `${request.package} ${request.version}-r${request.epoch}`;
  const isOurs = request.engineVersion === melangeEngineVersion && request.environment.host.length === 0;
  if (asked === `${resolved.name} ${resolved.fullVersion}` && isOurs && request.melange !== undefined) {
    return request.melange;
  }
  throw new RegrowError(
    'build.refused',
    `the request is for ${asked} by version ${request.engineVersion} of the melange engine; its recipe is ${resolved.name} ${resolved.fullVersion}, and this is version ${melangeEngineVersion}`,
    { package: request.package, remedy: 'run the same version of regrow on all machines' },
  );
}

interface Preparation {
  readonly request: BuildRequest;
  readonly melange: MelangeProgram;
  readonly workspace: Workspace;
  readonly key: Signer;
}

/** The folders that melange is given, with the recipe, the files beside it, and the public half of the snapshot's key. */
async function prepare(
  context: MelangeEngineContext,
  { request, melange, workspace, key }: Preparation,
): Promise<MelangePlace> {
  for (const name of Object.values(directories)) await workspace.makeDirectory(name);
  await workspace.write(`${directories.recipe}/${request.recipe.path}`, request.recipe.text);
  await writeFiles(workspace, directories.source, request);
  await workspace.write(`${directories.keys}/${key.keyName}`, key.publicKey);
  return {
    path: (directory) => workspace.path(directory),
    recipeFile: request.recipe.path,
    up: '../',
    keyFile: `${directories.keys}/${key.keyName}`,
    melange,
  };
}

/** With bubblewrap melange gets one that leaves out what melange would let in; docker and qemu are as melange has them. */
async function writeProgram(
  context: MelangeEngineContext,
  facts: Pick<Preparation, 'workspace' | 'melange'> & {
    readonly repositories: readonly { readonly repository: string; readonly folder: string }[];
  },
): Promise<void> {
  const { runner, network } = facts.melange;
  if (runner !== 'bubblewrap') return;
  const { isRoot } = context;
  const script = bubblewrapScript({
    program: await context.bubblewrap(),
    network,
    isRoot,
    statusFile: facts.workspace.path(statusFile),
    processBrake: context.stepWatch.brake(context.limits.processLimit),
    repositories: facts.repositories,
  });
  await facts.workspace.write(`${directories.programs}/bwrap`, script, 0o755);
}

/** The pipelines that are the distribution's: those that come with regrow melange has itself, under the same names. */
function ownPipelines(
  { pipelines }: BuildRequest,
  shipped: ReadonlyMap<string, string>,
): readonly (readonly [string, string])[] {
  return Object.entries(pipelines).filter(([name, text]) => shipped.get(name) !== text);
}
