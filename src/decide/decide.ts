import { compareApkVersions, withoutEpoch } from '../model/apk-version.ts';
import type { Decision, Evidence } from '../model/decision.ts';
import type { ReleaseObservation, SourceChoice, WatchFailure } from '../model/observation.ts';
import type { RecipeAnnotations } from '../model/recipe/annotations.ts';
import { annotationsOf } from '../model/recipe/annotations.ts';
import type { UpdateBlock } from '../model/recipe/recipe.ts';
import {
  describeChoice,
  describeFindings,
  describeObservation,
  describeReading,
  describeRejections,
  describeTarget,
} from './evidence.ts';
import { fixesOf } from './fixes.ts';
import { holdOf } from './holds.ts';
import type { DecideInput } from './input.ts';
import { describeMove, movedTag, moveEvidence, pinnedTags } from './moved-tag.ts';
import { obstacleTo } from './obstacles.ts';
import { current, hold, ignore, type Outcome } from './outcome.ts';
import { heldForSequence } from './past-updates.ts';
import { readingOf } from './reading.ts';
import { type Choice, chooseTarget, limitsOf } from './target-choice.ts';
import { type Candidates, candidatesOf } from './version-rules.ts';

/**
 * What should happen to one package now. Pure: the same facts give the same decision. Throws recipe.pattern-invalid when the
 * recipe's patterns cannot be read, and recipe.annotation-invalid.
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
  const { observation, failure, source } = input;
  if (observation === undefined) {
    const evidence = [describeChoice(source), ...(failure === undefined ? [] : [failureEvidence(failure)])];
    return failure === undefined
      ? { ...hold('not-observed-yet', `${source.key} has not been asked yet`), evidence }
      : { ...sourceFailed(failure), evidence };
  }
  const failing = failure !== undefined && failure.observedAt > observation.observedAt ? failure : undefined;
  const outcome = byRelease({ input, source, update, observation, annotations: annotationsOf(recipe) });
  const evidence = [
    describeObservation(observation, source),
    ...describeReading(update, source),
    ...(outcome.evidence ?? []),
  ];
  if (failing === undefined) return { ...outcome, evidence };
  // A newer release that was seen is still there; that nothing newer is known says nothing while the source fails.
  const settled = outcome.action === 'current' ? { ...outcome, ...sourceFailed(failing) } : outcome;
  return { ...settled, evidence: [...evidence, failureEvidence(failing)] };
}

type Target = Extract<Choice, { kind: 'target' }>;

/** What is known of a package whose source has answered. */
interface Case {
  readonly input: DecideInput;
  readonly source: SourceChoice;
  readonly update: UpdateBlock;
  readonly observation: ReleaseObservation;
  readonly annotations: RecipeAnnotations;
}

function byRelease(one: Case): Outcome {
  const { input, observation } = one;
  const moved = movedTag(input.pinned ?? pinnedTags(input.recipe), observation);
  const outcome = byVersions(one);
  if (moved === undefined) return outcome;
  const evidence = [moveEvidence(moved, observation), ...(outcome.evidence ?? [])];
  if (outcome.action !== 'current') return { ...outcome, evidence, movedTag: moved };
  const because = `${describeMove(moved)}: what is built stays, and the same version is not taken from another commit by itself`;
  return { ...outcome, ...hold('moved-tag', because), evidence, movedTag: moved };
}

function byVersions(one: Case): Outcome {
  const { input, source, update, observation, annotations } = one;
  const { name, version } = input.recipe.package;
  const reading = readingOf(input.recipe, source, input.policy, annotations);
  const found = candidatesOf(observation.tags, update, name, reading);
  const newest = found.usable[0];
  const left = describeRejections(found.rejected, observation);
  const within = reading.stream === undefined ? '' : ` in the stream ${reading.stream} that its name is for`;
  if (newest === undefined) {
    const because = `none of the ${observation.tags.length} tags of ${observation.source} is a version of it${within}`;
    return { ...hold('no-usable-release', because), evidence: left };
  }
  const order = compareApkVersions(newest.version, version);
  if (order === 0) return { ...current(`${version} is the newest release${within}`), evidence: left };
  if (order < 0) {
    const because = `the newest release${within} is ${newest.version}, older than ${version}; versions never go back by themselves`;
    return { ...hold('downgrade', because), evidence: left };
  }
  const newer = newerOf(found, version);
  const limits = limitsOf(name, source.key, input.policy, annotations);
  const choice = goingOn(one, newer) ?? chooseTarget(newer, limits, input.now, (target) => fixesOf(input, target));
  const outcome = choice.kind === 'target' ? byTarget(one, choice) : waiting(choice);
  return { ...outcome, evidence: [...(outcome.evidence ?? []), ...left] };
}

/** Where a recipe takes one update after the other, the one that is proposed: it is what goes on, not what came after it. */
function goingOn({ input, update }: Case, newer: Candidates['usable']): Target | undefined {
  const [newest] = newer;
  const open = newest === undefined ? undefined : heldForSequence(newest.version, update, input.proposals);
  const candidate = newer.find(({ version }) => open !== undefined && version === withoutEpoch(open.version));
  if (newest === undefined || open === undefined || candidate === undefined) return undefined;
  const note = `${newest.version} is newer and waits until ${open.url} is merged or closed: the recipe asks for one update after the other`;
  return { kind: 'target', candidate, fixes: fixesOf(input, candidate.version), notes: [note] };
}

/** They are sorted, newest first. */
function newerOf(found: Candidates, version: string): Candidates['usable'] {
  const end = found.usable.findIndex((candidate) => compareApkVersions(candidate.version, version) <= 0);
  return end === -1 ? found.usable : found.usable.slice(0, end);
}

function waiting(choice: Exclude<Choice, Target>): Outcome {
  const { version } = choice.newest;
  if (choice.kind === 'pinned') {
    return hold('pinned', `${version} is out, but ${choice.pin.by} keeps it on ${choice.pin.version}`);
  }
  const { hours, by } = choice.cooldown;
  const because = `${version} is too new: it waits until ${choice.until} (${hours} h, ${by})`;
  return { ...hold('cooling-down', because), until: choice.until };
}

/** There is a version to go to, if nothing stands in the way. */
function byTarget({ input, update, observation, annotations }: Case, { candidate, fixes, notes }: Target): Outcome {
  const { version, tag } = candidate;
  const { name, version: from } = input.recipe.package;
  const obstacle = obstacleTo(candidate, input, update, holdOf(name, input.policy, annotations, input.now));
  return {
    to: {
      version,
      epoch: 0,
      tag: tag.tag,
      source: observation.source,
      ...(tag.commit === undefined ? {} : { commit: tag.commit }),
      ...(tag.url === undefined ? {} : { url: tag.url }),
    },
    fixes: [...fixes],
    urgency: fixes.length > 0 ? 'security' : 'normal',
    ...(obstacle ?? bump(version, from, fixes)),
    evidence: [...describeTarget(candidate, notes, observation), ...(obstacle?.evidence ?? [])],
  };
}

function bump(version: string, from: string, fixes: readonly string[]): Outcome {
  if (fixes.length > 0) {
    return { action: 'bump', reason: 'fixes-vulnerability', because: `${version} fixes ${fixes.join(', ')}` };
  }
  return {
    action: 'bump',
    reason: 'newer-release',
    because: `upstream released ${version}; the recipe has ${from}`,
  };
}

function kindOf(update: UpdateBlock): string {
  const kinds = ['github', 'git', 'release-monitor', 'oci'] as const;
  return kinds.find((kind) => update[kind] !== undefined) ?? 'none';
}

function sourceFailed(failure: WatchFailure): Outcome {
  return hold('source-failed', `${failure.source} could not be read: ${failure.message}`);
}

function failureEvidence(failure: WatchFailure): Evidence {
  return { fact: `${failure.code}: ${failure.message}`, source: failure.source, at: failure.observedAt };
}
