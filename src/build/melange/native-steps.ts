import type { ResolvedStep } from '../../model/recipe/resolved.ts';

/** A `fetch` or `git-checkout`: a source. */
export type NativeStep = ResolvedStep & { readonly native: NonNullable<ResolvedStep['native']> };

/** Every one, in the order that they come. */
export function nativeSteps(steps: readonly ResolvedStep[]): readonly NativeStep[] {
  return steps.flatMap((step) => [
    ...(step.native === undefined ? [] : [{ ...step, native: step.native }]),
    ...nativeSteps(step.steps),
  ]);
}

/** Inputs of a `git-checkout` that lead to more of upstream than the one commit that the engine brings. */
export function networkInputs(inputs: Readonly<Record<string, string>>): readonly string[] {
  const given = ['cherry-picks', 'sparse-paths'].filter((name) => (inputs[name] ?? '') !== '');
  const on = ['recurse-submodules', 'expected-commit-is-branch-tip'].filter((name) => inputs[name] === 'true');
  return [...given, ...on];
}
