import { digestOf } from '../../model/canonical.ts';
import type { Finding } from '../../model/finding.ts';
import type { Purpose } from '../../model/plan.ts';
import type { VerifyRequest } from '../../model/request.ts';
import type { Verdict } from '../../model/verdict.ts';
import type { PlannedBuild } from '../../plan/build-plan.ts';
import { readResult, requestDigest, storeRequest } from '../effects.ts';
import type { PurposePlan } from './building.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import type { World } from './world.ts';

/** What stands with the builds of one purpose. */
export interface Judgement {
  readonly purpose: Purpose;
  readonly state: 'building' | 'failed' | 'judging' | 'refused' | 'green';
  /** Of the builds, those that failed or were refused. */
  readonly broken: readonly PlannedBuild[];
  readonly verdicts: readonly Verdict[];
}

/** Judges the builds of one proposal together, once every one of them passed. */
export async function judgeProposal(
  context: ConductorContext,
  world: World,
  plan: PurposePlan,
  findings: VerifyRequest['findings'],
): Promise<Judgement> {
  const { purpose } = plan;
  const broken = plan.builds.filter((build) => build.attempt?.state === 'failed');
  const hopeless = plan.waits.some((wait) => wait.reason === 'refused' || wait.reason === 'environment-unsatisfiable');
  if (broken.length > 0 || hopeless || plan.problem !== undefined)
    return { purpose, state: 'failed', broken, verdicts: [] };
  const done = plan.builds.every((build) => build.attempt?.state === 'passed');
  if (plan.waits.length > 0 || !done) return { purpose, state: 'building', broken: [], verdicts: [] };
  const verdicts = await judge(context, world, purpose, plan.builds, findings);
  if (verdicts === undefined) return { purpose, state: 'judging', broken: [], verdicts: [] };
  const refused = plan.builds.filter((build) => verdicts.some((v) => v.buildKey === build.buildKey && !v.passed));
  return { purpose, state: refused.length > 0 ? 'refused' : 'green', broken: refused, verdicts };
}

/**
 * The verdicts over builds that belong together; asks the publisher for them when there are none, or when one was against
 * a build and the repository has changed since. Undefined while they are not there.
 */
export async function judge(
  context: ConductorContext,
  world: World,
  purpose: Purpose,
  builds: readonly PlannedBuild[],
  findings: { readonly before: readonly Finding[]; readonly after: readonly Finding[] },
): Promise<readonly Verdict[] | undefined> {
  const { book, objects } = context;
  const known = builds.map((build) => book.get('verdict', build.buildKey)?.value);
  if (known.every((verdict) => verdict?.passed === true)) return known.filter((verdict) => verdict !== undefined);
  const request: VerifyRequest = {
    kind: 'verify',
    purpose,
    // A verdict against a build may have been about what else was published: the next generation asks again.
    generation: world.generation?.generation ?? 0,
    packages: [...new Set(builds.map((build) => build.need.resolved.name))],
    builds: builds.map((build) => ({
      buildKey: build.buildKey,
      attempt: build.attempt?.attempt ?? 1,
      target: build.need.target,
      package: build.need.resolved.name,
      version: build.need.resolved.fullVersion,
    })),
    findings: { before: [...findings.before], after: [...findings.after] },
  };
  const key = await storeRequest(objects, request);
  const effect = `verify-${requestDigest(key)}`;
  const result = await readResult(objects, effect, 'verified');
  if (result === undefined) {
    const urgent = builds.some((build) => build.need.urgency === 'security');
    await ensureJob(
      context,
      'verify',
      effect,
      (attempt) => ({ request: key, attempt }),
      urgent ? 'security' : 'normal',
    );
    return undefined;
  }
  for (const verdict of result.verdicts) await recordVerdict(context, verdict);
  return result.verdicts;
}

async function recordVerdict(context: ConductorContext, verdict: Verdict): Promise<void> {
  const { buildKey, package: name, version, passed, gates } = verdict;
  if (context.book.holds('verdict', buildKey, verdict)) return;
  const failed = gates.filter((gate) => gate.outcome === 'failed');
  await context.book.tell({
    id: `verdict/${buildKey}/${digestOf(gates).slice(0, 16)}`,
    kind: passed ? 'verified' : 'gate-failed',
    package: name,
    text: passed
      ? `${name} ${version} passed ${gates.length} gates`
      : `${name} ${version} is held by ${failed.map((gate) => `${gate.gate}: ${gate.because}`).join('; ')}`,
    facts: { version, buildKey },
  });
  await context.book.put('verdict', buildKey, verdict, name);
}
