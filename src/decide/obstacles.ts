import type { UpdateBlock } from '../model/recipe/recipe.ts';
import { describeHold, type Hold } from './holds.ts';
import type { DecideInput } from './input.ts';
import { describeNothingNew } from './new-pins.ts';
import { hold, type Outcome } from './outcome.ts';
import { closedByHand, describeRepeat, heldForSequence, madeBefore } from './past-updates.ts';
import type { Candidate } from './version-rules.ts';

/** What stands between a package and a version that it could go to; the first that applies. */
export function obstacleTo(
  { version, tag }: Candidate,
  input: DecideInput,
  update: UpdateBlock,
  held: Hold | undefined,
): Outcome | undefined {
  return (
    (held === undefined ? undefined : byHold(version, held)) ??
    (update.manual === true
      ? hold('manual', `${version} is out; the recipe says that a person makes the update`)
      : undefined) ??
    byPast(version, input) ??
    byPins(version, tag.commit, input) ??
    bySequence(version, input, update)
  );
}

function byHold(version: string, held: Hold): Outcome {
  const outcome = hold('held', describeHold(version, held));
  return held.until === undefined ? outcome : { ...outcome, until: held.until };
}

function byPast(version: string, input: DecideInput): Outcome | undefined {
  const closed = closedByHand(version, input);
  if (closed !== undefined) {
    const because = `${closed.closedBy} closed the pull request for ${version} without merging it (${closed.url})`;
    return hold('closed-by-hand', because);
  }
  const made = madeBefore(version, input);
  if (made === undefined) return undefined;
  return hold('loop', describeRepeat(version, input.recipe.package.version, made, input.lastChange));
}

/** A person who releases the version wants it all the same; a tag that was moved since is looked up again. */
function byPins(
  version: string,
  commit: string | undefined,
  { nothingNew, released, recipe }: DecideInput,
): Outcome | undefined {
  if (nothingNew?.version !== version || released?.version === version) return undefined;
  if (commit !== undefined && commit !== nothingNew.commit) return undefined;
  const count = nothingNew.lookedUp.length;
  const sources = count === 1 ? 'its source is' : `its ${count} sources are`;
  const because = `${version} is only another name for what ${recipe.package.version} builds: ${sources} the same`;
  return { ...hold('pins-nothing-new', because), evidence: describeNothingNew(nothingNew) };
}

function bySequence(version: string, { proposals }: DecideInput, update: UpdateBlock): Outcome | undefined {
  const before = heldForSequence(version, update, proposals);
  if (before === undefined) return undefined;
  return hold(
    'held',
    `the recipe asks for one update after the other: ${before.url} (${before.version}) is still open`,
  );
}
