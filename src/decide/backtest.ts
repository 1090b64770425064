import { type ErrorCode, RegrowError } from '../errors.ts';
import type { Decision } from '../model/decision.ts';
import type { Policy } from '../model/policy.ts';
import { parseRecipe } from '../model/recipe/recipe.ts';
import type { TimelineBump } from '../model/timeline.ts';
import { type BacktestPast, type BacktestRecipe, formerInput, type LeftOut, mergedProposal } from './backtest-input.ts';
import { decide } from './decide.ts';
import { pinsNothingNew } from './new-pins.ts';

export interface BacktestOptions {
  /** Undefined for recipes that are no longer there: of those a recipe without rules is made. */
  readonly recipeOf: (name: string) => BacktestRecipe | undefined;
  readonly policy: Policy;
}

/** What would have become of one real update. */
export interface BumpFate {
  readonly bump: TimelineBump;
  /** Milliseconds since 1970 when its pull request opened; undefined where none did. */
  readonly openedAt?: number;
  /** Of the decision, or the code of the error that there was instead. */
  readonly reason: Decision['reason'] | ErrorCode;
  readonly because: string;
  /** What of the recipe of today was left out, because the update shows that it did not hold then. */
  readonly left?: LeftOut;
}

/** What has happened to one package so far. */
interface Story extends BacktestPast {
  /** Updates that wait, oldest first: their fates should their time not come. */
  waiting: readonly BumpFate[];
  /** Milliseconds since 1970: when the first of them may be proposed. */
  until: number;
}

const never = Number.POSITIVE_INFINITY;

/** What is decided between: updates of one package, oldest first, and what main has. */
interface Moment {
  readonly from: TimelineBump['from'];
  readonly bumps: readonly TimelineBump[];
  readonly at: number;
  readonly policy: Policy;
}

/**
 * Runs real updates through `decide`, each at its own time: the recipe as it then was, the new version as what upstream says, and
 * what this simulation proposed before. A proposal is merged as soon as it opens. What main has is the timeline's; but while an
 * update waits (for its cooldown), main has what it had before, and the update is decided again at its time, with those that
 * came after it. Gives the fate of each once it is settled, so those that wait come after later ones. Pure.
 */
export function* runBacktest(bumps: Iterable<TimelineBump>, options: BacktestOptions): Generator<BumpFate> {
  const { recipeOf, policy } = options;
  const stories = new Map<string, Story>();
  for (const bump of bumps) {
    let story = stories.get(bump.recipe);
    if (story === undefined) {
      story = { today: recipeOf(bump.recipe) ?? vanished(bump.recipe), merged: [], waiting: [], until: never };
      stories.set(bump.recipe, story);
    }
    yield* settle(story, bump.at, policy);
    const isRelease = bump.to.version !== bump.from.version;
    if (isRelease) yield* takeUp(story, [bump], bump.at, policy);
    else yield* takeBeside(story, { from: bump.from, bumps: [bump], at: bump.at, policy });
  }
  for (const story of stories.values()) yield* settle(story, Number.MAX_SAFE_INTEGER, policy);
}

/** A recipe that is no longer there: no rules are known of it but that it was updated. */
function vanished(name: string): BacktestRecipe {
  const text = `package:\n  name: ${JSON.stringify(name)}\n  version: "0"\n  epoch: 0\nupdate:\n  enabled: true\n`;
  return { recipe: parseRecipe(`${name}.yaml`, text).recipe, source: undefined };
}

/** Decides again about what waits, at each time that it waits for, up to `now`. */
function* settle(story: Story, now: number, policy: Policy): Generator<BumpFate> {
  while (story.waiting.length > 0 && story.until <= now) yield* takeUp(story, [], story.until, policy);
}

/** Decides about what waits together with what is new. */
function* takeUp(story: Story, newer: readonly TimelineBump[], at: number, policy: Policy): Generator<BumpFate> {
  const bumps = [...story.waiting.map(({ bump }) => bump), ...newer];
  story.waiting = [];
  const [oldest] = bumps;
  if (oldest !== undefined) yield* take(story, { from: oldest.from, bumps, at, policy });
}

/** Decides about what is no release, while releases may wait: their time stays what it was. */
function* takeBeside(story: Story, moment: Moment): Generator<BumpFate> {
  const { waiting, until } = story;
  story.waiting = [];
  story.until = never;
  yield* take(story, moment);
  story.waiting = [...waiting, ...story.waiting];
  story.until = Math.min(until, story.until);
}

function* take(story: Story, moment: Moment): Generator<BumpFate> {
  const { bumps, at } = moment;
  const { lefts, decision } = decideAt(story, moment);
  const fates = bumps.map((bump, index): BumpFate => {
    const left = lefts[index];
    return { bump, reason: decision.reason, because: decision.because, ...(left === undefined ? {} : { left }) };
  });
  const { to } = decision;
  const until = Date.parse(decision.until ?? '');
  const index = to === undefined ? -1 : bumps.findLastIndex((bump) => bump.to.version === to.version);
  const chosen = fates[index];
  if (decision.action === 'bump' && chosen !== undefined) {
    const because = `${chosen.bump.to.version} took its place before its time had come`;
    for (const fate of fates.slice(0, index)) yield { ...fate, reason: 'cooling-down', because };
    yield propose(story, { ...chosen, commit: to?.commit }, moment);
    story.until = never;
    const later = bumps.slice(index + 1);
    if (later.length > 0) yield* take(story, { ...moment, from: chosen.bump.to, bumps: later });
  } else if (until > at) {
    // The time is that of the newest; an older one may come before it.
    story.waiting = fates;
    story.until = story.until > at ? Math.min(story.until, until) : until;
  } else {
    yield* fates;
    story.until = never;
  }
}

/** What is wrong with a recipe is its own fate, and no other's. */
function decideAt(story: Story, { from, bumps, at, policy }: Moment) {
  try {
    const { lefts, input } = formerInput(story, from, bumps, at);
    return { lefts, decision: decide({ ...input, policy }) };
  } catch (thrown) {
    if (!(thrown instanceof RegrowError)) throw thrown;
    const { code, message } = thrown;
    return { lefts: [], decision: { action: 'hold', reason: code, because: message, to: undefined, until: undefined } };
  }
}

/** Looks up the sources, and opens the pull request where one of them is new, since main's version. */
function propose(
  story: Story,
  { commit, ...fate }: BumpFate & { readonly commit: string | undefined },
  { from, bumps, at }: Moment,
): BumpFate {
  const { bump } = fate;
  const since = bumps.slice(0, bumps.indexOf(bump) + 1);
  const changed = Math.max(...since.map((one) => one.changed));
  if (!pinsNothingNew({ pinned: bump.pinned, changed })) {
    story.merged.push(mergedProposal(bump, at, story.merged.length + 1));
    return { ...fate, openedAt: at };
  }
  const { version } = bump.to;
  const because = `each of the ${bump.pinned} sources of ${version} is the one that is built already`;
  story.nothingNew = { from, version, commit, lookedUp: [because], at: new Date(at).toISOString() };
  return { ...fate, reason: 'pins-nothing-new', because };
}
