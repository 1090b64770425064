import { describeMove, type MovedTag } from '../../decide/moved-tag.ts';
import type { AdvisoryIndex } from '../../decide/vulnerability.ts';
import type { RegrowError } from '../../errors.ts';
import { compareApkVersions } from '../../model/apk-version.ts';
import { isPersonsHold } from '../../model/decision.ts';
import { differenceText } from '../../model/difference.ts';
import type { Purpose, Wait } from '../../model/plan.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { PlannedBuild } from '../../plan/lock-build.ts';
import { notOurs } from '../../propose/commit.ts';
import { plain } from '../../propose/markdown.ts';
import { type BuildReport, reportBuilds, reportProposal } from '../../propose/report-build.ts';
import { isBuilt, type PurposePlan } from './building.ts';
import type { ConductorContext } from './context.ts';
import { extend } from './extending.ts';
import { type Judgement, judgeProposal } from './judging.ts';
import { isMoveReleased, movedSince } from './moved-sources.ts';
import { movedProblem, proposalProblem } from './problems.ts';
import { proposalFindings } from './proposing.ts';
import { remake } from './remaking.ts';
import { unlessRefused } from './resting.ts';
import { sayOnce } from './saying.ts';
import type { World } from './world.ts';

/**
 * Brings every open proposal on: shows its builds, lets dependents follow a lost shared object, merges it when it is green and
 * nobody holds the package, closes it when main has what it proposes. Says whether git or the forge changed. One that fails is a problem of its own.
 */
export async function followProposals(
  context: ConductorContext,
  world: World,
  plans: ReadonlyMap<Purpose, PurposePlan>,
  index: AdvisoryIndex,
): Promise<boolean> {
  let moved = false;
  for (const proposal of world.proposals) {
    const plan = plans.get(proposal.number);
    if (proposal.state !== 'open' || plan === undefined) continue;
    try {
      moved = (await followProposal(context, world, proposal, plan, index)) || moved;
    } catch (thrown) {
      world.problems.set(`forge/${proposal.package}`, proposalProblem(proposal, thrown));
    }
  }
  return moved;
}

async function followProposal(
  context: ConductorContext,
  world: World,
  proposal: Proposal,
  plan: PurposePlan,
  index: AdvisoryIndex,
): Promise<boolean> {
  const theirs = await someoneElses(context, proposal);
  // Moved since the forge was read: the next round sees where to.
  if (theirs === 'moved') return false;
  // What cannot be read on the branch is said first.
  if (theirs !== undefined && plan.problem === undefined)
    world.problems.set(`forge/${proposal.package}`, proposalProblem(proposal, theirs));
  if (theirs === undefined && isObsolete(world, proposal)) {
    await context.forge.close(proposal.number, `main has ${proposal.package} at ${proposal.version} or newer.`);
    return true;
  }
  const moved = theirs === undefined ? await movedSince(context, world, proposal) : undefined;
  if (moved !== undefined) {
    if (isMoveReleased(context, proposal) && (await remake(context, world, proposal))) return true;
    await showBuilds(context, proposal, plan);
    await showMove(context, world, proposal, moved);
    return false;
  }
  // Main changed a recipe that it changes: it would not merge, or merge into something that nobody built.
  const paths = proposal.changes.map((change) => change.path);
  const isBehind = await world.reader.differs(proposal.base, world.tree.commit, paths);
  if (theirs === undefined && isBehind && (await remake(context, world, proposal))) return true;
  await showBuilds(context, proposal, plan);
  if (theirs === undefined && isBuilt(plan) && (await extend(context, world, proposal, plan))) return true;
  const versions = new Map(proposal.changes.map((change) => [change.package, change.to]));
  const findings = proposalFindings(world, index, [...versions.keys()], versions);
  const judgement = await judgeProposal(context, world, plan, findings);
  // What came of building it a second time is in the verdicts, which may have come with this look.
  await showBuilds(context, proposal, plan);
  await showJudgement(context, proposal, plan, judgement);
  // What someone else put on the branch is built and judged like ours, and merged by people alone.
  if (judgement.state !== 'green' || !context.settings.mergeGreen || theirs !== undefined) return false;
  if (isBehind || isHeld(context, world, proposal)) return false;
  return unlessRefused(context, world, proposal, 'merge', async () => {
    await context.forge.merge(proposal.number, proposal.head);
    return true;
  });
}

/** A tag that moved while people may have been looking: told on the proposal, which is neither merged nor made again by itself. */
async function showMove(context: ConductorContext, world: World, proposal: Proposal, moved: MovedTag): Promise<void> {
  const { number, head, package: name } = proposal;
  const message = `pull request #${number}: ${describeMove(moved)}`;
  const problem = movedProblem({ area: 'forge', name, message });
  world.problems.set(`forge/${name}`, problem);
  await sayOnce(context, `moved/${number}`, `${head} ${moved.now}`, async () => {
    const text = `${plain(describeMove(moved))}. To go on: ${problem.remedy}.`;
    await context.forge.comment(number, 'source-moved', text);
  });
  await showState(context, proposal, 'failure', describeMove(moved));
}

/** The status that merging waits for. */
async function showState(
  context: ConductorContext,
  { number, head }: Proposal,
  state: Parameters<typeof reportProposal>[2],
  text: string,
): Promise<void> {
  await sayOnce(context, `judged/${number}/${head}`, `${state} ${text}`, () =>
    reportProposal({ forge: context.forge }, head, state, text),
  );
}

/** Why the branch is not ours to move; looked up once for each commit that it is at. */
async function someoneElses(
  { book, forge }: ConductorContext,
  proposal: Proposal,
): Promise<RegrowError | 'moved' | undefined> {
  const { branch, head } = proposal;
  const key = `tip/${proposal.number}`;
  let known = book.get('cursor', key)?.value.cursor;
  if (known === undefined || !known.startsWith(`${head} `)) {
    const tip = await forge.branch(branch);
    if (tip?.commit !== head) return 'moved';
    known = `${head} ${tip.ours ? 'ours' : 'theirs'}`;
    await book.put('cursor', key, { cursor: known });
  }
  return known.endsWith(' ours') ? undefined : notOurs(branch, head);
}

/** Whether a person wants the package to stay where it is, since it was proposed, or says something of it that cannot be read. */
function isHeld({ book }: ConductorContext, world: World, { package: name }: Proposal): boolean {
  const decision = book.get('decision', name)?.value;
  return world.problems.has(`recipe/${name}`) || (decision !== undefined && isPersonsHold(decision));
}

/** Whether main went past the proposal: each of its recipes is there at this version or a newer one. */
function isObsolete(world: World, proposal: Proposal): boolean {
  return (
    proposal.changes.length > 0 &&
    proposal.changes.every((change) => {
      const recipe = world.tree.recipes.get(change.package)?.recipe;
      if (recipe === undefined) return false;
      const { version, epoch } = recipe.package;
      return compareApkVersions(`${version}-r${epoch}`, change.to) >= 0;
    })
  );
}

function logUrl(context: ConductorContext, build: PlannedBuild): string | undefined {
  const { publicUrl } = context.settings;
  return publicUrl === undefined ? undefined : `${publicUrl}/v1/builds/${build.buildKey}/log`;
}

async function showBuilds(context: ConductorContext, proposal: Proposal, plan: PurposePlan): Promise<void> {
  const { book, forge } = context;
  const { number, branch, head: commit } = proposal;
  const builds = [...plan.builds.map((build) => reportOf(context, build)), ...plan.waits.map(reportOfWait)];
  const news = builds.flatMap((build) => {
    const key = `shown/${number}/${commit}/${build.package}/${build.target}`;
    const said = `${build.state} ${build.text}`;
    return book.get('cursor', key)?.value.cursor === said ? [] : [{ build, key, said }];
  });
  if (news.length === 0) return;
  await reportBuilds({ forge }, { number, branch, commit, builds, news: news.map(({ build }) => build) });
  for (const { key, said } of news) await book.put('cursor', key, { cursor: said });
}

function reportOf(context: ConductorContext, build: PlannedBuild): BuildReport {
  const { attempt, need } = build;
  const state = attempt?.state ?? 'queued';
  const failure = attempt?.result?.failure;
  const repeated = repeatedIn(context, build);
  const text = {
    queued: `queued${attempt !== undefined && attempt.attempt > 1 ? `, attempt ${attempt.attempt}` : ''}`,
    passed: `${attempt?.result?.artifacts.length ?? 0} packages, ${testsText(attempt?.result?.tests ?? [])}${repeated.text}`,
    failed: failure?.message ?? 'failed',
  }[state];
  return {
    package: need.resolved.name,
    target: need.target,
    state: state === 'queued' ? 'running' : state,
    text,
    url: state === 'queued' ? undefined : logUrl(context, build),
    failure,
    differences: repeated.differences,
  };
}

/** What came of building it a second time, where it was. */
function repeatedIn(
  { book }: ConductorContext,
  { buildKey }: PlannedBuild,
): { readonly text: string; readonly differences?: readonly string[] } {
  const verdict = book.get('verdict', buildKey)?.value;
  const gate = verdict?.gates.find((one) => one.gate === 'reproducible');
  if (verdict?.rebuild === undefined || gate === undefined) return { text: '' };
  if (gate.outcome === 'passed') return { text: ', reproducible' };
  const differences = gate.differences?.map(differenceText) ?? [gate.because];
  return { text: ', not reproducible', differences };
}

function reportOfWait({ package: name, target, because, reason }: Wait): BuildReport {
  const hopeless = reason === 'refused' || reason === 'environment-unsatisfiable';
  return { package: name, target, state: hopeless ? 'failed' : 'waiting', text: because };
}

function testsText(tests: readonly { readonly outcome: string }[]): string {
  const run = tests.filter((test) => test.outcome !== 'none').length;
  return run === 0 ? 'no tests' : `${run} tested`;
}

async function showJudgement(
  context: ConductorContext,
  proposal: Proposal,
  plan: PurposePlan,
  judgement: Judgement,
): Promise<void> {
  const count = plan.builds.length;
  const refusals = judgement.verdicts
    .filter((verdict) => !verdict.passed)
    .flatMap((verdict) =>
      verdict.gates
        .filter((gate) => gate.outcome === 'failed')
        .map((gate) => `${verdict.package}: ${gate.gate}: ${gate.because}`),
    );
  const said = {
    building: ['pending', 'building'],
    judging: ['pending', 'built, being verified'],
    failed: ['failure', plan.problem?.message ?? 'does not build'],
    refused: ['failure', refusals.join('; ')],
    green: ['success', `${count} builds passed every gate`],
  } as const;
  const [state, text] = said[judgement.state];
  await showState(context, proposal, state, text);
}
