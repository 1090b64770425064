import type { BuildAttempt } from '../../model/build.ts';
import { canonicalJson, sha256 } from '../../model/canonical.ts';
import type { Problem } from '../../model/plan.ts';
import type { PlannedBuild } from '../../plan/lock-build.ts';
import { stagingKey } from '../../ports/objects.ts';
import { packageFileName } from '../../report/repository.ts';
import { buildEffect, readResult } from '../effects.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { packageProblem } from './problems.ts';
import { differenceOf, secondAttempt, secondBuildKey } from './repeating.ts';

/** Attempts at a build whose failures were ours, not the package's. */
const infrastructureAttempts = 3;
/** Attempts where a source could not be had, and milliseconds before the second one; twice as long before each next. */
const upstreamAttempts = 8;
const upstreamRest = 15 * 60_000;

/** The newest attempt at each build key. */
export function newestAttempts(context: ConductorContext): Map<string, BuildAttempt> {
  const newest = new Map<string, BuildAttempt>();
  for (const { value } of context.book.all('build')) {
    const known = newest.get(value.buildKey);
    if (known === undefined || known.attempt < value.attempt) newest.set(value.buildKey, value);
  }
  return newest;
}

/**
 * Says whether a build turned out to have ended, so that the plans are no longer right. What is wrong with one is a problem of
 * its package, and the others start.
 */
export async function startBuilds(
  context: ConductorContext,
  builds: Iterable<PlannedBuild>,
  problems: Map<string, Problem>,
): Promise<boolean> {
  let ended = false;
  for (const build of builds) {
    try {
      if (await isGone(context, build.attempt)) {
        await queueAttempt(context, build, (build.attempt?.attempt ?? 0) + 1);
        // What was planned with its packages has to be planned again.
        return true;
      }
      ended = (await startBuild(context, build)) || ended;
    } catch (thrown) {
      problems.set(...packageProblem(build.need.resolved.name, thrown));
    }
  }
  return ended;
}

/**
 * Queues a build that has none, records one that ended, tries again one that failed through no fault of its own, repeats one
 * that passed where that is wanted. Says whether it has ended since it was planned.
 */
async function startBuild(context: ConductorContext, build: PlannedBuild): Promise<boolean> {
  const { attempt } = build;
  if (attempt === undefined) return queueAttempt(context, build, 1);
  if (attempt.state === 'passed') {
    await repeatBuild(context, attempt);
    return false;
  }
  if (attempt.state === 'failed') {
    return isWorthAnother(attempt, context.clock.now()) && (await queueAttempt(context, build, attempt.attempt + 1));
  }
  // Nothing may have asked for it for so long that what it is built from was removed.
  if (!(await context.objects.has(inputsKey(attempt.request)))) return queueAttempt(context, build, attempt.attempt);
  return followAttempt(context, attempt);
}

/** Whether a build passed and its packages are not there any more: nothing asked for them for a long time, and now something does. */
async function isGone({ objects }: ConductorContext, attempt: BuildAttempt | undefined): Promise<boolean> {
  if (attempt?.state !== 'passed') return false;
  for (const artifact of attempt.result?.artifacts ?? []) {
    if (!(await objects.has(stagingKey(attempt.buildKey, packageFileName(artifact))))) return true;
  }
  return false;
}

function inputsKey(request: string): string {
  return `inputs/${request}.json`;
}

/** A server that gave a page where a file is due may give the file later; a file with another hash is somebody's to look at. */
function isWorthAnother({ attempt, finishedAt, result }: BuildAttempt, now: Date): boolean {
  const failure = result?.failure;
  if (failure?.class === 'infrastructure') return attempt < infrastructureAttempts;
  if (failure?.class !== 'upstream' || !failure.code.startsWith('upstream.')) return false;
  const rest = upstreamRest * 2 ** (attempt - 1);
  return attempt < upstreamAttempts && now.getTime() - Date.parse(finishedAt ?? '') >= rest;
}

async function queueAttempt(context: ConductorContext, build: PlannedBuild, number: number): Promise<boolean> {
  const { need, request, buildKey } = build;
  const text = canonicalJson(request);
  const digest = sha256(text);
  await context.objects.put(inputsKey(digest), new TextEncoder().encode(text));
  const attempt: BuildAttempt = {
    buildKey,
    attempt: number,
    package: need.resolved.name,
    version: need.resolved.fullVersion,
    target: need.target,
    request: digest,
    state: 'queued',
    purpose: need.purpose,
    why: need.why,
    urgency: need.urgency,
    queuedAt: context.clock.now().toISOString(),
  };
  return enter(context, attempt);
}

/** Writes a new attempt down, and has it done. Says whether it is done already. */
async function enter(context: ConductorContext, attempt: BuildAttempt, not?: string): Promise<boolean> {
  const { buildKey, attempt: number, package: name, version, target, why } = attempt;
  await context.book.tell({
    id: `build-queued/${buildKey}.${number}`,
    kind: 'build-queued',
    package: name,
    text: `${name} ${version} is queued for ${target}: ${why}`,
    facts: { target, version, buildKey },
  });
  await context.book.put('build', `${buildKey}.${number}`, attempt, name);
  return followAttempt(context, attempt, not);
}

/**
 * Has a build that passed made once more, from the very inputs that its packages came from, by another builder where there is
 * one. A second build that failed through no fault of its own is tried again as a first one is.
 */
async function repeatBuild(context: ConductorContext, first: BuildAttempt): Promise<void> {
  const { buildKey: repeats, result, finishedAt: _, ...same } = first;
  if (result === undefined || differenceOf(context.settings, repeats) === undefined) return;
  const second = secondAttempt(context, repeats);
  const isLost = await isGone(context, second);
  if (second?.state === 'passed' && !isLost) return;
  if (second?.state === 'queued') return void (await followAttempt(context, second, result.builder));
  const now = context.clock.now();
  if (second !== undefined && !isLost && !isWorthAnother(second, now)) return;
  const attempt: BuildAttempt = {
    ...same,
    buildKey: secondBuildKey(repeats),
    repeats,
    attempt: (second?.attempt ?? 0) + 1,
    request: result.request,
    state: 'queued',
    why: 'built a second time, to compare the bytes',
    queuedAt: now.toISOString(),
  };
  await enter(context, attempt, result.builder);
}

/** A queued attempt is done when its result is there; until then its job must be. Says whether it is done. */
async function followAttempt(context: ConductorContext, attempt: BuildAttempt, not?: string): Promise<boolean> {
  const effect = buildEffect(attempt);
  const result = await readResult(context.objects, effect, 'built');
  if (result !== undefined) {
    await recordBuild(context, attempt, result.build, result.at);
    return true;
  }
  const { buildKey, request, package: name, version, target } = attempt;
  await ensureJob(
    context,
    'build',
    effect,
    (delivery) => ({
      buildKey,
      attempt: attempt.attempt,
      delivery,
      request,
      package: name,
      version,
      target,
      ...(not === undefined ? {} : { not }),
    }),
    attempt.urgency,
  );
  return false;
}

function whatFailed({ tests }: NonNullable<BuildAttempt['result']>): string {
  return tests.some(({ outcome }) => outcome === 'failed') ? 'was built and failed its test' : 'did not build';
}

async function recordBuild(
  context: ConductorContext,
  attempt: BuildAttempt,
  result: NonNullable<BuildAttempt['result']>,
  at: string,
): Promise<void> {
  const { package: name, version, target, buildKey } = attempt;
  const done: BuildAttempt = { ...attempt, state: result.outcome, finishedAt: at, result };
  const seconds = (result.milliseconds / 1000).toFixed(1);
  const text =
    result.outcome === 'passed'
      ? `${name} ${version} built ${attempt.repeats === undefined ? '' : 'a second time '}for ${target} in ${seconds} s`
      : `${name} ${version} ${whatFailed(result)} for ${target}: ${result.failure?.message ?? 'no reason was given'}`;
  await context.book.tell({
    id: `build-ended/${buildKey}.${attempt.attempt}`,
    kind: result.outcome === 'passed' ? 'build-passed' : 'build-failed',
    package: name,
    text,
    facts: {
      target,
      version,
      buildKey,
      milliseconds: Math.round(result.milliseconds),
      ...(result.failure === undefined ? {} : { code: result.failure.code }),
    },
  });
  await context.book.put('build', `${buildKey}.${attempt.attempt}`, done, name);
}
