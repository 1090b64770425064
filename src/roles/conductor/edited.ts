import { isDeepStrictEqual } from 'node:util';
import { RegrowError } from '../../errors.ts';
import type { Artifact } from '../../model/artifact.ts';
import { buildRequestSchema } from '../../model/build.ts';
import { canonicalJson } from '../../model/canonical.ts';
import type { Problem } from '../../model/plan.ts';
import { parseRecipe } from '../../model/recipe/recipe.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import type { TargetName } from '../../model/target.ts';
import type { ConductorContext } from './context.ts';
import type { RecipeFile } from './recipes.ts';
import type { World } from './world.ts';

/** What a published package was built from. */
interface Built {
  readonly text: string;
  readonly files: Readonly<Record<string, string>>;
}

type Context = Pick<ConductorContext, 'book' | 'objects' | 'settings'>;

/**
 * Looks for recipes that would build something else than what is published under their version: without a higher epoch that
 * edit never comes to a machine. Comments, the `update:` block, tests, pipelines and other packages do not count: only what
 * the recipe itself, with the files beside it, puts into its packages. What it found of one edit is kept.
 */
export function createEditWatch(context: Context): (world: World) => Promise<void> {
  /** By build request, recipe and target: whether the recipe says something else now. */
  let known = new Map<string, boolean>();

  async function isEdited(world: World, file: RecipeFile, target: TargetName, request: string): Promise<boolean> {
    const built = await readBuilt(context, request);
    if (built === undefined) return false;
    const beside = world.tree.besideOf(file) === '' ? {} : await world.tree.filesOf(file);
    if (!isDeepStrictEqual(beside, built.files)) return true;
    return built.text !== file.text && saysOtherwise(world, file, target, { request, text: built.text });
  }

  return async (world) => {
    const requests = requestsOf(context);
    const seen = new Map<string, boolean>();
    for (const target of context.settings.targets) {
      for (const { info, checksum } of world.published.get(target) ?? []) {
        const file = world.tree.recipes.get(info.name);
        if (file === undefined || fullVersion(file) !== info.version) continue;
        const request = requests.get(`${target} ${checksum}`);
        if (request === undefined) continue;
        const key = `${request} ${file.blob} ${target} ${world.tree.besideOf(file)}`;
        const edited = known.get(key) ?? (await isEdited(world, file, target, request));
        seen.set(key, edited);
        if (edited) world.problems.set(`publish/${info.name}`, editedProblem(file));
      }
    }
    known = seen;
  };
}

/** The build request of each package that was built, by target and checksum: signing does not change the checksum. */
function requestsOf({ book }: Context): ReadonlyMap<string, string> {
  const requests = new Map<string, string>();
  for (const { value } of book.all('build')) {
    const own = value.result?.artifacts.find((artifact: Artifact) => artifact.info.name === value.package);
    if (own !== undefined) requests.set(`${value.target} ${own.checksum}`, value.request);
  }
  return requests;
}

async function readBuilt({ objects }: Context, request: string): Promise<Built | undefined> {
  const object = await objects.get(`inputs/${request}.json`);
  if (object === undefined) return undefined;
  const parsed = buildRequestSchema.safeParse(JSON.parse(new TextDecoder().decode(object.bytes)));
  return parsed.success ? { text: parsed.data.recipe.text, files: parsed.data.files } : undefined;
}

/** Both as the pipelines are today: who edits a pipeline edits no recipe. */
function saysOtherwise(
  { tree }: World,
  file: RecipeFile,
  target: TargetName,
  { request, text }: { readonly request: string; readonly text: string },
): boolean {
  try {
    const { recipe } = parseRecipe(file.path, text);
    const former: RecipeFile = { path: file.path, blob: `built/${request}`, text, recipe };
    return packagesOf(tree.resolve(former, target)) !== packagesOf(tree.resolve(file, target));
  } catch (thrown) {
    // What cannot be resolved any more says so where it is to be built.
    if (thrown instanceof RegrowError) return false;
    throw thrown;
  }
}

function packagesOf(resolved: ResolvedRecipe): string {
  return canonicalJson({ ...resolved, packages: resolved.packages.map((one) => ({ ...one, test: undefined })) });
}

function fullVersion({ recipe }: RecipeFile): string {
  return `${recipe.package.version}-r${recipe.package.epoch}`;
}

function editedProblem(file: RecipeFile): Problem {
  const { name, epoch } = file.recipe.package;
  return {
    area: 'publish',
    name,
    code: 'recipe.epoch-not-raised',
    message: `the recipe was changed since ${fullVersion(file)} was built, and what is published under a version never changes: the change is not built`,
    remedy: `raise the epoch in ${file.path} to ${epoch + 1}`,
    file: file.path,
    field: 'package.epoch',
  };
}
