import { parseDependency } from '../model/dependency.ts';
import type { Purpose } from '../model/plan.ts';
import type { ResolvedPackage, ResolvedRecipe, ResolvedStep } from '../model/recipe/resolved.ts';
import type { TargetName } from '../model/target.ts';

/** One recipe that should be built for one target, as it stands at a commit. */
export interface BuildNeed {
  readonly purpose: Purpose;
  readonly target: TargetName;
  readonly resolved: ResolvedRecipe;
  readonly recipe: { readonly path: string; readonly text: string };
  readonly pipelines: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly commit: string;
  readonly sourceDateEpoch: number;
  readonly urgency: 'security' | 'normal' | 'low';
  readonly why: string;
}

/** Names that a recipe's packages will be known by. */
export function promisedNames(resolved: ResolvedRecipe): readonly string[] {
  return resolved.packages.flatMap((one) => [
    one.name,
    ...one.provides.map((provide) => parseDependency(provide).name),
  ]);
}

/** What melange's own `fetch` and `git-checkout` need (`needs` in its `pkg/build/pipelines`); the host engine does both itself. */
const nativeNeeds = { fetch: 'wget', 'git-checkout': 'git' } as const;

/** What steps need besides, where melange runs them. */
function melangeNeeds(steps: readonly ResolvedStep[]): readonly string[] {
  return steps.flatMap((step) => [
    ...(step.native === undefined ? [] : [nativeNeeds[step.native.uses]]),
    ...melangeNeeds(step.steps),
  ]);
}

/** What a recipe is built with: what it asks for, and its pipelines. */
export function buildPackages(resolved: ResolvedRecipe, isMelange: boolean): readonly string[] {
  if (!isMelange) return resolved.environment.packages;
  return [...resolved.environment.packages, ...resolved.packages.flatMap((one) => melangeNeeds(one.steps))];
}

/** What the test of one of its packages asks for, and what the package says that it depends on. */
export function testPackages(one: ResolvedPackage, isMelange: boolean): readonly string[] {
  if (one.test === undefined) return [];
  return [...one.test.packages, ...(isMelange ? melangeNeeds(one.test.steps) : []), ...one.depends];
}

/** The names of the packages that a recipe is built and tested with. */
export function wantedNames(resolved: ResolvedRecipe, isMelange: boolean): readonly string[] {
  const tested = resolved.packages.flatMap((one) => testPackages(one, isMelange));
  const wanted = [...buildPackages(resolved, isMelange), ...tested].map(parseDependency);
  return wanted.filter((dependency) => !dependency.conflict).map((dependency) => dependency.name);
}
