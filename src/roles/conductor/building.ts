import { type ErrorCode, RegrowError } from '../../errors.ts';
import type { Artifact } from '../../model/artifact.ts';
import type { BuildAttempt } from '../../model/build.ts';
import { canonicalJson, sha256 } from '../../model/canonical.ts';
import type { Problem, Purpose, Wait } from '../../model/plan.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { TargetName } from '../../model/target.ts';
import { type BuildNeed, isForTarget, type PlannedBuild, planBuilds, promisedNames } from '../../plan/build-plan.ts';
import { blobKey, stagingKey } from '../../ports/objects.ts';
import { packageFileName } from '../../report/repository.ts';
import { buildEffect, readResult } from '../effects.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { proposalProblem } from './problems.ts';
import { type RecipeFile, recipeProblem } from './recipes.ts';
import type { World } from './world.ts';

const nothing: readonly Artifact[] = [];
/** Attempts at a build whose failures were ours, not the package's. */
const infrastructureAttempts = 3;
/** Attempts where a source could not be had, and milliseconds before the second one; twice as long before each next. */
const upstreamAttempts = 8;
const upstreamRest = 15 * 60_000;

/** What is planned for one purpose: of each target the builds, and whether anything still waits. */
export interface PurposePlan {
  readonly purpose: Purpose;
  readonly builds: readonly PlannedBuild[];
  readonly waits: readonly Wait[];
  /** Why it cannot be built as it stands; whatever `builds` says, nothing of it may be merged. */
  readonly problem?: Problem;
}

/** Whether everything of a purpose is built. */
export function isBuilt(plan: PurposePlan): boolean {
  return (
    plan.problem === undefined &&
    plan.waits.length === 0 &&
    plan.builds.every((build) => build.attempt?.state === 'passed')
  );
}

/** The newest attempt at each build key. */
function newestAttempts(context: ConductorContext): Map<string, BuildAttempt> {
  const newest = new Map<string, BuildAttempt>();
  for (const { value } of context.book.all('build')) {
    const known = newest.get(value.buildKey);
    if (known === undefined || known.attempt < value.attempt) newest.set(value.buildKey, value);
  }
  return newest;
}

/**
 * Plans the builds of main and of every open proposal, queues those that can start, and records what waits. What has ended is
 * recorded first and planned with: nothing else may come that would make another round.
 */
export async function planAll(context: ConductorContext, world: World): Promise<ReadonlyMap<Purpose, PurposePlan>> {
  const main = await mainNeeds(context, world);
  let plans: ReadonlyMap<Purpose, PurposePlan>;
  do plans = await planPurposes(context, world, main);
  while (await startBuilds(context, plans));
  const waits = new Map<string, { value: Wait; about: string }>();
  for (const plan of plans.values()) {
    for (const wait of plan.waits) {
      waits.set(`${wait.purpose}/${wait.package}/${wait.target}`, { value: wait, about: wait.package });
    }
  }
  await context.book.replace('wait', waits);
  return plans;
}

async function planPurposes(
  context: ConductorContext,
  world: World,
  main: readonly BuildNeed[],
): Promise<ReadonlyMap<Purpose, PurposePlan>> {
  const plans = new Map<Purpose, PurposePlan>();
  const attempts = newestAttempts(context);
  plans.set('main', planPurpose(context, world, { purpose: 'main', needs: main, main: [], attempts }));
  for (const proposal of world.proposals) {
    if (proposal.state !== 'open') continue;
    plans.set(proposal.number, await planProposal(context, world, proposal, { main, attempts }));
  }
  return plans;
}

/** Says whether a build turned out to have ended, so that the plans are no longer right. */
async function startBuilds(context: ConductorContext, plans: ReadonlyMap<Purpose, PurposePlan>): Promise<boolean> {
  let ended = false;
  for (const plan of plans.values()) {
    for (const build of plan.builds) ended = (await startBuild(context, build)) || ended;
  }
  return ended;
}

/** What is wrong with one proposal keeps that one from being built, and no other. */
async function planProposal(
  context: ConductorContext,
  world: World,
  proposal: Proposal,
  known: Pick<Purposed, 'main' | 'attempts'>,
): Promise<PurposePlan> {
  try {
    const needs = await proposalNeeds(context, world, proposal);
    return planPurpose(context, world, { ...known, purpose: proposal.number, needs });
  } catch (thrown) {
    const problem = proposalProblem(proposal, thrown);
    world.problems.set(`forge/${proposal.package}`, problem);
    return { purpose: proposal.number, builds: [], waits: [], problem };
  }
}

interface Purposed {
  readonly purpose: Purpose;
  readonly needs: readonly BuildNeed[];
  /** What main still has to build. */
  readonly main: readonly BuildNeed[];
  /** The newest attempt at each build key. */
  readonly attempts: ReadonlyMap<string, BuildAttempt>;
}

function planPurpose(
  context: ConductorContext,
  world: World,
  { purpose, needs, main, attempts }: Purposed,
): PurposePlan {
  const own = new Set(needs.map((need) => need.resolved.name));
  const plans = context.settings.targets.map((target) => {
    const pendingElsewhere = new Map<string, readonly string[]>();
    for (const need of main) {
      if (need.target !== target || own.has(need.resolved.name)) continue;
      pendingElsewhere.set(need.resolved.name, promisedNames(need.resolved));
    }
    return planBuilds({
      needs: needs.filter((need) => need.target === target),
      pendingElsewhere: purpose === 'main' ? new Map() : pendingElsewhere,
      published: world.published.get(target) ?? nothing,
      publishedKey: (artifact) => blobKey(artifact.digest),
      hostPackages: context.hostPackages,
      engineVersion: context.engineVersion,
      attemptAt: (key) => attempts.get(key),
      stagedKey,
    });
  });
  return { purpose, builds: plans.flatMap((plan) => plan.builds), waits: plans.flatMap((plan) => plan.waits) };
}

export function stagedKey(buildKey: string, artifact: Artifact): string {
  return stagingKey(buildKey, packageFileName(artifact));
}

/** What main asks for and the repository does not have. */
async function mainNeeds(context: ConductorContext, world: World): Promise<readonly BuildNeed[]> {
  const needs: BuildNeed[] = [];
  for (const file of world.tree.recipes.values()) {
    const { name, version, epoch } = file.recipe.package;
    for (const target of context.settings.targets) {
      if (world.isPublished(target, name, `${version}-r${epoch}`)) continue;
      const why = `main has ${name} ${version}-r${epoch}, the repository does not`;
      const urgency = context.book.get('decision', name)?.value.urgency ?? 'normal';
      try {
        const need = await needOf(world, file, target, { purpose: 'main', commit: world.tree, urgency, why });
        if (need !== undefined) needs.push(need);
      } catch (thrown) {
        world.problems.set(`recipe/${name}`, { ...recipeProblem(file.path, thrown), name });
      }
    }
  }
  return needs;
}

/** Throws what is wrong with the recipes as they stand on the branch: what cannot be read is never taken for built. */
async function proposalNeeds(
  context: ConductorContext,
  world: World,
  proposal: Proposal,
): Promise<readonly BuildNeed[]> {
  const needs: BuildNeed[] = [];
  if (proposal.changes.length === 0) {
    throw new RegrowError('forge.conflict', 'its text no longer says what it changes', {
      package: proposal.package,
      remedy: 'nothing to do where the update is still wanted: regrow writes the text again; otherwise close it',
    });
  }
  const time = await world.reader.timeOf(proposal.head);
  for (const change of proposal.changes) {
    const file = await world.reader.readOne(proposal.head, change.path);
    if (file === undefined || 'area' in file) throw unreadable(proposal, change.path, file);
    const { version, epoch } = file.recipe.package;
    for (const target of context.settings.targets) {
      if (world.isPublished(target, change.package, `${version}-r${epoch}`)) continue;
      const need = await needOf(world, file, target, {
        purpose: proposal.number,
        commit: { commit: proposal.head, time },
        urgency: proposal.fixes.length > 0 ? 'security' : 'normal',
        why: `proposal ${proposal.number}: ${change.why}`,
      });
      if (need !== undefined) needs.push(need);
    }
  }
  return needs;
}

function unreadable(proposal: Proposal, path: string, problem: Problem | undefined): RegrowError {
  if (problem === undefined) {
    return new RegrowError('forge.conflict', `${proposal.branch} no longer has ${path}`, {
      file: path,
      remedy: 'put the recipe back on the branch, or close the pull request',
    });
  }
  const { code, message, remedy } = problem;
  return new RegrowError(code as ErrorCode, message, { file: path, ...(remedy === undefined ? {} : { remedy }) });
}

/** Undefined where the recipe is not for the target. Throws what is wrong with it. */
async function needOf(
  world: World,
  file: RecipeFile,
  target: TargetName,
  facts: Pick<BuildNeed, 'purpose' | 'urgency' | 'why'> & {
    readonly commit: { readonly commit: string; readonly time: number };
  },
): Promise<BuildNeed | undefined> {
  const resolved = world.tree.resolve(file, target);
  if (!isForTarget(resolved, target)) return undefined;
  const { purpose, urgency, why, commit } = facts;
  return {
    purpose,
    target,
    resolved,
    recipe: { path: file.path, text: file.text },
    pipelines: world.tree.pipelinesOf(file),
    files: await world.tree.filesOf(file),
    commit: commit.commit,
    sourceDateEpoch: commit.time,
    urgency,
    why,
  };
}

/**
 * Queues a build that has none, records one that ended, tries again one that failed through no fault of its own. Says
 * whether it has ended since it was planned.
 */
async function startBuild(context: ConductorContext, build: PlannedBuild): Promise<boolean> {
  const { attempt } = build;
  if (attempt === undefined) return queueAttempt(context, build, 1);
  if (attempt.state === 'passed') return false;
  if (attempt.state === 'failed') {
    return isWorthAnother(attempt, context.clock.now()) && (await queueAttempt(context, build, attempt.attempt + 1));
  }
  return followAttempt(context, attempt);
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
  await context.objects.put(`inputs/${digest}.json`, new TextEncoder().encode(text));
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
  await context.book.tell({
    id: `build-queued/${buildKey}.${number}`,
    kind: 'build-queued',
    package: attempt.package,
    text: `${attempt.package} ${attempt.version} is queued for ${attempt.target}: ${need.why}`,
    facts: { target: attempt.target, version: attempt.version, buildKey },
  });
  await context.book.put('build', `${buildKey}.${number}`, attempt, attempt.package);
  return followAttempt(context, attempt);
}

/** A queued attempt is done when its result is there; until then its job must be. Says whether it is done. */
async function followAttempt(context: ConductorContext, attempt: BuildAttempt): Promise<boolean> {
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
    (delivery) => ({ buildKey, attempt: attempt.attempt, delivery, request, package: name, version, target }),
    attempt.urgency,
  );
  return false;
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
      ? `${name} ${version} built for ${target} in ${seconds} s`
      : `${name} ${version} did not build for ${target}: ${result.failure?.message ?? 'no reason was given'}`;
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
