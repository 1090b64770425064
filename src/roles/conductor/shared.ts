import { setImmediate } from 'node:timers/promises';
import { RegrowError } from '../../errors.ts';
import { withoutEpoch } from '../../model/apk-version.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { PipelineLibrary } from '../../model/recipe/pipeline.ts';
import { parseTarget, type TargetName } from '../../model/target.ts';
import { type BuildDependents, buildDependents } from '../../plan/build-dependents.ts';
import { type RecipeFacts, recipeFacts } from '../../plan/recipe-facts.ts';
import type { ConductorContext } from './context.ts';
import type { RecipeFile, RecipeTree } from './recipes.ts';
import type { World } from './world.ts';

/** Recipes of which the facts are drawn before others have a turn. */
const batch = 50;

const known = new WeakMap<RecipeTree, Promise<BuildDependents>>();

/**
 * Whom an update takes along because its recipe says `shared: true`: what is built with it, directly. Of more than
 * `policy.sharedFollowers` none: `tooMany` says how many they are. Nobody where the version stays.
 */
export async function sharedFollowers(
  { settings }: Pick<ConductorContext, 'settings'>,
  world: World,
  proposal: Proposal,
): Promise<{ readonly origins: readonly string[]; readonly tooMany?: number }> {
  const none = { origins: [] };
  const change = proposal.changes.find((one) => one.package === proposal.package);
  const update = world.tree.recipes.get(proposal.package)?.recipe.update;
  if (change === undefined || update?.shared !== true) return none;
  if (withoutEpoch(change.from) === withoutEpoch(change.to)) return none;
  const dependents = known.get(world.tree) ?? dependentsOf(settings, world.tree);
  known.set(world.tree, dependents);
  const origins = (await dependents).get(proposal.package) ?? [];
  return origins.length > settings.policy.sharedFollowers ? { ...none, tooMany: origins.length } : { origins };
}

/** Over all targets. A recipe that cannot be read that far is a problem of its own, and follows nobody. */
async function dependentsOf(settings: ConductorContext['settings'], tree: RecipeTree): Promise<BuildDependents> {
  const all = new Map<string, Set<string>>();
  for (const target of settings.targets) {
    const facts: RecipeFacts[] = [];
    let drawn = 0;
    for (const file of tree.recipes.values()) {
      try {
        facts.push(factsOf(tree, file, target));
      } catch (thrown) {
        if (!(thrown instanceof RegrowError)) throw thrown;
      }
      drawn += 1;
      if (drawn % batch === 0) await setImmediate();
    }
    for (const [origin, dependents] of buildDependents(facts)) {
      all.set(origin, new Set([...(all.get(origin) ?? []), ...dependents]));
    }
  }
  return new Map([...all].map(([origin, dependents]) => [origin, [...dependents].toSorted()]));
}

/** Drawn once of each recipe, target and set of pipelines: main moves with every update. */
const drawnFacts = new WeakMap<PipelineLibrary, WeakMap<RecipeFile, Map<TargetName, RecipeFacts>>>();

function factsOf({ pipelines }: RecipeTree, file: RecipeFile, target: TargetName): RecipeFacts {
  const ofLibrary = drawnFacts.get(pipelines) ?? new WeakMap<RecipeFile, Map<TargetName, RecipeFacts>>();
  drawnFacts.set(pipelines, ofLibrary);
  const ofFile = ofLibrary.get(file) ?? new Map<TargetName, RecipeFacts>();
  ofLibrary.set(file, ofFile);
  const facts =
    ofFile.get(target) ?? recipeFacts(file.recipe, { target: parseTarget(target), pipelines, file: file.path });
  ofFile.set(target, facts);
  return facts;
}
