import { stringify } from 'yaml';
import type { BuildRequest } from '../../model/build.ts';
import type { Recipe } from '../../model/recipe/recipe.ts';

/**
 * `.melange.yaml` of the packages: the recipe as it was read, with the environment that it was really built in, pinned.
 * Host packages stand by name alone; the SBOM says what the host's compiler was.
 */
export function writeConfiguration(recipe: Recipe, request: BuildRequest): string {
  const { host, packages } = request.environment;
  const pinned = [...host, ...packages.map((one) => `${one.name}=${one.version}`)].toSorted();
  const environment = { ...recipe.environment, contents: { ...recipe.environment?.contents, packages: pinned } };
  const configuration = { ...recipe, environment };
  return stringify(withoutEmpty(configuration), { lineWidth: 0, aliasDuplicateObjects: false });
}

/** Leaves out what the recipe left out: the reader fills in empty lists and maps. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withoutEmpty(inner)] as const);
  return Object.fromEntries(entries.filter(([, inner]) => !isEmpty(inner)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
