import { type ErrorCode, reportError } from '../errors.ts';
import type { BuildAttempt, BuildRequest, Engine, MelangeProgram } from '../model/build.ts';
import { parseDependency } from '../model/dependency.ts';
import type { Wait } from '../model/plan.ts';
import type { ResolvedRecipe } from '../model/recipe/resolved.ts';
import { buildKey } from './build-key.ts';
import { type BuildNeed, buildPackages, promisedNames, testPackages } from './build-need.ts';
import { type EnvironmentSources, lockEnvironment } from './environment.ts';

/** `auto`: the host engine what it can build, melange the rest. */
export type EngineChoice = Engine | 'auto';

/** Who builds what. */
export interface EngineSettings {
  readonly choiceOf: (origin: string) => EngineChoice;
  /** Whether the host engine would refuse a recipe for what it says, whatever the environment. */
  readonly hostRefuses: (need: BuildNeed) => boolean;
  readonly versions: Readonly<Record<Engine, number>>;
  /** The melange that builders have. */
  readonly melange: MelangeProgram;
}

export interface LockInput {
  readonly engines: EngineSettings;
  /** Address of the repository of the recipes, where others can reach it. */
  readonly repository?: string | undefined;
  /** The newest attempt at a key. */
  readonly attemptAt: (buildKey: string) => BuildAttempt | undefined;
}

export interface PlannedBuild {
  readonly need: BuildNeed;
  readonly buildKey: string;
  readonly request: BuildRequest;
  /** The newest attempt; undefined when none was made. */
  readonly attempt: BuildAttempt | undefined;
}

/** Everything that one build is given, with its environments pinned; or why it cannot be built. */
export function lockBuild(need: BuildNeed, sources: EnvironmentSources, input: LockInput): PlannedBuild | Wait {
  const { choiceOf, hostRefuses } = input.engines;
  const choice = choiceOf(need.resolved.name);
  if (choice !== 'auto') return lockFor(choice, need, sources, input);
  if (!hostRefuses(need)) {
    const build = lockFor('host', need, sources, input);
    if (!('reason' in build) || build.reason !== 'refused') return build;
  }
  return lockFor('melange', need, sources, input);
}

function lockFor(
  engine: Engine,
  need: BuildNeed,
  { hostPackages, ...repository }: EnvironmentSources,
  input: LockInput,
): PlannedBuild | Wait {
  const { resolved, recipe } = need;
  const { engines } = input;
  const isMelange = engine === 'melange';
  // Nothing of the machine gets into what melange builds.
  const sources = { ...repository, ...(isMelange ? {} : { hostPackages }) };
  const where = { package: resolved.name, file: recipe.path };
  try {
    const wanted = buildPackages(resolved, isMelange);
    const environment = lockEnvironment(wanted, sources, { ...where, field: 'environment.contents.packages' });
    const testEnvironments: BuildRequest['testEnvironments'] = {};
    for (const one of resolved.packages) {
      if (one.test === undefined) continue;
      const test = testPackages(one, isMelange).filter((text) => !isOwn(text, resolved));
      testEnvironments[one.name] = lockEnvironment([...wanted, ...test], sources, {
        ...where,
        field: `test.environment.contents.packages (${one.name})`,
      });
    }
    const request: BuildRequest = {
      schema: 1,
      package: resolved.name,
      version: resolved.version,
      epoch: resolved.epoch,
      target: need.target,
      engine,
      engineVersion: engines.versions[engine],
      ...(isMelange ? { melange: engines.melange } : {}),
      recipe: need.recipe,
      pipelines: { ...need.pipelines },
      files: { ...need.files },
      environment,
      testEnvironments,
      recorded: {
        commit: need.commit,
        sourceDateEpoch: need.sourceDateEpoch,
        ...(input.repository === undefined ? {} : { repository: input.repository }),
      },
    };
    const key = buildKey(request, resolved);
    return { need, buildKey: key, request, attempt: input.attemptAt(key) };
  } catch (thrown) {
    const error = reportError(thrown, where);
    const reason = error.code === 'build.refused' ? 'refused' : 'environment-unsatisfiable';
    const remedy = error.remedy === undefined ? '' : `; ${error.remedy}`;
    return waitFor(need, reason, `${error.message}${remedy}`, [], error.code);
  }
}

export function waitFor(
  need: BuildNeed,
  reason: Wait['reason'],
  because: string,
  on: readonly string[],
  code?: ErrorCode,
): Wait {
  return {
    package: need.resolved.name,
    version: need.resolved.fullVersion,
    target: need.target,
    purpose: need.purpose,
    reason,
    because,
    on: [...on],
    ...(code === undefined ? {} : { code }),
  };
}

/** A dependency on a package of the same recipe: it comes out of this very build. */
function isOwn(text: string, resolved: ResolvedRecipe): boolean {
  return promisedNames(resolved).includes(parseDependency(text).name);
}
