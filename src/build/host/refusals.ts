import type { Recipe, RecipeEnvironment } from '../../model/recipe/recipe.ts';
import type { ResolvedRecipe, ResolvedStep } from '../../model/recipe/resolved.ts';
import type { Arch, Target } from '../../model/target.ts';
import type { Refusal } from '../refusal.ts';

export interface RefusalFacts {
  readonly recipe: Recipe;
  readonly resolved: ResolvedRecipe;
  readonly target: Target;
  readonly hostArch: Arch;
}

const doWithout = 'change the recipe so that it does without';
const useMelange =
  'have melange build it (build.engine or build.engines, docs/melange-engine.md), or change the recipe so that it does without';

/** Everything that the engine would stumble over, found before anything runs. */
export function findRefusals(facts: RefusalFacts): readonly Refusal[] {
  const { recipe, resolved, target, hostArch } = facts;
  const refusals: Refusal[] = [];
  const refuse = (field: string, what: string, remedy: string = useMelange): void => {
    refusals.push({ field, what, remedy });
  };

  if (target.arch !== hostArch) {
    refuse('target', `it is for ${target.arch}, and this machine is ${hostArch}`, `run a builder on ${target.arch}`);
  }
  if (!resolved.forThisArch) {
    refuse(
      'package.target-architecture',
      `it leaves ${target.arch} out`,
      'add the architecture, or take the target away',
    );
  }
  if ((recipe.capabilities?.add.length ?? 0) > 0) refuse('capabilities.add', 'no step is ever given a capability');
  if (Object.keys(recipe.options).length > 0) {
    refuse('options', 'it has build options that change the recipe', 'write what they change as a recipe of its own');
  }
  refuseEnvironment(recipe.environment, 'environment', refuse);
  refuseEnvironment(recipe.test?.environment, 'test.environment', refuse);
  if (recipe.package.setcap.length > 0)
    refuse('package.setcap', 'packages with file capabilities cannot be made', doWithout);
  recipe.subpackages.forEach((subpackage, index) => {
    if (subpackage.setcap.length > 0)
      refuse(`subpackages.${index}.setcap`, 'packages with file capabilities cannot be made', doWithout);
    refuseEnvironment(subpackage.test?.environment, `subpackages.${index}.test.environment`, refuse);
  });
  for (const one of resolved.packages) {
    refuseSteps(one.steps, `pipeline of ${one.name}`, refuse);
    refuseSteps(one.test?.steps ?? [], `test of ${one.name}`, refuse);
  }
  return refusals;
}

type Refuse = (field: string, what: string, remedy?: string) => void;

function refuseEnvironment(environment: RecipeEnvironment | undefined, field: string, refuse: Refuse): void {
  const contents = environment?.contents;
  for (const key of ['repositories', 'build_repositories', 'runtime_repositories', 'keyring'] as const) {
    if ((contents?.[key].length ?? 0) > 0) {
      refuse(`${field}.contents.${key}`, 'packages come from the repository of this distribution alone', doWithout);
    }
  }
  if (contents?.baseimage !== undefined)
    refuse(`${field}.contents.baseimage`, 'there is no base image to build on', doWithout);
  const accounts = environment?.accounts;
  if (
    accounts !== undefined &&
    (accounts.users.length > 0 || accounts.groups.length > 0 || accounts['run-as'] !== undefined)
  ) {
    refuse(`${field}.accounts`, 'every step runs as the user build, and there is no other');
  }
  if ((environment?.paths.length ?? 0) > 0) refuse(`${field}.paths`, 'the environment is made of packages alone');
  if ((environment?.volumes.length ?? 0) > 0) refuse(`${field}.volumes`, 'no volume is mounted');
}

function refuseSteps(steps: readonly ResolvedStep[], field: string, refuse: Refuse): void {
  for (const step of steps) {
    const inputs = step.native?.with ?? {};
    const given = (name: string): boolean => (inputs[name] ?? '') !== '';
    if (step.native?.uses === 'git-checkout') {
      for (const name of ['cherry-picks', 'sparse-paths']) {
        if (given(name)) refuse(`${field}: git-checkout.${name}`, 'it cannot be done');
      }
      if (inputs['expected-commit-is-branch-tip'] === 'true') {
        const name = 'git-checkout.expected-commit-is-branch-tip';
        refuse(`${field}: ${name}`, 'only the commit itself is checked', 'leave it out, or pin a tag');
      }
    }
    if (step.native?.uses === 'fetch' && !given('expected-sha256') && !given('expected-sha512')) {
      const uri = inputs['uri'] ?? '';
      refuse(
        `${field}: fetch.expected-sha256`,
        `nothing says what ${uri} has to be`,
        'pin expected-sha256 or expected-sha512',
      );
    }
    refuseSteps(step.steps, field, refuse);
  }
}
