import type { Artifact } from '../model/artifact.ts';
import type { PublishRequest } from '../model/request.ts';
import type { Refusal } from '../model/result.ts';
import type { TargetName } from '../model/target.ts';
import { planPublication, tieCandidates } from '../plan/ties.ts';
import type { Candidate } from '../plan/transaction.ts';
import type { RefusedAddition } from '../publish/additions.ts';
import type { Remaining } from '../publish/generation.ts';
import { type UnprovenBuild, verdictDigest } from './sealing.ts';

/** Leaves out whole origins, on every target, and whatever cannot be there without them: what is left stays consistent. */
export const withoutRefused: Remaining = (published, left, refused) => {
  const lost = new Set(refused.map(({ addition }) => addition.artifact.info.origin));
  const candidates = candidatesOf([...left, ...refused.map(({ addition }) => addition.artifact)]);
  const ties = tieCandidates(published, candidates);
  const { publish } = planPublication(published, candidates, ties, (origin) => !lost.has(origin));
  return publish.flatMap(({ artifacts }) => [...artifacts.values()].flat());
};

function candidatesOf(artifacts: readonly Artifact[]): readonly Candidate[] {
  const byOrigin = new Map<string, Map<TargetName, Artifact[]>>();
  for (const artifact of artifacts) {
    const { origin } = artifact.info;
    const own = byOrigin.get(origin) ?? new Map<TargetName, Artifact[]>();
    own.set(artifact.target, [...(own.get(artifact.target) ?? []), artifact]);
    byOrigin.set(origin, own);
  }
  return [...byOrigin].map(([origin, own]) => ({ origin, artifacts: own }));
}

/** One refusal for each origin, with the first reason. */
export function refusalsOf(
  request: PublishRequest,
  refused: readonly RefusedAddition[],
  unproven: readonly UnprovenBuild[],
): readonly Refusal[] {
  const refusals = new Map<string, Refusal>();
  for (const { addition, error } of refused) {
    const { origin } = addition.artifact.info;
    if (refusals.has(origin)) continue;
    const own = request.add.filter(({ artifact }) => artifact.info.origin === origin);
    const digests = own.map(({ artifact }) => artifact.digest).toSorted();
    const doubted = unproven.flatMap(({ buildKey, package: about, verdict }) =>
      verdict === undefined || about !== origin ? [] : [{ buildKey, verdict: verdictDigest(verdict) }],
    );
    refusals.set(origin, {
      package: origin,
      code: error.code,
      message: error.message,
      digests,
      ...(doubted.length === 0 ? {} : { doubted }),
    });
  }
  return [...refusals.values()];
}
