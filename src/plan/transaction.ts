import type { Artifact } from '../model/artifact.ts';
import { newlyDangling } from '../model/package-set.ts';
import type { TargetName } from '../model/target.ts';

/** A recipe whose builds passed on every target that it is for. */
export interface Candidate {
  readonly origin: string;
  readonly artifacts: ReadonlyMap<TargetName, readonly Artifact[]>;
}

export interface Transaction {
  readonly publish: readonly Candidate[];
  /** Candidates that have to wait for others, and the shared objects that would be missing. */
  readonly held: readonly { readonly candidate: Candidate; readonly because: string; readonly on: readonly string[] }[];
}

/**
 * The largest set of candidates after whose publication every newest package still finds its shared objects, on every
 * target. A candidate goes out of the set when it would leave another without one, or itself.
 */
export function planTransaction(
  published: ReadonlyMap<TargetName, readonly Artifact[]>,
  candidates: readonly Candidate[],
): Transaction {
  let set = candidates.toSorted((a, b) => (a.origin < b.origin ? -1 : 1));
  const held: Transaction['held'][number][] = [];
  for (;;) {
    const culprit = firstCulprit(published, set);
    if (culprit === undefined) return { publish: set, held };
    held.push(culprit);
    set = set.filter((candidate) => candidate !== culprit.candidate);
  }
}

function firstCulprit(
  published: ReadonlyMap<TargetName, readonly Artifact[]>,
  set: readonly Candidate[],
): Transaction['held'][number] | undefined {
  const byOrigin = new Map(set.map((candidate) => [candidate.origin, candidate]));
  const targets = new Set([...published.keys(), ...set.flatMap((candidate) => [...candidate.artifacts.keys()])]);
  for (const target of targets) {
    const before = published.get(target) ?? [];
    const added = set.flatMap((candidate) => candidate.artifacts.get(target) ?? []);
    for (const { artifact, sharedObject } of newlyDangling(before, added)) {
      const { name, origin } = artifact.info;
      const own = byOrigin.get(origin);
      const ownIsNew = own?.artifacts.get(target)?.some((one) => one.info.name === name) === true;
      const because = `${name} needs ${sharedObject}, which nothing in ${target} provides`;
      if (own !== undefined && ownIsNew) return { candidate: own, because, on: [] };
      // It was fine before: whoever provided it before and is in the set took it away.
      const thief = set.find((candidate) => providedBefore(before, candidate.origin, sharedObject));
      if (thief !== undefined) {
        return {
          candidate: thief,
          because: `${name} still needs ${sharedObject} and would lose it on ${target}`,
          on: [origin],
        };
      }
    }
  }
  return undefined;
}

function providedBefore(published: readonly Artifact[], origin: string, sharedObject: string): boolean {
  return published.some(
    (artifact) =>
      artifact.info.origin === origin &&
      artifact.info.provides.some((p) => p === sharedObject || p.startsWith(`${sharedObject}=`)),
  );
}
