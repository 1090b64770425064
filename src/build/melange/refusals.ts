import type { MelangeProgram } from '../../model/build.ts';
import type { Recipe, RecipeEnvironment } from '../../model/recipe/recipe.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import type { Arch, Target } from '../../model/target.ts';
import type { Refusal } from '../refusal.ts';
import { type NativeStep, nativeSteps, networkInputs } from './native-steps.ts';

export interface MelangeRefusalFacts {
  readonly recipe: Recipe;
  readonly resolved: ResolvedRecipe;
  readonly target: Target;
  /** Architectures that this builder runs programs of. */
  readonly arches: readonly Arch[];
  readonly network: boolean;
  readonly runner: MelangeProgram['runner'];
}

/** What is not done although melange could: the environment is locked, and every source is known before it is used. */
export function findMelangeRefusals(facts: MelangeRefusalFacts): readonly Refusal[] {
  const { recipe, resolved, target, arches, network, runner } = facts;
  const refusals: Refusal[] = [];
  if (!arches.includes(target.arch)) {
    refusals.push({
      field: 'target',
      what: `it is for ${target.arch}, and this machine runs ${arches.join(', ')}`,
      remedy: `run a builder on ${target.arch}, or name it under build.melange.arches where programs of it can be run`,
    });
  }
  if (!resolved.forThisArch) {
    refusals.push({
      field: 'package.target-architecture',
      what: `it leaves ${target.arch} out`,
      remedy: 'add the architecture, or take the target away',
    });
  }
  if (runner === 'docker' && (recipe.capabilities?.add.length ?? 0) > 0) {
    refusals.push({
      field: 'capabilities.add',
      what: 'docker gives them to root of the machine itself, which a container does not hold then',
      remedy: 'change the recipe so that it does without, or build it with the runner bubblewrap or qemu',
    });
  }
  for (const { name, setcap } of [recipe.package, ...recipe.subpackages]) {
    if (setcap.length > 0) {
      refusals.push({
        field: `setcap of ${name}`,
        what: 'packages with file capabilities are not published, as those with setuid files',
        remedy: 'let the image or the administrator give the capability',
      });
    }
  }
  refusals.push(...environmentRefusals(recipe.environment, 'environment'));
  refusals.push(...environmentRefusals(recipe.test?.environment, 'test.environment'));
  recipe.subpackages.forEach(({ test }, index) => {
    refusals.push(...environmentRefusals(test?.environment, `subpackages.${index}.test.environment`));
  });
  for (const one of resolved.packages) {
    for (const step of nativeSteps(one.steps))
      refusals.push(...sourceRefusals(step, `pipeline of ${one.name}`, network));
    for (const step of nativeSteps(one.test?.steps ?? []))
      refusals.push(...sourceRefusals(step, `test of ${one.name}`, network));
  }
  return refusals;
}

function environmentRefusals(environment: RecipeEnvironment | undefined, field: string): readonly Refusal[] {
  const contents = environment?.contents;
  const keys = ['repositories', 'build_repositories', 'runtime_repositories', 'keyring'] as const;
  const refusals: Refusal[] = keys
    .filter((key) => (contents?.[key].length ?? 0) > 0)
    .map((key) => ({
      field: `${field}.contents.${key}`,
      what: 'packages come from the repository of this distribution alone',
      remedy: 'take it out of the recipe',
    }));
  if (contents?.baseimage !== undefined) {
    refusals.push({
      field: `${field}.contents.baseimage`,
      what: 'there is no base image to build on',
      remedy: 'name packages instead',
    });
  }
  return refusals;
}

function sourceRefusals({ native }: NativeStep, where: string, network: boolean): readonly Refusal[] {
  const given = (name: string): boolean => (native.with[name] ?? '') !== '';
  if (native.uses === 'fetch') {
    if (given('expected-sha256') || given('expected-sha512')) return [];
    return [
      {
        field: `${where}: fetch.expected-sha256`,
        what: `nothing says what ${native.with['uri'] ?? ''} has to be`,
        remedy: 'pin expected-sha256 or expected-sha512',
      },
    ];
  }
  if (network) return [];
  return networkInputs(native.with).map((name) => ({
    field: `${where}: git-checkout.${name}`,
    what: 'it needs the network, which steps do not have',
    remedy: 'set build.melange.network: true, or pin what it leads to by a commit of its own',
  }));
}
