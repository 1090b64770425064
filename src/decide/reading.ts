import type { SourceChoice } from '../model/observation.ts';
import type { Policy } from '../model/policy.ts';
import { annotationsOf, type RecipeAnnotations } from '../model/recipe/annotations.ts';
import type { Recipe } from '../model/recipe/recipe.ts';
import { streamOf } from './streams.ts';
import type { Reading } from './version-rules.ts';

/** How the tags of a source are read for a recipe. Throws recipe.annotation-invalid where the annotations are not given. */
export function readingOf(
  recipe: Recipe,
  source: Pick<SourceChoice, 'key' | 'chosenBy'>,
  policy: Pick<Policy, 'anyStream'>,
  annotations: RecipeAnnotations = annotationsOf(recipe),
): Reading {
  const { name, version } = recipe.package;
  const leaves = annotations.stream === 'any' || policy.anyStream.includes(name);
  return { source, stream: leaves ? undefined : streamOf(name, version), ignore: annotations.ignore };
}
