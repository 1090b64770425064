import { compareApkVersions } from '../../model/apk-version.ts';
import type { Artifact } from '../../model/artifact.ts';
import { newestPackages } from '../../model/package-set.ts';
import type { Problem } from '../../model/plan.ts';
import type { TargetName } from '../../model/target.ts';
import type { RecipeFile } from './recipes.ts';
import type { World } from './world.ts';

/** Of each list of published packages, the newest version by name: the world keeps the same list until a publication. */
const newest = new WeakMap<readonly Artifact[], ReadonlyMap<string, string>>();

function newestVersion(world: World, target: TargetName, name: string): string | undefined {
  const published = world.published.get(target);
  if (published === undefined) return undefined;
  const known =
    newest.get(published) ?? new Map(newestPackages(published).map(({ info }) => [info.name, info.version] as const));
  newest.set(published, known);
  return known.get(name);
}

/**
 * What is wrong with a recipe that asks for less than is published: apk takes the newest of an index, so that publishing the
 * lower one would change nothing on any machine. Undefined where the target has nothing newer.
 */
export function loweredProblem(world: World, file: RecipeFile, target: TargetName): Problem | undefined {
  const { name, version, epoch } = file.recipe.package;
  const wanted = `${version}-r${epoch}`;
  const published = newestVersion(world, target, name);
  if (published === undefined || compareApkVersions(wanted, published) >= 0) return undefined;
  return {
    area: 'publish',
    name,
    code: 'package.version-lowered',
    message: `main asks for ${wanted}, which is less than the ${published} that ${target} has: a published version never goes back, because apk would not downgrade to it`,
    remedy: `write a version above ${published} into ${file.path}, even for older sources`,
    file: file.path,
    field: 'package.version',
  };
}
