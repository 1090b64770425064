import { RegrowError } from '../../errors.ts';
import type { Recipe } from './recipe-schema.ts';
import { type Scope, substituteKnown } from './substitute.ts';
import { recipeScope } from './variables.ts';

/**
 * A recipe with the variables of its `update:` block put in: `openjdk/jdk${{vars.java-version}}u` is a place once they are.
 * What nothing defines stays as written, and so does all of it where the recipe's transforms cannot be read: `config check`
 * tells of both.
 */
export function resolveUpdateBlock(recipe: Recipe): Recipe {
  const { update } = recipe;
  if (update === undefined || !JSON.stringify(update).includes('${{')) return recipe;
  try {
    return { ...recipe, update: substituteAll(update, recipeScope(recipe)) };
  } catch (thrown) {
    if (thrown instanceof RegrowError) return recipe;
    throw thrown;
  }
}

function substituteAll<T>(value: T, scope: Scope): T;
function substituteAll(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string') return substituteKnown(value, scope);
  if (Array.isArray(value)) return value.map((one: unknown) => substituteAll(one, scope));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, substituteAll(one, scope)]));
}
