import { type ErrorCode, RegrowError } from '../../errors.ts';
import type { Artifact } from '../../model/artifact.ts';
import type { BuildAttempt } from '../../model/build.ts';
import type { Problem, Purpose, Wait } from '../../model/plan.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { TargetName } from '../../model/target.ts';
import { type BuildNeed, promisedNames } from '../../plan/build-need.ts';
import { isForTarget, planBuilds } from '../../plan/build-plan.ts';
import type { PlannedBuild } from '../../plan/lock-build.ts';
import { blobKey, stagingKey } from '../../ports/objects.ts';
import { packageFileName } from '../../report/repository.ts';
import { newestAttempts, startBuilds } from './attempts.ts';
import type { ConductorContext } from './context.ts';
import { loweredProblem } from './lowered.ts';
import { proposalProblem } from './problems.ts';
import { type RecipeFile, type RecipeSurroundings, recipeProblem } from './recipes.ts';
import { takenNames } from './taken.ts';
import { withdrawnProblem } from './withdrawn.ts';
import type { World } from './world.ts';

const nothing: readonly Artifact[] = [];
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

/**
 * Plans the builds of main and of every open proposal, queues those that can start, and records what waits. What has ended is
 * recorded first and planned with: nothing else may come that would make another round.
 */
export async function planAll(context: ConductorContext, world: World): Promise<ReadonlyMap<Purpose, PurposePlan>> {
  const main = await mainNeeds(context, world);
  let plans: ReadonlyMap<Purpose, PurposePlan>;
  do plans = await planPurposes(context, world, main);
  while (
    await startBuilds(
      context,
      [...plans.values()].flatMap((plan) => plan.builds),
      world.problems,
    )
  );
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
  const mainPlan = planPurpose(context, world, { purpose: 'main', needs: main, main: undefined, attempts });
  plans.set('main', mainPlan);
  const pending: Pending = { needs: main, failed: failedOn(mainPlan) };
  for (const proposal of world.proposals) {
    if (proposal.state !== 'open') continue;
    plans.set(proposal.number, await planProposal(context, world, proposal, { main: pending, attempts }));
  }
  return plans;
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

interface Pending {
  readonly needs: readonly BuildNeed[];
  /** `PACKAGE TARGET` of those that will not be built as they stand. */
  readonly failed: ReadonlySet<string>;
}

/** What main will not have as it stands: builds that failed or were refused, and what needs them. */
function failedOn(plan: PurposePlan): ReadonlySet<string> {
  const failed = plan.builds.filter((build) => build.attempt?.state === 'failed').map(({ need }) => need);
  const hopeless = plan.waits.filter(({ reason }) => reason !== 'dependency-pending' && reason !== 'transaction');
  return new Set([
    ...failed.map(({ resolved, target }) => `${resolved.name} ${target}`),
    ...hopeless.map((wait) => `${wait.package} ${wait.target}`),
  ]);
}

interface Purposed {
  readonly purpose: Purpose;
  readonly needs: readonly BuildNeed[];
  /** What main still has to build; undefined when this is main. */
  readonly main: Pending | undefined;
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
    const failedElsewhere = new Map<string, readonly string[]>();
    for (const need of main?.needs ?? []) {
      if (need.target !== target || own.has(need.resolved.name)) continue;
      const elsewhere =
        main?.failed.has(`${need.resolved.name} ${target}`) === true ? failedElsewhere : pendingElsewhere;
      elsewhere.set(need.resolved.name, promisedNames(need.resolved));
    }
    return planBuilds({
      needs: needs.filter((need) => need.target === target),
      pendingElsewhere,
      failedElsewhere,
      published: world.published.get(target) ?? nothing,
      publishedKey: (artifact) => blobKey(artifact.digest),
      hostPackages: context.hostPackages,
      engines: context.engines,
      repository: context.settings.recipeAddress,
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
    const withdrawn = withdrawnProblem(world, file);
    if (withdrawn !== undefined) {
      world.problems.set(`publish/${name}`, withdrawn);
      continue;
    }
    for (const target of context.settings.targets) {
      const lowered = loweredProblem(world, file, target);
      if (lowered !== undefined) world.problems.set(`publish/${name}`, lowered);
      if (lowered !== undefined || world.isPublished(target, name, `${version}-r${epoch}`)) continue;
      const why = `main has ${name} ${version}-r${epoch}, the repository does not`;
      const urgency = context.book.get('decision', name)?.value.urgency ?? 'normal';
      try {
        const need = await needOf(world.tree, file, target, { purpose: 'main', commit: world.tree, urgency, why });
        if (need !== undefined) needs.push(need);
      } catch (thrown) {
        world.problems.set(`recipe/${name}`, { ...recipeProblem(file.path, thrown), name });
      }
    }
  }
  const taken = takenNames(world, needs);
  for (const [name, problem] of taken) world.problems.set(`recipe/${name}`, problem);
  return needs.filter(({ resolved }) => !taken.has(resolved.name));
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
  // Files beside a recipe and pipelines as the branch has them: what is merged is what was built.
  const around = await world.reader.around(proposal.head);
  for (const change of proposal.changes) {
    const file = await world.reader.readOne(proposal.head, change.path);
    if (file === undefined || 'area' in file) throw unreadable(proposal, change.path, file);
    const { version, epoch } = file.recipe.package;
    for (const target of context.settings.targets) {
      if (world.isPublished(target, change.package, `${version}-r${epoch}`)) continue;
      const need = await needOf(around, file, target, {
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
  around: RecipeSurroundings,
  file: RecipeFile,
  target: TargetName,
  facts: Pick<BuildNeed, 'purpose' | 'urgency' | 'why'> & {
    readonly commit: { readonly commit: string; readonly time: number };
  },
): Promise<BuildNeed | undefined> {
  const resolved = around.resolve(file, target);
  if (!isForTarget(resolved, target)) return undefined;
  const { purpose, urgency, why, commit } = facts;
  return {
    purpose,
    target,
    resolved,
    recipe: { path: file.path, text: file.text },
    pipelines: around.pipelinesOf(file),
    files: await around.filesOf(file),
    commit: commit.commit,
    sourceDateEpoch: commit.time,
    urgency,
    why,
  };
}
