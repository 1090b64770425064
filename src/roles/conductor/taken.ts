import type { Artifact } from '../../model/artifact.ts';
import { compareNames } from '../../model/package-index.ts';
import { newestPackages } from '../../model/package-set.ts';
import type { Problem } from '../../model/plan.ts';
import type { TargetName } from '../../model/target.ts';
import type { BuildNeed } from '../../plan/build-need.ts';
import { isForTarget } from '../../plan/build-plan.ts';
import type { World } from './world.ts';

type Known = Pick<World, 'published' | 'tree'>;

/** Of each list of published packages, the origin of the newest by name: the world keeps the same list until a publication. */
const origins = new WeakMap<readonly Artifact[], ReadonlyMap<string, string>>();

function publishedOrigin({ published }: Known, target: TargetName, name: string): string | undefined {
  const packages = published.get(target);
  if (packages === undefined) return undefined;
  const known = origins.get(packages) ?? new Map(newestPackages(packages).map(({ info }) => [info.name, info.origin]));
  origins.set(packages, known);
  return known.get(name);
}

/** Whether main has a recipe that makes a package of a name; one that cannot be read keeps the names that it has published. */
function makes({ tree }: Known, origin: string, name: string, target: TargetName): boolean {
  const file = tree.recipes.get(origin);
  if (file === undefined) return tree.problems.has(origin);
  try {
    const resolved = tree.resolve(file, target);
    return isForTarget(resolved, target) && resolved.packages.some((one) => one.name === name);
  } catch {
    return true;
  }
}

/** The other recipe that a name belongs to: that which has published it and still makes it, else that which is called so. */
function ownerOf(world: Known, name: string, { resolved, target }: BuildNeed): string | undefined {
  const published = publishedOrigin(world, target, name);
  if (published === resolved.name) return undefined;
  if (published !== undefined && makes(world, published, name, target)) return published;
  return name !== resolved.name && makes(world, name, name, target) ? name : undefined;
}

/**
 * What is wrong with recipes that make a package which another recipe on main makes, by their names: apk takes the highest
 * version of a name, whoever made it. Of two that nobody has published, and that have other names than their recipes, the first
 * recipe by name keeps it. A package can move to another recipe: it goes from the one and comes to the other.
 */
export function takenNames(world: Known, needs: readonly BuildNeed[]): ReadonlyMap<string, Problem> {
  const problems = new Map<string, Problem>();
  const claimed = new Map<string, string>();
  for (const need of needs.toSorted((a, b) => compareNames(a.resolved.name, b.resolved.name))) {
    const own = need.resolved.name;
    for (const { name } of need.resolved.packages) {
      const claim = `${need.target} ${name}`;
      const owner = ownerOf(world, name, need) ?? claimed.get(claim) ?? own;
      if (owner === own) claimed.set(claim, own);
      else problems.set(own, takenProblem(need, name, owner));
    }
  }
  return problems;
}

function takenProblem({ resolved, recipe }: BuildNeed, name: string, owner: string): Problem {
  return {
    area: 'recipe',
    name: resolved.name,
    code: 'package.name-taken',
    message: `${recipe.path} makes the package ${name}, and so does the recipe ${owner}: machines would install one in place of the other`,
    remedy: `give it another name, or take it out of the recipe ${owner} first`,
    file: recipe.path,
  };
}
