import { bumpEpoch } from '../../bump/edit-recipe.ts';
import type { Artifact } from '../../model/artifact.ts';
import type { Change, Proposal } from '../../model/proposal.ts';
import { parseRecipe } from '../../model/recipe/recipe.ts';
import { followers } from '../../plan/followers.ts';
import { extendProposal } from '../../propose/extend.ts';
import type { PurposePlan } from './building.ts';
import type { ConductorContext } from './context.ts';
import { remake } from './remaking.ts';
import { unlessRefused } from './resting.ts';
import { sayOnce } from './saying.ts';
import { sharedFollowers } from './shared.ts';
import type { World } from './world.ts';

/**
 * Raises the epochs of packages that have to be built again with a proposal, in the same proposal: those that would lose a shared
 * object, and what is built with a package whose recipe says `shared: true`. Says whether the branch moved.
 */
export async function extend(
  context: ConductorContext,
  world: World,
  proposal: Proposal,
  plan: PurposePlan,
): Promise<boolean> {
  const files: { path: string; text: string }[] = [];
  const changes: Change[] = [];
  for (const [origin, why] of await whoFollows(context, world, proposal, plan)) {
    const file = world.tree.recipes.get(origin);
    if (file === undefined || proposal.changes.some((change) => change.package === origin)) continue;
    const text = bumpEpoch(file.text);
    const { version, epoch } = file.recipe.package;
    const next = parseRecipe(file.path, text).recipe.package;
    files.push({ path: file.path, text });
    changes.push({
      package: origin,
      path: file.path,
      from: `${version}-r${epoch}`,
      to: `${next.version}-r${next.epoch}`,
      why,
    });
  }
  if (changes.length === 0) return false;
  // The branch has to stand on the recipes that are edited, or they would not merge.
  const paths = changes.map((change) => change.path);
  if (await world.reader.differs(proposal.base, world.tree.commit, paths)) {
    if (await remake(context, world, proposal)) return true;
  }
  return unlessRefused(context, world, proposal, 'extend', async () => {
    const because = changes.map((change) => `${change.package}: ${change.why}`).join('\n');
    const extended = await extendProposal({ forge: context.forge }, proposal, { files, changes, because });
    return extended.head !== proposal.head;
  });
}

/** Who has to be built again, sorted, and why. */
async function whoFollows(
  context: ConductorContext,
  world: World,
  proposal: Proposal,
  plan: PurposePlan,
): Promise<readonly (readonly [origin: string, why: string])[]> {
  const { package: name, version } = proposal;
  const why = new Map<string, string>();
  const { origins, tooMany } = await sharedFollowers(context, world, proposal);
  if (tooMany !== undefined) await tellTooMany(context, world, proposal, tooMany);
  for (const origin of origins) why.set(origin, `it is built with ${name}, whose recipe says shared: true`);
  for (const [origin, objects] of lostObjects(context, world, plan)) {
    why.set(origin, `${[...objects].join(', ')} goes away with ${name} ${version}`);
  }
  return [...why].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Shared objects that packages link against and that what was built no longer has, by origin. */
function lostObjects(
  { settings }: ConductorContext,
  world: World,
  plan: PurposePlan,
): ReadonlyMap<string, ReadonlySet<string>> {
  const lost = new Map<string, Set<string>>();
  for (const target of settings.targets) {
    const built: Artifact[] = plan.builds
      .filter((build) => build.need.target === target)
      .flatMap((build) => build.attempt?.result?.artifacts ?? []);
    for (const follower of followers(world.published.get(target) ?? [], built)) {
      lost.set(follower.origin, new Set([...(lost.get(follower.origin) ?? []), ...follower.lost]));
    }
  }
  return lost;
}

/** Nobody wants hundreds of builds by surprise: a person chooses. */
async function tellTooMany(context: ConductorContext, world: World, proposal: Proposal, count: number): Promise<void> {
  const { package: name, number } = proposal;
  const most = context.settings.policy.sharedFollowers;
  const message = `${count} packages are built with ${name}, whose recipe says shared: true; none of them is rebuilt, because more than ${most} are never rebuilt by one update`;
  const remedy = `raise policy.sharedFollowers to ${count} or more, or raise the epochs of those that need it by hand`;
  world.problems.set(`followers/${name}`, {
    area: 'followers',
    name,
    code: 'plan.too-many-followers',
    message,
    remedy,
  });
  await sayOnce(context, `followers/${number}`, `${count} ${most}`, () =>
    context.forge.comment(number, 'shared-followers', `${message}. To have them rebuilt, ${remedy}.`),
  );
}
