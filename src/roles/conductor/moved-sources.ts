import { type MovedTag, movedTag, pinnedTags } from '../../decide/moved-tag.ts';
import { RegrowError } from '../../errors.ts';
import { withoutEpoch } from '../../model/apk-version.ts';
import type { Proposal } from '../../model/proposal.ts';
import { pinnedSources } from '../../model/recipe/pinned-sources.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';
import { chooseSource } from '../../watch/choice.ts';
import type { ConductorContext } from './context.ts';
import { releaseOf } from './past.ts';
import type { World } from './world.ts';

/** A tag that an open proposal builds, and that upstream moved since it was proposed. */
export async function movedSince(
  { book }: ConductorContext,
  world: World,
  proposal: Proposal,
): Promise<MovedTag | undefined> {
  const recipe = await proposedRecipe(world, proposal);
  const source = recipe === undefined ? undefined : chooseSource(recipe);
  if (recipe === undefined || source === undefined) return undefined;
  const observation = book.get('observation', `release/${source.key}`)?.value;
  if (observation?.kind !== 'release') return undefined;
  const moved = movedTag(pinnedTags(recipe), observation);
  if (moved === undefined) return undefined;
  // What was read before the sources were looked up says what the tag was then: upstream tagged anew in between.
  const pinnedAt = (await world.reader.timeOf(proposal.head)) * 1000;
  return Date.parse(observation.observedAt) < pinnedAt ? undefined : moved;
}

/** Whether a person took what a source is now, after it was told that it moved. */
export function isMoveReleased({ book }: ConductorContext, proposal: Proposal): boolean {
  const told = book.get('problem', `forge/${proposal.package}`);
  const released = releaseOf(book, proposal.package);
  return (
    released?.version === withoutEpoch(proposal.version) &&
    told?.value.code === 'source.moved' &&
    Date.parse(released.at) >= Date.parse(told.at)
  );
}

/**
 * Throws source.moved where a source of the same version has another hash than the proposal pinned under the same tag or address,
 * and nobody released it: what people may have looked at already is never replaced without a word.
 */
export async function refuseMoved(
  context: ConductorContext,
  world: World,
  proposal: Proposal,
  next: Recipe,
): Promise<void> {
  const before = await proposedRecipe(world, proposal);
  if (before === undefined || isMoveReleased(context, proposal)) return;
  const was = new Map(pinnedSources(before).map((source) => [`${source.address} ${source.tag}`, source.pin]));
  for (const { address, tag, pin } of pinnedSources(next)) {
    const old = was.get(`${address} ${tag}`);
    if (old === undefined || old === pin || old.length !== pin.length) continue;
    const what = tag === undefined ? address : `tag ${tag} of ${address}`;
    throw new RegrowError('source.moved', `${what} was ${old} when it was proposed and is ${pin} now`, {
      package: proposal.package,
      remedy: `ask upstream why; \`regrow release ${proposal.package}\` pins what is there now, merging by hand takes what was pinned`,
    });
  }
}

/** The package's recipe as the proposal's branch has it. */
async function proposedRecipe(world: World, proposal: Proposal): Promise<Recipe | undefined> {
  const path = proposal.changes.find((change) => change.package === proposal.package)?.path;
  const file = path === undefined ? undefined : await world.reader.readOne(proposal.head, path);
  return file === undefined || 'area' in file ? undefined : file.recipe;
}
