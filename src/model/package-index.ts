import { compareApkVersions, isApkVersion } from './apk-version.ts';
import type { Artifact } from './artifact.ts';
import { type Dependency, parseDependency, satisfies } from './dependency.ts';

/** One package as the solver sees it. */
export interface Candidate {
  readonly artifact: Artifact;
  readonly name: string;
  readonly version: string;
  readonly origin: string;
  readonly depends: readonly Dependency[];
  /** Every name that the package goes by, its own among them, with the version carried for it; undefined: a bare name. */
  readonly carries: ReadonlyMap<string, string | undefined>;
}

export interface PackageIndex {
  /** By every name that a package goes by: best first, for a request that says no more than the name. */
  readonly byName: Pick<ReadonlyMap<string, readonly Candidate[]>, 'get' | 'has'>;
}

/** An index that can grow, on top of one that stays as it is. */
export interface GrowingIndex extends PackageIndex {
  add(artifacts: readonly Artifact[]): void;
}

/** Throws recipe.malformed for a dependency that apk cannot read. */
export function createPackageIndex(artifacts: readonly Artifact[]): PackageIndex {
  const byName = new Map<string, Candidate[]>();
  for (const candidate of artifacts.map(createCandidate)) {
    for (const name of candidate.carries.keys()) {
      const list = byName.get(name);
      if (list === undefined) byName.set(name, [candidate]);
      else list.push(candidate);
    }
  }
  for (const [name, list] of byName) list.sort((a, b) => comparePreference(name, a, b));
  return { byName };
}

/** Adding to it takes as long as what is added has names, however large the base is; the base is not touched. */
export function growPackageIndex(base: PackageIndex): GrowingIndex {
  const grown = new Map<string, readonly Candidate[]>();
  const get = (name: string) => grown.get(name) ?? base.byName.get(name);
  return {
    byName: { get, has: (name) => grown.has(name) || base.byName.has(name) },
    add(artifacts) {
      for (const candidate of artifacts.map(createCandidate)) {
        for (const name of candidate.carries.keys()) {
          grown.set(
            name,
            [...(get(name) ?? []), candidate].sort((a, b) => comparePreference(name, a, b)),
          );
        }
      }
    },
  };
}

/** The packages that meet a dependency, best first. */
export function providersOf(index: PackageIndex, dependency: Dependency): readonly Candidate[] {
  return (index.byName.get(dependency.name) ?? []).filter((candidate) => meets(candidate, dependency));
}

/** Whether a package is one that the dependency speaks of. */
export function meets(candidate: Candidate, dependency: Dependency): boolean {
  const { name } = dependency;
  return candidate.carries.has(name) && satisfies(candidate.carries.get(name), dependency);
}

function createCandidate(artifact: Artifact): Candidate {
  const { name, version, origin, depends, provides } = artifact.info;
  const carries = new Map<string, string | undefined>();
  for (const text of provides) {
    const { name: provided, version: carried } = parseProvide(text);
    carries.set(provided, carried);
  }
  carries.set(name, version);
  return { artifact, name, version, origin, depends: depends.map(parseDependency), carries };
}

/** A soname may end in what apk cannot compare (`so:libfoo.so.1=1.x`): it then counts as a bare name, which apk does too. */
function parseProvide(text: string): { readonly name: string; readonly version: string | undefined } {
  const [, name = text, version] = /^([^=~<>]+)=(.*)$/.exec(text) ?? [];
  return { name, version: version !== undefined && isApkVersion(version) ? version : undefined };
}

/**
 * apko's order (`pkg/apk/apk/repo.go`, `comparePackages`) where nothing is selected yet: the version carried for the requested name,
 * provider-priority, the newest version, the name. A bare name comes last; for apko it ties with every version, so that there what
 * is taken depends on which packages are compared first.
 */
function comparePreference(name: string, a: Candidate, b: Candidate): number {
  return (
    compareCarried(a.carries.get(name), b.carries.get(name)) ||
    (b.artifact.info.providerPriority ?? 0) - (a.artifact.info.providerPriority ?? 0) ||
    compareApkVersions(b.version, a.version) ||
    compareNames(a.name, b.name)
  );
}

function compareCarried(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return compareApkVersions(b, a);
}

/** By code unit: the same on every machine, whatever its language. */
export function compareNames(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
