import type { Artifact } from '../model/artifact.ts';
import { newlyDangling } from '../model/package-set.ts';

/** A recipe that must be built again because what it links against is gone. */
export interface Follower {
  /** Origin of the dependents. */
  readonly origin: string;
  /** `so:libfoo.so.1`, sorted. */
  readonly lost: readonly string[];
}

/**
 * Who must follow when `built` replaces its older versions: origins whose newest packages depend on a shared object that
 * nothing provides any more. What dangled already before is not this update's doing and stays out. Sorted by origin.
 */
export function followers(published: readonly Artifact[], built: readonly Artifact[]): readonly Follower[] {
  const origins = new Set(built.map((artifact) => artifact.info.origin));
  const lost = new Map<string, Set<string>>();
  for (const { artifact, sharedObject } of newlyDangling(published, built)) {
    const { origin } = artifact.info;
    if (origins.has(origin)) continue;
    const objects = lost.get(origin) ?? new Set();
    lost.set(origin, objects.add(sharedObject));
  }
  return [...lost]
    .map(([origin, objects]) => ({ origin, lost: [...objects].toSorted() }))
    .toSorted((a, b) => (a.origin < b.origin ? -1 : 1));
}
