import type { ErrorCode } from '../errors.ts';
import { splitEpoch } from '../model/apk-version.ts';
import type { BuildAttempt } from '../model/build.ts';
import { type Decision, isPersonsHold } from '../model/decision.ts';
import type { Blocker, BlockerKind } from '../model/explanation.ts';
import type { Problem, Purpose, Wait } from '../model/plan.ts';
import type { Proposal } from '../model/proposal.ts';
import type { TargetName } from '../model/target.ts';
import { gateFailed, type Verdict } from '../model/verdict.ts';
import { jobOf, latestBuilds } from './builds.ts';
import type { PackageFacts, Standing } from './facts.ts';

/** The slice of the configuration that says what will happen next. */
export interface ReportSettings {
  readonly targets: readonly TargetName[];
  /** Minutes: the longest between two looks at a source that has no schedule. */
  readonly watchInterval: number;
  /** Minutes. */
  readonly reconcileInterval: number;
  /** Whether green proposals merge by themselves. */
  readonly mergeGreen: boolean;
}

type Details = Omit<Blocker, 'kind' | 'text' | 'tail'> & { readonly tail?: readonly string[] };

function blocker(kind: BlockerKind, text: string, details: Details = {}): Blocker {
  const { tail = [], ...rest } = details;
  return { kind, text, ...rest, tail: [...tail] };
}

function codeOf(failure: { readonly code?: string | undefined } | undefined): { code?: string } {
  return failure?.code === undefined ? {} : { code: failure.code };
}

function findProblem(facts: PackageFacts, code: ErrorCode): Standing<Problem> | undefined {
  return facts.problems.find(({ value }) => value.code === code);
}

function problemBlocker(
  { value, at }: Standing<Problem>,
  details: Details = {},
  kind: BlockerKind = 'problem',
): Blocker {
  return blocker(kind, value.message, { ...details, ...codeOf(value), since: at });
}

/** Full version with epoch of what git asks for. */
export function gitVersion(decision: Decision | undefined): string | undefined {
  return decision === undefined ? undefined : `${decision.from.version}-r${decision.from.epoch}`;
}

/** Attempts may name a version with or without its epoch. */
function isOf(build: BuildAttempt, fullVersion: string): boolean {
  return build.version === fullVersion || build.version === splitEpoch(fullVersion).version;
}

function ofBuild(build: BuildAttempt, name: string): string {
  const whose = build.package === name ? '' : `${build.package} `;
  return `${whose}${build.version} for ${build.target}`;
}

/** Who comes first where several builds stand in the way: what failed, then what was refused, runs, waits. */
function findBuildBlocker(facts: PackageFacts, builds: readonly BuildAttempt[], details: Details): Blocker | undefined {
  const own = (build: BuildAttempt): number => (build.package === facts.package ? 0 : 1);
  const latest = latestBuilds(builds).sort((a, b) => own(a) - own(b));
  const verdictOf = (build: BuildAttempt): Verdict | undefined => facts.verdicts.get(build.buildKey);

  const failed = latest.find((build) => build.state === 'failed');
  if (failed !== undefined) {
    const failure = failed.result?.failure;
    const test = failed.result?.tests.find((one) => one.outcome === 'failed');
    const what = failure ?? test?.failure;
    const where = what?.step === undefined ? '' : ` in step "${what.step}"`;
    const why = what === undefined ? 'it left no reason' : what.message;
    const whose = test === undefined || test.package === failed.package ? '' : ` of ${test.package}`;
    const part = test === undefined ? 'the build' : `the test${whose} in the build`;
    return blocker('build-failed', `${part} of ${ofBuild(failed, facts.package)} failed${where}: ${why}`, {
      ...details,
      buildKey: failed.buildKey,
      since: failed.finishedAt ?? failed.queuedAt,
      tail: what?.tail ?? [],
      ...codeOf(what),
    });
  }
  const refused = latest.find((build) => verdictOf(build)?.passed === false);
  if (refused !== undefined) {
    const verdict = verdictOf(refused);
    const gates = (verdict?.gates ?? []).filter((gate) => gate.outcome === 'failed');
    const why = gates.map((gate) => `${gate.gate}: ${gate.because}`).join('; ');
    return blocker('gate-failed', `the build of ${ofBuild(refused, facts.package)} did not pass the gates: ${why}`, {
      ...details,
      buildKey: refused.buildKey,
      code: gateFailed,
      ...(verdict === undefined ? {} : { since: verdict.at }),
    });
  }
  const queued = latest.filter((build) => build.state === 'queued');
  const running = queued.find((build) => jobOf(build, facts.jobs)?.state === 'active');
  if (running !== undefined) {
    return blocker('building', `the build of ${ofBuild(running, facts.package)} is running`, {
      ...details,
      buildKey: running.buildKey,
      since: running.queuedAt,
    });
  }
  const waiting = queued[0];
  if (waiting !== undefined) {
    const job = jobOf(waiting, facts.jobs);
    const place =
      job?.position === undefined
        ? 'is queued'
        : `is queued at position ${job.position} of ${facts.jobs.filter((one) => one.queue === job.queue && one.state === 'waiting').length}`;
    return blocker('queued', `the build of ${ofBuild(waiting, facts.package)} ${place}`, {
      ...details,
      buildKey: waiting.buildKey,
      since: waiting.queuedAt,
    });
  }
  const unverified = latest.find((build) => build.state === 'passed' && verdictOf(build) === undefined);
  if (unverified !== undefined) {
    const isRepeated = builds.some((build) => build.repeats === unverified.buildKey && build.state === 'queued');
    const how = isRepeated ? 'is built a second time, to compare the bytes' : 'is being verified';
    return blocker('verifying', `the build of ${ofBuild(unverified, facts.package)} passed and ${how}`, {
      ...details,
      buildKey: unverified.buildKey,
      ...(unverified.finishedAt === undefined ? {} : { since: unverified.finishedAt }),
    });
  }
  return undefined;
}

function waitKind(reason: Wait['reason']): BlockerKind {
  switch (reason) {
    case 'dependency-pending':
    case 'transaction':
      return 'waiting-for-dependency';
    case 'dependency-failed':
      return 'dependency-failed';
    case 'environment-unsatisfiable':
      return 'environment-unsatisfiable';
    case 'refused':
      return 'build-refused';
  }
}

function findWait(facts: PackageFacts, purpose: Purpose, details: Details): Blocker | undefined {
  const found: Standing<Wait> | undefined = facts.waits.find((wait) => wait.value.purpose === purpose);
  if (found === undefined) return undefined;
  const { version, target, because, reason } = found.value;
  return blocker(waitKind(reason), `${version} for ${target} cannot be built yet: ${because}`, {
    ...details,
    ...codeOf(found.value),
    since: found.at,
  });
}

function findInProposal(facts: PackageFacts, proposal: Proposal, settings: ReportSettings): Blocker {
  const details = { proposal: proposal.number };
  const builds = facts.builds.filter((build) => {
    const change = proposal.changes.find((one) => one.package === build.package);
    return (
      change !== undefined && isOf(build, change.to) && (build.purpose === proposal.number || build.state !== 'queued')
    );
  });
  const found = findBuildBlocker(facts, builds, details) ?? findWait(facts, proposal.number, details);
  if (found !== undefined) return found;
  if (builds.length === 0) {
    return blocker('not-planned-yet', `pull request #${proposal.number} is open and its builds are not planned yet`, {
      ...details,
      since: proposal.openedAt,
    });
  }
  const decision = facts.package === proposal.package ? facts.decision?.value : undefined;
  if (decision !== undefined && isPersonsHold(decision)) {
    const { reason, because, until } = decision;
    const text = `pull request #${proposal.number} is green and merges by a person's hand alone: ${because}`;
    return blocker(reasonKind(reason), text, { ...details, ...(until === undefined ? {} : { until }) });
  }
  const waits = settings.mergeGreen ? 'is green and about to merge' : 'is green and waits for someone to merge it';
  return blocker('waiting-for-merge', `pull request #${proposal.number} ${waits}`, {
    ...details,
    since: latestBuilds(builds)[0]?.finishedAt ?? proposal.openedAt,
  });
}

/** What keeps the version that main asks for from being published; undefined where every target that has it built has it. */
function findUnpublished(facts: PackageFacts, settings: ReportSettings): Blocker | undefined {
  const wanted = gitVersion(facts.decision?.value);
  if (wanted === undefined) return undefined;
  const builds = facts.builds.filter((build) => build.package === facts.package && isOf(build, wanted));
  const has = new Set(facts.published.filter((one) => one.version === wanted).map((one) => one.target));
  const waits = new Set(facts.waits.filter((wait) => wait.value.purpose === 'main').map((wait) => wait.value.target));
  const started = new Set(builds.map((build) => build.target));
  // A recipe may leave a target out: once some target has the version, only those that began to build it count.
  const missing = settings.targets.filter(
    (target) => !has.has(target) && (has.size === 0 || started.has(target) || waits.has(target)),
  );
  if (missing.length === 0) return undefined;
  const open = builds.filter((build) => missing.includes(build.target));
  const found = findBuildBlocker(facts, open, {}) ?? findWait(facts, 'main', {});
  if (found !== undefined) return found;
  const what =
    open.length === 0 ? 'its build is not planned yet' : 'it is built and verified, and the publisher is next';
  return blocker(
    open.length === 0 ? 'not-planned-yet' : 'not-published-yet',
    `main asks for ${wanted}, which ${missing.join(', ')} has not published: ${what}`,
    facts.decision === undefined ? {} : { since: facts.decision.at },
  );
}

/** A decision that is not to bump is itself what stands between. */
function reasonKind(reason: Decision['reason']): BlockerKind {
  switch (reason) {
    case 'newer-release':
    case 'fixes-vulnerability':
      return 'not-proposed-yet';
    case 'up-to-date':
      return 'nothing';
    case 'updates-disabled':
    case 'manual':
    case 'source-unsupported':
    case 'source-failed':
    case 'not-observed-yet':
    case 'no-usable-release':
    case 'downgrade':
    case 'pinned':
    case 'held':
    case 'cooling-down':
    case 'closed-by-hand':
    case 'loop':
    case 'moved-tag':
    case 'pins-nothing-new':
      return reason;
  }
}

/** The one thing that stands between a package and where it should be: the nearest to being published comes first. */
export function findBlocker(facts: PackageFacts, settings: ReportSettings): Blocker {
  const broken = facts.problems.find((one) => one.value.area === 'recipe' || one.value.area === 'pipeline');
  if (broken !== undefined) {
    const { file, line, message } = broken.value;
    const where = file === undefined ? '' : ` (${file}${line === undefined ? '' : `:${line}`})`;
    return blocker('recipe-invalid', `the recipe cannot be read: ${message}${where}`, {
      ...codeOf(broken.value),
      since: broken.at,
    });
  }
  if (facts.proposal !== undefined) {
    const found = findInProposal(facts, facts.proposal, settings);
    // What keeps regrow from going on counts for more than how builds of it went, but a branch of someone else's does not.
    const obstacle = facts.problems.find(({ value }) => value.area === 'forge' || value.area === 'propose');
    const isBroken = found.kind === 'build-failed' || found.kind === 'gate-failed';
    if (obstacle === undefined || (isBroken && obstacle.value.code === 'forge.conflict')) return found;
    return problemBlocker(obstacle, { proposal: facts.proposal.number });
  }
  const lowered = findProblem(facts, 'package.version-lowered');
  if (lowered !== undefined) return problemBlocker(lowered, {}, 'version-lowered');
  const withdrawn = findProblem(facts, 'package.withdrawn');
  if (withdrawn !== undefined) return problemBlocker(withdrawn, {}, 'withdrawn');
  const unpublished = findUnpublished(facts, settings);
  if (unpublished !== undefined) {
    const obstacle = facts.problems.find(({ value }) => value.area === 'publish');
    // Built and verified, and then the publisher said no.
    return obstacle === undefined || unpublished.kind !== 'not-published-yet' ? unpublished : problemBlocker(obstacle);
  }
  const edited = findProblem(facts, 'recipe.epoch-not-raised');
  if (edited !== undefined && facts.decision?.value.action !== 'bump') {
    return problemBlocker(edited, {}, 'epoch-not-raised');
  }
  // What is wrong with a source stops the decision alone, which says so itself.
  const problem = facts.problems.find((one) => one.value.area !== 'source' && one !== edited);
  if (problem !== undefined) return problemBlocker(problem);
  const { decision } = facts;
  if (decision === undefined) {
    return blocker('not-observed-yet', 'no recipe of this name was read from main since the daemon started');
  }
  const { reason, because, until } = decision.value;
  return blocker(reasonKind(reason), because, {
    since: decision.at,
    ...(reason === 'source-failed' ? codeOf(facts.failure) : {}),
    ...(until === undefined ? {} : { until }),
  });
}
