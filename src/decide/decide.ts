import { compareApkVersions } from '../model/apk-version.ts';
import type { Decision, Evidence } from '../model/decision.ts';
import type { Finding } from '../model/finding.ts';
import type { ReleaseObservation, SourceChoice, WatchFailure } from '../model/observation.ts';
import type { Policy } from '../model/policy.ts';
import type { Proposal } from '../model/proposal.ts';
import type { Recipe, UpdateBlock } from '../model/recipe/recipe.ts';
import type { AdvisoryIndex } from './advisory-index.ts';
import { compareBounds } from './affected-range.ts';
import { componentsOf } from './components.ts';
import { describeFindings, describeObservation, describeRejections, describeTarget } from './evidence.ts';
import { closedByHand, heldForSequence, type PastUpdate, repeatedUntil } from './past-updates.ts';
import { type Choice, chooseTarget } from './target-choice.ts';
import { type Candidates, candidatesOf } from './version-rules.ts';
import { findingsOf } from './vulnerability.ts';

export interface DecideInput {
  readonly recipe: Recipe;
  /** Where its releases are seen; undefined where regrow has no source for it. */
  readonly source: SourceChoice | undefined;
  /** The last good answer of that source. */
  readonly observation?: ReleaseObservation | undefined;
  /** The last failed attempt to ask it, where there was one after the last good answer or before any. */
  readonly failure?: WatchFailure | undefined;
  /** Known vulnerabilities of the package at the recipe's version. */
  readonly findings: readonly Finding[];
  /** Where given, whether a release fixes a finding is read from the records themselves, not from their `fixedIn` alone. */
  readonly advisories?: AdvisoryIndex | undefined;
  /** Proposals of this package in every state. */
  readonly proposals: readonly Proposal[];
  readonly policy: Policy;
  /** Updates of this package that are no longer proposals of the forge, for the loop breaker. */
  readonly history: readonly PastUpdate[];
  readonly now: Date;
}

type Outcome = Pick<Decision, 'action' | 'reason' | 'because'> & Partial<Decision>;

/**
 * What should happen to one package now. Pure: the same facts give the same decision. Throws recipe.pattern-invalid when the
 * recipe's patterns cannot be read.
 */
export function decide(input: DecideInput): Decision {
  const { name, version, epoch } = input.recipe.package;
  const outcome = outcomeOf(input);
  return {
    package: name,
    from: { version, epoch },
    urgency: 'low',
    fixes: [],
    ...outcome,
    evidence: [...(outcome.evidence ?? []), ...describeFindings(input.findings, outcome.fixes ?? [])],
  };
}

function outcomeOf(input: DecideInput): Outcome {
  const { recipe, policy } = input;
  const { name } = recipe.package;
  const { update } = recipe;
  if (policy.ignore.includes(name)) {
    return ignore('updates-disabled', 'the configuration leaves it out of updates (policy.ignore)');
  }
  if (update === undefined) return ignore('updates-disabled', 'the recipe has no `update:` block');
  if (!update.enabled) {
    const why = update['exclude-reason'];
    return ignore('updates-disabled', `the recipe turns updates off${why === undefined ? '' : `: ${why}`}`);
  }
  if (input.source === undefined) {
    return ignore(
      'source-unsupported',
      `regrow cannot watch the source that its \`update:\` block names (${kindOf(update)})`,
    );
  }
  const { observation, failure } = input;
  if (observation === undefined) {
    return failure === undefined
      ? hold('not-observed-yet', `${input.source.key} has not been asked yet`)
      : { ...sourceFailed(failure), evidence: [failureEvidence(failure)] };
  }
  const failing = failure !== undefined && failure.observedAt > observation.observedAt ? failure : undefined;
  const outcome = byRelease(input, update, observation);
  const evidence = [describeObservation(observation), ...(outcome.evidence ?? [])];
  if (failing === undefined) return { ...outcome, evidence };
  // A newer release that was seen is still there; that nothing newer is known says nothing while the source fails.
  const settled = outcome.action === 'current' ? { ...outcome, ...sourceFailed(failing) } : outcome;
  return { ...settled, evidence: [...evidence, failureEvidence(failing)] };
}

function byRelease(input: DecideInput, update: UpdateBlock, observation: ReleaseObservation): Outcome {
  const { name, version } = input.recipe.package;
  const found = candidatesOf(observation.tags, update, name);
  const newest = found.usable[0];
  const left = describeRejections(found.rejected, observation);
  if (newest === undefined) {
    const because = `none of the ${observation.tags.length} tags of ${observation.source} is a version of it`;
    return { ...hold('no-usable-release', because), evidence: left };
  }
  const order = compareApkVersions(newest.version, version);
  if (order === 0) return current(`${version} is the newest release`, left);
  if (order < 0) {
    const because = `the newest release is ${newest.version}, older than ${version}; versions never go back by themselves`;
    return { ...hold('downgrade', because), evidence: left };
  }
  const choice = chooseTarget(newerOf(found, version), input.policy, name, input.now, (target) =>
    fixesOf(input, target),
  );
  const outcome = choice.kind === 'target' ? byTarget(input, update, observation, choice) : waiting(choice);
  return { ...outcome, evidence: [...(outcome.evidence ?? []), ...left] };
}

/** They are sorted, newest first. */
function newerOf(found: Candidates, version: string): Candidates['usable'] {
  const end = found.usable.findIndex((candidate) => compareApkVersions(candidate.version, version) <= 0);
  return end === -1 ? found.usable : found.usable.slice(0, end);
}

function waiting(choice: Exclude<Choice, { kind: 'target' }>): Outcome {
  if (choice.kind === 'pinned') {
    return hold(
      'pinned',
      `${choice.newest.version} is out, but the configuration keeps it on ${choice.pin} (policy.pin)`,
    );
  }
  const { version } = choice.newest;
  return { ...hold('cooling-down', `${version} is too new: it waits until ${choice.until}`), until: choice.until };
}

/** There is a version to go to: what may still stand in the way. */
function byTarget(
  input: DecideInput,
  update: UpdateBlock,
  observation: ReleaseObservation,
  choice: Extract<Choice, { kind: 'target' }>,
): Outcome {
  const { candidate, fixes } = choice;
  const { version, tag } = candidate;
  const common = {
    to: {
      version,
      epoch: 0,
      tag: tag.tag,
      source: observation.source,
      ...(tag.commit === undefined ? {} : { commit: tag.commit }),
      ...(tag.url === undefined ? {} : { url: tag.url }),
    },
    fixes: [...fixes],
    urgency: fixes.length > 0 ? ('security' as const) : ('normal' as const),
    evidence: describeTarget(candidate, choice.notes, observation),
  };
  const { name, version: from } = input.recipe.package;
  if (input.policy.hold.includes(name)) {
    return { ...common, ...hold('held', `${version} is out, but the configuration holds its updates (policy.hold)`) };
  }
  if (update.manual === true) {
    return { ...common, ...hold('manual', `${version} is out; the recipe says that a person makes the update`) };
  }
  const closed = closedByHand(version, input.proposals);
  if (closed !== undefined) {
    const because = `${closed.closedBy} closed the pull request for ${version} without merging it (${closed.url})`;
    return { ...common, ...hold('closed-by-hand', because) };
  }
  const until = repeatedUntil(version, input.proposals, input.history, input.now);
  if (until !== undefined) {
    const because = `${version} was already updated to within a day and the recipe still says ${from}: not again before ${until}`;
    return { ...common, ...hold('loop', because), until };
  }
  const before = heldForSequence(version, update, input.proposals);
  if (before !== undefined) {
    const because = `the recipe asks for one update after the other: ${before.url} (${before.version}) is still open`;
    return { ...common, ...hold('held', because) };
  }
  if (fixes.length > 0) {
    return {
      ...common,
      action: 'bump',
      reason: 'fixes-vulnerability',
      because: `${version} fixes ${fixes.join(', ')}`,
    };
  }
  return {
    ...common,
    action: 'bump',
    reason: 'newer-release',
    because: `upstream released ${version}; the recipe has ${from}`,
  };
}

/** Which of the findings a version does not have any more. */
function fixesOf(input: DecideInput, version: string): readonly string[] {
  const { recipe, findings, advisories } = input;
  if (findings.length === 0) return [];
  if (advisories !== undefined) {
    const components = componentsOf(recipe);
    const left = findingsOf({ package: recipe.package.name, version, components }, advisories);
    const remaining = new Set(left.map(({ advisory }) => advisory));
    return findings.flatMap(({ advisory }) => (remaining.has(advisory) ? [] : [advisory])).sort();
  }
  return findings.flatMap((finding) => (isFixedIn(finding, version) ? [finding.advisory] : [])).sort();
}

function isFixedIn(finding: Finding, version: string): boolean {
  return finding.fixedIn.some((fixed) => {
    const order = compareBounds(version, fixed);
    return order === 0 || order === 1;
  });
}

function kindOf(update: UpdateBlock): string {
  const kinds = ['github', 'git', 'release-monitor', 'oci'] as const;
  return kinds.find((kind) => update[kind] !== undefined) ?? 'none';
}

function ignore(reason: Decision['reason'], because: string): Outcome {
  return { action: 'ignore', reason, because };
}

function hold(reason: Decision['reason'], because: string): Outcome {
  return { action: 'hold', reason, because };
}

function current(because: string, evidence: readonly Evidence[]): Outcome {
  return { action: 'current', reason: 'up-to-date', because, evidence: [...evidence] };
}

function sourceFailed(failure: WatchFailure): Outcome {
  return hold('source-failed', `${failure.source} could not be read: ${failure.message}`);
}

function failureEvidence(failure: WatchFailure): Evidence {
  return { fact: `${failure.code}: ${failure.message}`, source: failure.source, at: failure.observedAt };
}
