import type { Artifact } from '../model/artifact.ts';
import type { Wait } from '../model/plan.ts';
import type { ResolvedRecipe } from '../model/recipe/resolved.ts';
import { createPackageIndex, growPackageIndex, type PackageIndex } from '../model/solve.ts';
import { parseTarget, type TargetName } from '../model/target.ts';
import { type BuildNeed, promisedNames, wantedNames } from './build-need.ts';
import { components } from './components.ts';
import type { EnvironmentSources } from './environment.ts';
import { type LockInput, lockBuild, type PlannedBuild, waitFor } from './lock-build.ts';

export interface BuildPlanInput extends LockInput {
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
  /** Names that the host engine takes from the machine. */
  readonly hostPackages: ReadonlySet<string>;
  /** Where a passed build's package lies. */
  readonly stagedKey: (buildKey: string, artifact: Artifact) => string;
}

export interface BuildPlan {
  /** Builds whose inputs are all there, in build order; those with no attempt are to be queued. */
  readonly builds: readonly PlannedBuild[];
  readonly waits: readonly Wait[];
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
    const on = wantedNames(need.resolved, isMelanges(need, input)).map((name) => promisedBy.get(name));
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
      const isMelange = isMelanges(need, input);
      const wanted = wantedNames(need.resolved, isMelange);
      const isThere = (one: string) => available.index.byName.has(one) || (!isMelange && input.hostPackages.has(one));
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
        waits.push(waitFor(need, 'dependency-failed', `it needs ${failing.join(', ')}, which did not build`, failing));
        continue;
      }
      if (blocking.length > 0) {
        waits.push(waitFor(need, 'dependency-pending', `it needs ${blocking.join(', ')}, which comes first`, blocking));
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

/** Whether melange builds it for certain. */
function isMelanges(need: BuildNeed, { engines }: BuildPlanInput): boolean {
  const choice = engines.choiceOf(need.resolved.name);
  return choice === 'melange' || (choice === 'auto' && engines.hostRefuses(need));
}

function originsByName(names: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, string> {
  return new Map([...names].flatMap(([origin, list]) => list.map((name) => [name, origin] as const)));
}

/** The origins, other than `own`, that names belong to. */
function originsOf(names: readonly string[], originOf: ReadonlyMap<string, string>, own: string): readonly string[] {
  const origins = new Set(names.map((name) => originOf.get(name)));
  return [...origins].filter((origin) => origin !== undefined && origin !== own).map(String);
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

/** Whether a recipe is for a target: its `target-architecture` does not leave the architecture out. */
export function isForTarget(resolved: ResolvedRecipe, target: TargetName): boolean {
  return resolved.forThisArch && resolved.arch === parseTarget(target).arch;
}
