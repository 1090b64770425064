import { type ErrorCode, reportError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import type { BuildAttempt, BuildRequest } from '../model/build.ts';
import { parseDependency } from '../model/dependency.ts';
import type { Purpose, Wait } from '../model/plan.ts';
import type { ResolvedRecipe } from '../model/recipe/resolved.ts';
import { createPackageIndex, growPackageIndex, type PackageIndex } from '../model/solve.ts';
import { parseTarget, type TargetName } from '../model/target.ts';
import { buildKey } from './build-key.ts';
import { components } from './components.ts';
import { type EnvironmentSources, lockEnvironment } from './environment.ts';

/** One recipe that should be built for one target, as it stands at a commit. */
export interface BuildNeed {
  readonly purpose: Purpose;
  readonly target: TargetName;
  readonly resolved: ResolvedRecipe;
  readonly recipe: { readonly path: string; readonly text: string };
  readonly pipelines: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly commit: string;
  readonly sourceDateEpoch: number;
  readonly urgency: 'security' | 'normal' | 'low';
  readonly why: string;
}

export interface BuildPlanInput {
  /** All of one purpose and one target. */
  readonly needs: readonly BuildNeed[];
  /** What other purposes must build first: for a proposal, what main still has to. Names that they will provide, by origin. */
  readonly pendingElsewhere: ReadonlyMap<string, readonly string[]>;
  /** What other purposes should have built first and could not: an older one that is published, or the host's, has to do. */
  readonly failedElsewhere: ReadonlyMap<string, readonly string[]>;
  /** Of the target. The same list is recognised again: what is made of it is kept. */
  readonly published: readonly Artifact[];
  /** Where a published package lies. */
  readonly publishedKey: (artifact: Artifact) => string;
  readonly hostPackages: ReadonlySet<string>;
  readonly engineVersion: number;
  /** Address of the repository of recipes, where it has one that others can reach. */
  readonly repository?: string | undefined;
  /** The newest attempt at a key. */
  readonly attemptAt: (buildKey: string) => BuildAttempt | undefined;
  /** Where a passed build's package lies. */
  readonly stagedKey: (buildKey: string, artifact: Artifact) => string;
}

export interface PlannedBuild {
  readonly need: BuildNeed;
  readonly buildKey: string;
  readonly request: BuildRequest;
  /** The newest attempt; undefined when none was made. */
  readonly attempt: BuildAttempt | undefined;
}

export interface BuildPlan {
  /** Builds whose inputs are all there, in build order; those with no attempt are to be queued. */
  readonly builds: readonly PlannedBuild[];
  readonly waits: readonly Wait[];
}

/** Names that a recipe's packages will be known by. */
export function promisedNames(resolved: ResolvedRecipe): readonly string[] {
  return resolved.packages.flatMap((one) => [
    one.name,
    ...one.provides.map((provide) => parseDependency(provide).name),
  ]);
}

/** The names of the packages that a recipe is built and tested with. */
function wantedNames(resolved: ResolvedRecipe): readonly string[] {
  const tested = resolved.packages.flatMap((one) =>
    one.test === undefined ? [] : [...one.test.packages, ...one.depends],
  );
  const wanted = [...resolved.environment.packages, ...tested].map(parseDependency);
  return wanted.filter((dependency) => !dependency.conflict).map((dependency) => dependency.name);
}

/**
 * What to build now for one purpose and one target, in build order. A need waits for those it is built with; inside a cycle
 * each is built against what is published. The packages of a passed build stand in for the published ones at once.
 */
export function planBuilds(input: BuildPlanInput): BuildPlan {
  if (input.needs.length === 0) return { builds: [], waits: [] };
  const needs = new Map(input.needs.map((need) => [need.resolved.name, need]));
  const promisedBy = new Map<string, string>();
  for (const need of input.needs)
    for (const name of promisedNames(need.resolved)) promisedBy.set(name, need.resolved.name);
  const pending = originsByName(input.pendingElsewhere);
  const broken = originsByName(input.failedElsewhere);

  const edges = new Map<string, readonly string[]>();
  for (const need of input.needs) {
    const own = need.resolved.name;
    const on = wantedNames(need.resolved).map((name) => promisedBy.get(name));
    edges.set(own, [...new Set(on.filter((origin) => origin !== undefined && origin !== own))] as string[]);
  }

  const builds: PlannedBuild[] = [];
  const waits: Wait[] = [];
  const passed = new Map<string, PlannedBuild>();
  const failed = new Set<string>();
  const available = availablePackages(input);
  // Components come dependencies first, so that what a need is built with was looked at before it.
  for (const component of components([...needs.keys()].toSorted(), (name) => edges.get(name) ?? [])) {
    const together = new Set(component);
    const settled: PlannedBuild[] = [];
    for (const name of component) {
      const need = needs.get(name);
      if (need === undefined) continue;
      const wanted = wantedNames(need.resolved);
      const isThere = (one: string) => available.index.byName.has(one) || input.hostPackages.has(one);
      const hopeless = originsOf(
        wanted.filter((one) => !isThere(one)),
        broken,
        name,
      );
      const before = (edges.get(name) ?? []).filter((origin) => !together.has(origin) && !passed.has(origin));
      const blocking = [...new Set([...before, ...originsOf(wanted, pending, name)])];
      const failing = [...hopeless, ...blocking.filter((origin) => failed.has(origin))];
      if (failing.length > 0) {
        failed.add(name);
        waits.push(wait(need, 'dependency-failed', `it needs ${failing.join(', ')}, which did not build`, failing));
        continue;
      }
      if (blocking.length > 0) {
        waits.push(wait(need, 'dependency-pending', `it needs ${blocking.join(', ')}, which comes first`, blocking));
        continue;
      }
      const build = lockBuild(need, available, input);
      if ('reason' in build) {
        failed.add(name);
        waits.push(build);
        continue;
      }
      builds.push(build);
      if (build.attempt?.state === 'passed') settled.push(build);
      if (build.attempt?.state === 'failed') failed.add(name);
    }
    for (const build of settled) {
      passed.set(build.need.resolved.name, build);
      available.add(build);
    }
  }
  return { builds, waits };
}

function originsByName(names: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, string> {
  return new Map([...names].flatMap(([origin, list]) => list.map((name) => [name, origin] as const)));
}

/** The origins, other than `own`, that names belong to. */
function originsOf(names: readonly string[], originOf: ReadonlyMap<string, string>, own: string): readonly string[] {
  const origins = new Set(names.map((name) => originOf.get(name)));
  return [...origins].filter((origin) => origin !== undefined && origin !== own).map(String);
}

function wait(need: BuildNeed, reason: Wait['reason'], because: string, on: readonly string[], code?: ErrorCode): Wait {
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

/** Of each list of published packages: thousands of them take a while, and every purpose of a round starts from the same. */
const indexes = new WeakMap<readonly Artifact[], PackageIndex>();

function indexOf(published: readonly Artifact[]): PackageIndex {
  const known = indexes.get(published);
  if (known !== undefined) return known;
  const index = createPackageIndex(published);
  indexes.set(published, index);
  return index;
}

/** What a build may use: everything published, and the packages of builds that passed, as they are added. */
interface Available extends EnvironmentSources {
  add(build: PlannedBuild): void;
}

function availablePackages(input: BuildPlanInput): Available {
  const index = growPackageIndex(indexOf(input.published));
  const staged = new Map<Artifact, string>();
  return {
    index,
    keyOf: (artifact) => staged.get(artifact) ?? input.publishedKey(artifact),
    hostPackages: input.hostPackages,
    add({ buildKey: key, attempt }) {
      const artifacts = attempt?.result?.artifacts ?? [];
      for (const artifact of artifacts) staged.set(artifact, input.stagedKey(key, artifact));
      index.add(artifacts);
    },
  };
}

function lockBuild(need: BuildNeed, sources: EnvironmentSources, input: BuildPlanInput): PlannedBuild | Wait {
  const { resolved, recipe } = need;
  const where = { package: resolved.name, file: recipe.path };
  try {
    const wanted = resolved.environment.packages;
    const environment = lockEnvironment(wanted, sources, { ...where, field: 'environment.contents.packages' });
    const testEnvironments: BuildRequest['testEnvironments'] = {};
    for (const one of resolved.packages) {
      if (one.test === undefined) continue;
      const declared = one.depends.filter((text) => !isOwn(text, resolved));
      const test = [...one.test.packages.filter((text) => !isOwn(text, resolved)), ...declared];
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
      engine: 'host',
      engineVersion: input.engineVersion,
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
    return wait(need, reason, `${error.message}${remedy}`, [], error.code);
  }
}

/** A dependency on a package of the same recipe: it comes out of this very build. */
function isOwn(text: string, resolved: ResolvedRecipe): boolean {
  return promisedNames(resolved).includes(parseDependency(text).name);
}

/** Whether a recipe is for a target: its `target-architecture` does not leave the architecture out. */
export function isForTarget(resolved: ResolvedRecipe, target: TargetName): boolean {
  return resolved.forThisArch && resolved.arch === parseTarget(target).arch;
}
