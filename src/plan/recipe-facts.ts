import { z } from 'zod';
import type { ErrorWhere } from '../errors.ts';
import { collectNeeds } from '../model/recipe/expand.ts';
import { isNativePipeline, type NativePipeline } from '../model/recipe/native-pipelines.ts';
import type { PipelineLibrary } from '../model/recipe/pipeline.ts';
import type { Recipe, Subpackage } from '../model/recipe/recipe.ts';
import { environmentPackages, recipePackages, wholeNumber } from '../model/recipe/resolve.ts';
import { type Scope, substitute } from '../model/recipe/substitute.ts';
import type { Target } from '../model/target.ts';

/** Raised whenever the same recipe gives other facts than before, so that no cache keeps the old ones. */
export const recipeFactsVersion = 2;

/** One package of a recipe as others can ask for it. */
const packageFactsSchema = z.strictObject({
  name: z.string(),
  /** As written, `so:x=1` or `cmd:y`. */
  provides: z.array(z.string()),
  /** apk's provider priority; 0 where the recipe says none. */
  priority: z.number().int(),
});

/** What melange's steps of these names need. regrow does them itself; the order of builds is to suit both engines. */
const nativeNeeds: Readonly<Record<NativePipeline, string>> = { fetch: 'wget', 'git-checkout': 'git' };

/** What the build graph needs to know of a recipe: little, so that a cache of it is quick to read. */
export const recipeFactsSchema = z.strictObject({
  /** Name of the origin package. */
  origin: z.string(),
  /** `VERSION-rEPOCH` */
  version: z.string(),
  /** The origin first. */
  packages: z.array(packageFactsSchema),
  /** Packages of the build environment, as written: of the recipe, and of pipelines of origin and subpackages. Sorted, once each. */
  needs: z.array(z.string()),
  /** Pipelines that the library does not have: nothing knows what they need. */
  unknownPipelines: z.array(z.string()),
});

export type RecipeFacts = z.infer<typeof recipeFactsSchema>;
type PackageFacts = z.infer<typeof packageFactsSchema>;

export interface FactsOptions {
  readonly target: Target;
  /** Pipelines that the distribution ships, and regrow's own. */
  readonly pipelines: PipelineLibrary;
  readonly file?: string;
}

/**
 * Draws a recipe's facts. Tests and run-time dependencies are no part of them: they order nothing. Throws as `resolveRecipe`
 * does, but for unknown pipelines.
 */
export function recipeFacts(recipe: Recipe, { target, pipelines, file }: FactsOptions): RecipeFacts {
  const { name, version, epoch } = recipe.package;
  const where: ErrorWhere = { package: name, ...(file === undefined ? {} : { file }) };
  const { scope, origin, subpackages } = recipePackages(recipe, target, where);
  const needs = new Set(environmentPackages(recipe.environment, scope, where, 'environment'));
  const unknownPipelines = new Set<string>();
  const collect = (nodes: Recipe['pipeline'], inner: Scope, field: string) => {
    const unknown = (uses: string) => {
      if (isNativePipeline(uses)) needs.add(nativeNeeds[uses]);
      else unknownPipelines.add(uses);
    };
    collectNeeds(
      nodes,
      { package: name, file, pipelines, scope: inner, need: (one) => needs.add(one), unknown },
      field,
    );
  };
  collect(recipe.pipeline, origin, 'pipeline');
  for (const { subpackage, scope: inner, field } of subpackages)
    collect(subpackage.pipeline, inner, `${field}.pipeline`);
  return {
    origin: name,
    version: `${version}-r${epoch}`,
    packages: [
      packageFacts(name, recipe.package, origin, { ...where, field: 'package.dependencies' }),
      ...subpackages.map((one) =>
        packageFacts(one.name, one.subpackage, one.scope, { ...where, field: `${one.field}.dependencies` }),
      ),
    ],
    needs: [...needs].toSorted(),
    unknownPipelines: [...unknownPipelines].toSorted(),
  };
}

function packageFacts(
  name: string,
  { dependencies }: Recipe['package'] | Subpackage,
  scope: Scope,
  where: ErrorWhere,
): PackageFacts {
  return {
    name,
    provides: (dependencies?.provides ?? []).map((provide) => substitute(provide, scope, where)),
    priority: wholeNumber(substitute(dependencies?.['provider-priority'] ?? '', scope, where), where) ?? 0,
  };
}
