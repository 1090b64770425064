import { compareApkVersions } from './apk-version.ts';
import type { Artifact } from './artifact.ts';

/** Of each name the newest version: what a machine that upgrades has. Sorted by name. */
export function newestPackages(artifacts: Iterable<Artifact>): readonly Artifact[] {
  const newest = new Map<string, Artifact>();
  for (const artifact of artifacts) {
    const known = newest.get(artifact.info.name);
    if (known === undefined || compareApkVersions(artifact.info.version, known.info.version) > 0) {
      newest.set(artifact.info.name, artifact);
    }
  }
  return [...newest.values()].toSorted((a, b) => (a.info.name < b.info.name ? -1 : 1));
}

/** The part of a `depend` or `provide` before its operator. */
export function dependencyName(dependency: string): string {
  const end = dependency.search(/[=<>~@]/);
  return end === -1 ? dependency : dependency.slice(0, end);
}

/** A package that needs a shared object which nothing in the set provides. */
export interface DanglingSharedObject {
  readonly artifact: Artifact;
  /** `so:libfoo.so.1` */
  readonly sharedObject: string;
}

/** Shared objects (`so:`) that packages of a set depend on and none of the set provides. */
export function danglingSharedObjects(set: readonly Artifact[]): readonly DanglingSharedObject[] {
  const provided = new Set(set.flatMap((artifact) => artifact.info.provides.map(dependencyName)));
  return set.flatMap((artifact) =>
    artifact.info.depends
      .map(dependencyName)
      .filter((name) => name.startsWith('so:') && !provided.has(name))
      .map((sharedObject) => ({ artifact, sharedObject })),
  );
}

/**
 * What adding packages would break: shared objects that a newest package needs and that nobody provides any more, or that
 * a new package needs and nobody provides. What dangled already before stays out.
 */
export function newlyDangling(
  before: readonly Artifact[],
  added: readonly Artifact[],
): readonly DanglingSharedObject[] {
  const label = (one: DanglingSharedObject) => `${one.artifact.info.name} ${one.sharedObject}`;
  const known = new Set(danglingSharedObjects(newestPackages(before)).map(label));
  return danglingSharedObjects(newestPackages([...before, ...added])).filter((one) => !known.has(label(one)));
}
