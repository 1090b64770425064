import type { Artifact } from '../model/artifact.ts';
import { parseDependency } from '../model/dependency.ts';
import { createPackageIndex, type PackageIndex, providersOf } from '../model/package-index.ts';
import { dependencyName, newestPackages } from '../model/package-set.ts';
import type { TargetName } from '../model/target.ts';
import { components } from './components.ts';
import { type Candidate, planTransaction, type Transaction } from './transaction.ts';

/** How candidates hang together. */
export interface Ties {
  /** By origin, what it cannot be installed without and nothing published has: for each such thing the origins that bring it. */
  readonly needs: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** Origins that are judged together, because one needs another or takes away what it used; most are alone. */
  readonly groups: readonly (readonly string[])[];
}

/** Of a list of published packages, what ties are found by. */
interface PublishedFacts {
  readonly index: PackageIndex;
  readonly newest: ReadonlyMap<string, Artifact>;
  /** By shared object, the origins whose newest packages use it. */
  readonly users: ReadonlyMap<string, ReadonlySet<string>>;
}

/** The same list is recognised again: thousands of packages take a while, and most rounds publish nothing. */
const facts = new WeakMap<readonly Artifact[], PublishedFacts>();

function factsOf(published: readonly Artifact[]): PublishedFacts {
  const known = facts.get(published);
  if (known !== undefined) return known;
  const users = new Map<string, Set<string>>();
  const newest = new Map<string, Artifact>();
  for (const artifact of newestPackages(published)) {
    newest.set(artifact.info.name, artifact);
    for (const name of sharedObjects(artifact.info.depends)) {
      users.set(name, (users.get(name) ?? new Set()).add(artifact.info.origin));
    }
  }
  const made = { index: createPackageIndex(published), newest, users };
  facts.set(published, made);
  return made;
}

function sharedObjects(dependencies: readonly string[]): readonly string[] {
  return dependencies.map(dependencyName).filter((name) => name.startsWith('so:'));
}

/**
 * Finds which candidates have to be looked at together on any target: one that asks for what only another brings, and one
 * that takes away a shared object which the published packages of another use. Takes as long as the candidates have names.
 */
export function tieCandidates(
  published: ReadonlyMap<TargetName, readonly Artifact[]>,
  candidates: readonly Candidate[],
): Ties {
  const origins = new Set(candidates.map(({ origin }) => origin));
  const needs = new Map<string, (readonly string[])[]>();
  const ties = new Map<string, Set<string>>();
  const tie = (a: string, b: string) => {
    if (a === b || !origins.has(a) || !origins.has(b)) return;
    ties.set(a, (ties.get(a) ?? new Set()).add(b));
    ties.set(b, (ties.get(b) ?? new Set()).add(a));
  };
  for (const target of new Set(candidates.flatMap(({ artifacts }) => [...artifacts.keys()]))) {
    const before = factsOf(published.get(target) ?? noArtifacts);
    const added = readable(candidates, target);
    const index = createPackageIndex([...added.keys()]);
    for (const [artifact, origin] of added) {
      for (const text of artifact.info.depends) {
        const providers = newProviders(text, before.index, index, added);
        if (providers.length === 0 || providers.includes(origin)) continue;
        needs.set(origin, [...(needs.get(origin) ?? []), providers]);
        for (const provider of providers) tie(origin, provider);
      }
      const old = before.newest.get(artifact.info.name);
      const provides = new Set(artifact.info.provides.map(dependencyName));
      for (const name of sharedObjects(old?.info.provides ?? [])) {
        if (provides.has(name)) continue;
        for (const user of before.users.get(name) ?? []) tie(origin, user);
      }
    }
  }
  const sorted = [...origins].toSorted();
  const groups = components(sorted, (origin) => [...(ties.get(origin) ?? [])].toSorted());
  return { needs, groups };
}

const noArtifacts: readonly Artifact[] = [];

/** The artifacts of a target and whose they are. What has a dependency that nobody can read is left to the gates. */
function readable(candidates: readonly Candidate[], target: TargetName): ReadonlyMap<Artifact, string> {
  const added = new Map<Artifact, string>();
  for (const { origin, artifacts } of candidates) {
    for (const artifact of artifacts.get(target) ?? []) {
      try {
        createPackageIndex([artifact]);
        added.set(artifact, origin);
      } catch {
        // Its gates refuse it, and say why.
      }
    }
  }
  return added;
}

/** The origins of the candidates that meet a dependency which nothing published meets. */
function newProviders(
  text: string,
  published: PackageIndex,
  index: PackageIndex,
  originOf: ReadonlyMap<Artifact, string>,
): readonly string[] {
  const dependency = parseDependency(text);
  if (dependency.conflict || providersOf(published, dependency).length > 0) return [];
  return providersOf(index, dependency).flatMap(({ artifact }) => originOf.get(artifact) ?? []);
}

/**
 * What of the candidates can be published without those that are not in `ready`: each finds its shared objects and everything
 * else that it asks for among the published and the others.
 */
export function planPublication(
  published: ReadonlyMap<TargetName, readonly Artifact[]>,
  candidates: readonly Candidate[],
  { needs }: Pick<Ties, 'needs'>,
  isReady: (origin: string) => boolean,
): Transaction {
  const held: Transaction['held'][number][] = [];
  let left = candidates.filter(({ origin }) => isReady(origin));
  for (;;) {
    const going = new Set(left.map(({ origin }) => origin));
    const lacking = left.flatMap((candidate) => {
      const missing = (needs.get(candidate.origin) ?? []).filter((origins) => !origins.some((one) => going.has(one)));
      const on = [...new Set(missing.flat())].toSorted();
      const because = `${candidate.origin} needs ${on.join(', ')}, which cannot be published yet`;
      return on.length === 0 ? [] : [{ candidate, because, on }];
    });
    // Who lacks something has to wait for it by name; only then is it worth asking what the rest would break.
    const plan = lacking.length === 0 ? planTransaction(published, left) : undefined;
    if (plan?.held.length === 0) return { publish: plan.publish, held };
    const out = plan?.held ?? lacking;
    held.push(...out);
    const gone = new Set(out.map(({ candidate }) => candidate));
    left = left.filter((candidate) => !gone.has(candidate));
  }
}
