import { type ErrorWhere, RegrowError } from '../../errors.ts';
import type { Target } from '../target.ts';
import { evaluateCondition } from './condition.ts';
import { type ExpandOptions, expandPipeline, pipelineNames } from './expand.ts';
import { checkVariables } from './fields.ts';
import type { PipelineLibrary } from './pipeline.ts';
import type { PipelineNode } from './pipeline-node.ts';
import type { Recipe, RecipeEnvironment, RecipeTest, Subpackage } from './recipe-schema.ts';
import type { ResolvedPackage, ResolvedRecipe, ResolvedStep, ResolvedTest } from './resolved.ts';
import { type Scope, substitute, substituteKnown } from './substitute.ts';
import { buildScope, packageScope, recipeScope, type SubpackageInstance, subpackageInstances } from './variables.ts';

export interface ResolveOptions {
  readonly target: Target;
  readonly pipelines: PipelineLibrary;
  /** For messages. */
  readonly file?: string;
}

/**
 * A recipe with everything put in that is known before a build. Throws recipe.variable-unknown, recipe.condition-invalid,
 * recipe.pattern-invalid, recipe.pipeline-unknown, recipe.include-cycle and recipe.malformed.
 */
export function resolveRecipe(recipe: Recipe, options: ResolveOptions): ResolvedRecipe {
  const { target, pipelines, file } = options;
  const { name, version, epoch } = recipe.package;
  const where: ErrorWhere = { package: name, ...(file === undefined ? {} : { file }) };
  const { scope, origin, subpackages } = recipePackages(recipe, target, where);
  const needs = new Set<string>();
  const expand = (nodes: readonly PipelineNode[], inner: Scope, field: string, into: Set<string>): ResolvedStep[] => {
    const expandOptions: ExpandOptions = { package: name, file, pipelines, scope: inner, need: (one) => into.add(one) };
    return expandPipeline(nodes, expandOptions, field);
  };
  const resolveTest = (test: RecipeTest | undefined, inner: Scope, field: string): { test?: ResolvedTest } => {
    if (test === undefined) return {};
    const packages = new Set(environmentPackages(test.environment, inner, where, field));
    const steps = expand(test.pipeline, inner, `${field}.pipeline`, packages);
    const environment = environmentVariables(test.environment, inner, where, field);
    return { test: { packages: [...packages].toSorted(), environment, steps } };
  };

  const packages: readonly [ResolvedPackage, ...ResolvedPackage[]] = [
    {
      ...packageMetadata(name, recipe.package, recipe, origin, where, 'package'),
      steps: expand(recipe.pipeline, origin, 'pipeline', needs),
      ...resolveTest(recipe.test, origin, 'test'),
    },
    ...subpackages.map(({ subpackage, name: subpackageName, scope: inner, field }) => ({
      ...packageMetadata(subpackageName, subpackage, recipe, inner, where, field),
      steps: expand(subpackage.pipeline, inner, `${field}.pipeline`, needs),
      ...resolveTest(subpackage.test, inner, `${field}.test`),
    })),
  ];
  const environment = environmentPackages(recipe.environment, scope, where, 'environment');
  const architectures = recipe.package['target-architecture'];
  return {
    name,
    version,
    epoch,
    fullVersion: `${version}-r${epoch}`,
    arch: target.arch,
    forThisArch: architectures.length === 0 || architectures.includes('all') || architectures.includes(target.arch),
    environment: {
      packages: [...new Set([...environment, ...needs])].toSorted(),
      variables: environmentVariables(recipe.environment, scope, where, 'environment'),
    },
    packages,
  };
}

/** Names of the pipelines of the library that a recipe uses, also by way of others and in tests; sorted. */
export function usedPipelines(recipe: Recipe, pipelines: PipelineLibrary): string[] {
  const names = new Set<string>();
  const lists = [
    recipe.pipeline,
    recipe.test?.pipeline,
    ...recipe.subpackages.flatMap((s) => [s.pipeline, s.test?.pipeline]),
  ];
  for (const list of lists) pipelineNames(list ?? [], pipelines, names);
  return [...names].toSorted();
}

/** A subpackage that is made for a target, with the variables of its pipelines. */
export interface PresentSubpackage {
  readonly subpackage: Subpackage;
  readonly name: string;
  readonly scope: Scope;
  /** `subpackages.3` */
  readonly field: string;
}

export interface RecipePackages {
  /** Variables of the whole recipe. */
  readonly scope: Scope;
  /** Variables of the origin's pipelines. */
  readonly origin: Scope;
  /** Those whose `if` holds, after ranges. */
  readonly subpackages: readonly PresentSubpackage[];
}

/** The packages that a recipe makes for a target. Throws as `resolveRecipe`, but for pipelines. */
export function recipePackages(recipe: Recipe, target: Target, where: ErrorWhere): RecipePackages {
  const { name } = recipe.package;
  const variables = recipeScope(recipe);
  // A range may use what is known of the target, and the target's directories need the names that ranges give.
  const instances = subpackageInstances(recipe, buildScope(recipe, target, [name], variables));
  const names = [name, ...instances.map((instance) => instance.name)];
  checkNamesOnce(recipe, instances, where);
  const scope = buildScope(recipe, target, names, variables);
  const subpackages = instances.flatMap(({ subpackage, name: subpackageName, scope: inner }) => {
    const field = `subpackages.${recipe.subpackages.indexOf(subpackage)}`;
    const own = packageScope(subpackageName, true, (variable) => inner(variable) ?? scope(variable));
    const present =
      subpackage.if === undefined || evaluateCondition(subpackage.if, own, { ...where, field: `${field}.if` });
    return present ? [{ subpackage, name: subpackageName, scope: own, field }] : [];
  });
  return { scope, origin: packageScope(name, false, scope), subpackages };
}

/** Also of packages that another architecture leaves out: what they are called may not depend on it. */
function checkNamesOnce(recipe: Recipe, instances: readonly SubpackageInstance[], where: ErrorWhere): void {
  const seen = new Set([recipe.package.name]);
  for (const { subpackage, name } of instances) {
    if (seen.has(name)) {
      const field = `subpackages.${recipe.subpackages.indexOf(subpackage)}.name`;
      const message = `${where.package}: ${field}: ${name} is a package of this recipe already`;
      throw new RegrowError('recipe.malformed', message, { ...where, field, remedy: 'give one of them another name' });
    }
    seen.add(name);
  }
}

export function environmentPackages(
  environment: RecipeEnvironment | undefined,
  scope: Scope,
  where: ErrorWhere,
  field: string,
): string[] {
  const packages = environment?.contents?.packages ?? [];
  return packages.map((name) => substitute(name, scope, { ...where, field: `${field}.contents.packages` }));
}

function environmentVariables(
  environment: RecipeEnvironment | undefined,
  scope: Scope,
  where: ErrorWhere,
  field: string,
): Record<string, string> {
  const variables = Object.entries(environment?.environment ?? {}).map(([name, value]): [string, string] => [
    name,
    substitute(value, scope, { ...where, field: `${field}.environment.${name}` }),
  ]);
  checkVariables(variables, { ...where, field: `${field}.environment` });
  return Object.fromEntries(variables);
}

function packageMetadata(
  name: string,
  written: Recipe['package'] | Subpackage,
  recipe: Recipe,
  scope: Scope,
  where: ErrorWhere,
  field: string,
): Omit<ResolvedPackage, 'steps' | 'test'> {
  const { dependencies, options, scriptlets } = written;
  // Texts for people are not worth a refusal; melange leaves unknown variables in them, too.
  const say = (text: string | undefined) => substituteKnown(text ?? '', scope);
  const strict = (text: string, key: string) => substitute(text, scope, { ...where, field: `${field}.${key}` });
  const list = (texts: readonly string[] | undefined, key: string) =>
    (texts ?? []).map((text) => strict(text, `dependencies.${key}`));
  const priority = (key: 'provider-priority' | 'replaces-priority') =>
    wholeNumber(strict(dependencies?.[key] ?? '', `dependencies.${key}`), {
      ...where,
      field: `${field}.dependencies.${key}`,
    });
  const providerPriority = priority('provider-priority');
  const replacesPriority = priority('replaces-priority');
  const script = (text: string | undefined) => (text === undefined ? undefined : strict(text, 'scriptlets'));
  const trigger = scriptlets?.trigger;
  const licenseFiles = recipe.package.copyright.flatMap(({ license, 'license-path': path }): [string, string][] =>
    license?.startsWith('LicenseRef-') === true && path !== undefined ? [[license, say(path)]] : [],
  );
  return {
    name,
    description: say(written.description),
    url: say(written.url ?? recipe.package.url),
    commit: say(written.commit ?? recipe.package.commit),
    licenses: recipe.package.copyright.flatMap(({ license }) => (license === undefined ? [] : [license])),
    ...(licenseFiles.length === 0 ? {} : { licenseFiles: Object.fromEntries(licenseFiles) }),
    depends: list(dependencies?.runtime, 'runtime'),
    provides: list(dependencies?.provides, 'provides'),
    replaces: list(dependencies?.replaces, 'replaces'),
    ...(providerPriority === undefined ? {} : { providerPriority }),
    ...(replacesPriority === undefined ? {} : { replacesPriority }),
    options: {
      noProvides: options?.['no-provides'] ?? false,
      noDepends: options?.['no-depends'] ?? false,
      noCommands: options?.['no-commands'] ?? false,
      noVersionedShlibDeps: options?.['no-versioned-shlib-deps'] ?? false,
    },
    scriptlets: {
      'pre-install': script(scriptlets?.['pre-install']),
      'post-install': script(scriptlets?.['post-install']),
      'pre-deinstall': script(scriptlets?.['pre-deinstall']),
      'post-deinstall': script(scriptlets?.['post-deinstall']),
      'pre-upgrade': script(scriptlets?.['pre-upgrade']),
      'post-upgrade': script(scriptlets?.['post-upgrade']),
    },
    ...(trigger === undefined
      ? {}
      : {
          trigger: {
            script: script(trigger.script) ?? '',
            paths: trigger.paths.map((path) => strict(path, 'scriptlets.trigger.paths')),
          },
        }),
  };
}

/** Undefined for an empty text. Throws recipe.malformed. */
export function wholeNumber(text: string, where: ErrorWhere): number | undefined {
  if (text === '') return undefined;
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw new RegrowError(
    'recipe.malformed',
    `${where.package}: ${where.field}: ${JSON.stringify(text)} is not a whole number`,
    { ...where, remedy: 'write digits' },
  );
}
