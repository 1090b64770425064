import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { createExec } from '../adapters/exec.ts';
import { readRecipeDirectory } from '../adapters/recipe-directory.ts';
import type { LoadedConfig } from '../config/load.ts';
import { type ErrorReport, RegrowError, reportError } from '../errors.ts';
import { parseRecipe, type Recipe } from '../model/recipe/recipe.ts';
import { openRecipeMirror, statePaths } from '../roles/parts.ts';

interface RecipeText {
  readonly path: string;
  readonly text: string;
}

/** The recipes that a command looks at, and those that cannot be read. */
export interface RecipeSet {
  /** By package, sorted. */
  readonly recipes: ReadonlyMap<string, { readonly path: string; readonly recipe: Recipe }>;
  /** By the name of the file, without `.yaml`. */
  readonly failures: ReadonlyMap<string, ErrorReport>;
}

/** Reads texts of recipes; of two that make one package the first counts. */
export function readRecipeSet(texts: readonly RecipeText[]): RecipeSet {
  const recipes = new Map<string, { readonly path: string; readonly recipe: Recipe }>();
  const failures = new Map<string, ErrorReport>();
  for (const { path, text } of texts) {
    const name = path.slice(path.lastIndexOf('/') + 1).replace(/\.ya?ml$/, '');
    try {
      const { recipe } = parseRecipe(path, text);
      if (!recipes.has(recipe.package.name)) recipes.set(recipe.package.name, { path, recipe });
    } catch (thrown) {
      if (!(thrown instanceof RegrowError)) throw thrown;
      failures.set(name, reportError(thrown, { file: path }));
    }
  }
  return { recipes: new Map([...recipes].sort(([a], [b]) => (a < b ? -1 : 1))), failures };
}

/**
 * Texts of the recipes of a folder, or without one of the main branch of the configured repository: a repository on this machine
 * is read in place, another by way of a mirror in the state directory that no daemon uses.
 */
export async function recipeTexts(
  folder: string | undefined,
  { config, secrets }: LoadedConfig,
  signal: AbortSignal,
): Promise<readonly RecipeText[]> {
  if (folder !== undefined) return readRecipeDirectory(folder).recipes;
  const { kind, repository: place } = config.forge;
  const isHere = kind === 'git' && existsSync(place);
  const missing = missingRepository(config);
  if (missing !== undefined) throw missing;
  const directory = isHere ? place : statePaths(config).commandMirror;
  const repository = openRecipeMirror({ exec: createExec(), config, directory }, secrets);
  if (!isHere) await repository.refresh(signal);
  const { commit } = await repository.head();
  const root = config.recipes.path === '.' ? '' : `${config.recipes.path}/`;
  const files = (await repository.files(commit)).filter(
    ({ path }) => path.startsWith(root) && /^[^./][^/]*\.ya?ml$/.test(path.slice(root.length)),
  );
  const contents = await repository.read(files.map(({ blob }) => blob));
  return files.map(({ path, blob }) => ({ path, text: Buffer.from(contents.get(blob) ?? []).toString('utf8') }));
}

/** What is wrong where the recipes are to be in a repository on this machine that is not there. */
export function missingRepository({ forge: { kind, repository } }: LoadedConfig['config']): RegrowError | undefined {
  if (kind !== 'git' || !isAbsolute(repository) || existsSync(repository)) return undefined;
  return new RegrowError('config.invalid', `there is no repository of recipes at ${repository}`, {
    field: 'forge.repository',
    remedy: '`regrow init` makes one; or name a configuration with --config, or a folder of recipes with --recipes',
  });
}
