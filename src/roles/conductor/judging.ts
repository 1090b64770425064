import { digestOf } from '../../model/canonical.ts';
import type { Purpose } from '../../model/plan.ts';
import type { ResolvedPackage } from '../../model/recipe/resolved.ts';
import type { VerifyRequest } from '../../model/request.ts';
import type { VerifiedResult } from '../../model/result.ts';
import { gateFailed, type Verdict } from '../../model/verdict.ts';
import type { PlannedBuild } from '../../plan/lock-build.ts';
import { artifactsStamp, findingsStamp, gateSetVersion } from '../../verify/verify.ts';
import { readResult, requestDigest, resultKey, storeRequest } from '../effects.ts';
import type { PurposePlan } from './building.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { isDoubted } from './refusals.ts';
import { differenceOf, isCompared, isRepeated, secondAttempt } from './repeating.ts';
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
 * The verdicts over builds that belong together; asks the publisher for those that are missing, beside those that are there.
 * What was refused is asked again whenever the repository has changed since, and what passed when other vulnerabilities of
 * it are known. Undefined while not all are there.
 */
export async function judge(
  context: ConductorContext,
  world: World,
  purpose: Purpose,
  builds: readonly PlannedBuild[],
  findings: VerifyRequest['findings'],
): Promise<readonly Verdict[] | undefined> {
  const open = builds.filter((build) => !hasPassed(context, build, findings));
  if (!open.every(({ buildKey }) => isRepeated(context, buildKey))) return undefined;
  if (open.length > 0) {
    const request: VerifyRequest = {
      kind: 'verify',
      purpose,
      generation: 0,
      packages: [...new Set(open.map((build) => build.need.resolved.name))],
      builds: open.map((build) => judged(context, build)),
      beside: builds.filter((build) => !open.includes(build)).map((build) => judged(context, build)),
      gateSet: gateSetVersion,
      findings: { before: [...findings.before], after: [...findings.after] },
    };
    const generation = world.generation?.generation ?? 0;
    const urgent = open.some((build) => build.need.urgency === 'security');
    let result = await ask(context, request, urgent);
    // A refusal may have been about what else was published.
    if (result?.verdicts.some(({ passed }) => !passed) === true && result.generation !== generation)
      result = await ask(context, { ...request, generation }, urgent);
    if (result === undefined) return undefined;
    for (const verdict of result.verdicts) await recordVerdict(context, verdict);
  }
  const verdicts = builds.flatMap((build) => context.book.get('verdict', build.buildKey)?.value ?? []);
  return verdicts.length === builds.length ? verdicts : undefined;
}

/** Whether the packages of a build, as recorded, passed the gates of today, and nothing is known since that they would look at. */
export function hasPassed(
  { book, settings }: Pick<ConductorContext, 'book' | 'settings'>,
  build: PlannedBuild,
  findings: VerifyRequest['findings'],
): boolean {
  const verdict = book.get('verdict', build.buildKey)?.value;
  if (verdict?.passed !== true || isDoubted({ book }, verdict) || verdict.gateSet !== gateSetVersion) return false;
  if (verdict.artifacts !== stampOf(build)) return false;
  if (!isCompared(verdict, differenceOf(settings, build.buildKey))) return false;
  return verdict.findings === undefined || verdict.findings === findingsStamp(findings, verdict.package);
}

function stampOf({ attempt }: PlannedBuild): string {
  return artifactsStamp(attempt?.result?.artifacts ?? []);
}

function judged(context: ConductorContext, build: PlannedBuild): VerifyRequest['builds'][number] {
  const { need, buildKey, attempt } = build;
  const difference = differenceOf(context.settings, buildKey);
  const second = difference === undefined ? undefined : secondAttempt(context, buildKey);
  const { name, fullVersion, packages } = need.resolved;
  return {
    buildKey,
    attempt: attempt?.attempt ?? 1,
    target: need.target,
    package: name,
    version: fullVersion,
    makes: packages.map((one) => ({
      name: one.name,
      tested: (one.test?.steps.length ?? 0) > 0,
      claims: claimsOf(one),
    })),
    ...(attempt?.request === undefined ? {} : { request: attempt.request }),
    artifacts: stampOf(build),
    ...(difference === undefined || second === undefined
      ? {}
      : { rebuild: { buildKey: second.buildKey, attempt: second.attempt, difference } }),
  };
}

function claimsOf({ provides, replaces, providerPriority, replacesPriority }: ResolvedPackage) {
  return {
    provides: [...provides],
    replaces: [...replaces],
    ...(providerPriority === undefined ? {} : { providerPriority }),
    ...(replacesPriority === undefined ? {} : { replacesPriority }),
  };
}

/** What came of a request; makes sure that something will. */
async function ask(
  context: ConductorContext,
  request: VerifyRequest,
  urgent: boolean,
): Promise<VerifiedResult | undefined> {
  const key = await storeRequest(context.objects, request);
  const effect = `verify-${requestDigest(key)}`;
  const result = await readResult(context.objects, effect, 'verified');
  if (result?.verdicts.every((verdict) => !isDoubted(context, verdict)) === true) return result;
  // Judged before publishers signed what they judged, or put there by somebody else.
  if (result !== undefined) await context.objects.remove(resultKey(effect));
  const payload = (attempt: number) => ({ request: key, attempt });
  await ensureJob(context, 'verify', effect, payload, urgent ? 'security' : 'normal');
  return undefined;
}

/**
 * Writes down verdicts as they come in: what was asked may be asked otherwise by now, with other builds or findings, and what
 * passed need not be judged again for that. A verdict that is older than the known one says nothing.
 */
export async function recordVerdicts(context: ConductorContext, result: VerifiedResult): Promise<void> {
  for (const verdict of result.verdicts) {
    if (isDoubted(context, verdict)) continue;
    const known = context.book.get('verdict', verdict.buildKey)?.value;
    if (known === undefined || known.at < verdict.at) await recordVerdict(context, verdict);
  }
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
    facts: { version, buildKey, ...(passed ? {} : { code: gateFailed }) },
  });
  await context.book.put('verdict', buildKey, verdict, name);
}
