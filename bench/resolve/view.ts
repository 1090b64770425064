import { posix } from 'node:path';
import { z } from 'zod';
import { evaluateCondition } from '../../src/model/recipe/condition.ts';
import { nativeInputs } from '../../src/model/recipe/native-pipelines.ts';
import type { ResolvedPackage, ResolvedRecipe, ResolvedStep } from '../../src/model/recipe/resolved.ts';

/** One step as it would run: `fetch` and `git-checkout` by their inputs, all others by their text. */
export interface StepView {
  readonly native?: { readonly uses: string; readonly with: Readonly<Record<string, string>> };
  readonly runs?: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
}

interface TestView {
  readonly packages: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly steps: readonly StepView[];
}

interface PackageView {
  readonly name: string;
  readonly description: string;
  readonly depends: readonly string[];
  readonly provides: readonly string[];
  readonly replaces: readonly string[];
  readonly priorities: readonly [provider: string, replaces: string];
  readonly scriptlets: Readonly<Record<string, string>>;
  readonly triggers: readonly string[];
  readonly steps: readonly StepView[];
  readonly test: TestView | undefined;
}

/** What both sides say of a recipe, in one shape. */
export interface RecipeView {
  readonly environment: { readonly packages: readonly string[]; readonly variables: Readonly<Record<string, string>> };
  readonly packages: readonly PackageView[];
}

const map = z.record(z.string(), z.string()).optional();
const list = z.array(z.string()).nullish();

interface Node {
  readonly if?: string | undefined;
  readonly uses?: string | undefined;
  readonly with?: Readonly<Record<string, string>> | undefined;
  readonly runs?: string | undefined;
  readonly pipeline?: readonly Node[] | undefined;
  readonly 'working-directory'?: string | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
}
const nodeSchema: z.ZodType<Node> = z.looseObject({
  if: z.string().optional(),
  uses: z.string().optional(),
  with: map,
  runs: z.string().optional(),
  pipeline: z.lazy(() => z.array(nodeSchema)).optional(),
  'working-directory': z.string().optional(),
  environment: map,
});
const nodes = z.array(nodeSchema).nullish();
const environmentSchema = z.looseObject({
  contents: z.looseObject({ packages: list }).optional(),
  environment: map,
});
const packageFields = {
  name: z.string(),
  description: z.string().optional(),
  dependencies: z
    .looseObject({
      runtime: list,
      provides: list,
      replaces: list,
      'provider-priority': z.string().optional(),
      'replaces-priority': z.string().optional(),
    })
    .optional(),
  scriptlets: z
    .looseObject({ trigger: z.looseObject({ script: z.string().optional(), paths: list }).optional() })
    .optional(),
};
const testSchema = z.looseObject({ environment: environmentSchema, pipeline: nodes }).optional();

/** What `melange compile` prints (melange `pkg/config`, type Configuration), as far as it is compared. */
export const compiledSchema = z.looseObject({
  package: z.looseObject(packageFields),
  environment: environmentSchema,
  pipeline: nodes,
  subpackages: z
    .array(z.looseObject({ ...packageFields, if: z.string().optional(), pipeline: nodes, test: testSchema }))
    .nullish(),
  test: testSchema,
});
type Compiled = z.infer<typeof compiledSchema>;

const natives = ['fetch', 'git-checkout'] as const;
const isNative = (uses: string | undefined): uses is (typeof natives)[number] => natives.some((one) => one === uses);
/** Melange's engine has its sources fetched by steps of the build; ours fetches them itself, and asks for no tool to. */
const nativeNeeds = ['git', 'wget'];
/** What melange sets for every build (`ParseConfiguration`); our engine has its own such variables. */
const engineVariables = [
  'HOME',
  'GOPATH',
  'GOMODCACHE',
  'UV_CACHE_DIR',
  'PIP_CACHE_DIR',
  'COMPOSER_CACHE_DIR',
  'npm_config_cache',
];

const sorted = (names: readonly string[] | null | undefined) => [...new Set(names ?? [])].toSorted();
const absolute = (directory: string) => posix.resolve('/home/build', directory);

/** What melange compiled, for comparison with `ours`. */
export function viewCompiled(compiled: Compiled, arch: string, ours: RecipeView): RecipeView {
  const targetScope = (name: string) => (name === 'build.arch' ? arch : undefined);
  const packages = (compiled.subpackages ?? []).filter(({ if: condition }) =>
    condition === undefined || condition === '' ? true : evaluateCondition(condition, targetScope),
  );
  const variables = Object.entries(compiled.environment.environment ?? {});
  return {
    environment: {
      packages: withoutNativeNeeds(compiled.environment.contents?.packages, ours.environment.packages),
      variables: Object.fromEntries(
        variables.filter(([name]) => !engineVariables.includes(name)).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ),
    },
    packages: [
      viewPackage(compiled.package, compiled.pipeline, compiled.test, ours),
      ...packages.map((one) => viewPackage(one, one.pipeline, one.test, ours)),
    ],
  };
}

function viewPackage(
  written: Compiled['package'],
  pipeline: readonly Node[] | null | undefined,
  test: z.infer<typeof testSchema>,
  ours: RecipeView,
): PackageView {
  const { dependencies, scriptlets } = written;
  const { trigger, ...scripts } = scriptlets ?? {};
  return {
    name: written.name,
    description: written.description ?? '',
    depends: dependencies?.runtime ?? [],
    provides: dependencies?.provides ?? [],
    replaces: dependencies?.replaces ?? [],
    priorities: [dependencies?.['provider-priority'] ?? '', dependencies?.['replaces-priority'] ?? ''],
    scriptlets: given({ ...scripts, trigger: trigger?.script }),
    triggers: trigger?.paths ?? [],
    steps: nodeSteps(pipeline ?? [], {}),
    test:
      test === undefined
        ? undefined
        : {
            packages: withoutNativeNeeds(
              test.environment.contents?.packages,
              ours.packages.find(({ name }) => name === written.name)?.test?.packages ?? [],
            ).filter((name) => name !== written.name),
            environment: test.environment.environment ?? {},
            steps: nodeSteps(test.pipeline ?? [], {}),
          },
  };
}

function nodeSteps(list: readonly Node[], outer: Readonly<Record<string, string>>): StepView[] {
  return list.flatMap((node) => {
    if (node.if !== undefined && node.if !== '' && !evaluateCondition(node.if, () => undefined)) return [];
    const environment = { ...outer, ...node.environment };
    const directory = absolute(node['working-directory'] ?? '.');
    if (isNative(node.uses)) {
      const inputs = { ...nativeInputs(node.uses), ...node.with };
      return [{ native: { uses: node.uses, with: given(inputs) }, directory, environment }];
    }
    const runs = node.runs ?? '';
    const own = runs === '' ? [] : [{ runs, directory, environment }];
    return [...own, ...nodeSteps(node.pipeline ?? [], environment)];
  });
}

export function viewResolved(resolved: ResolvedRecipe): RecipeView {
  const { packages, variables } = resolved.environment;
  const written = Object.entries(variables).filter(([name]) => !engineVariables.includes(name));
  return {
    environment: {
      packages,
      variables: Object.fromEntries(written.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    },
    packages: resolved.packages.map((one) => viewResolvedPackage(one)),
  };
}

function viewResolvedPackage(one: ResolvedPackage): PackageView {
  const { test } = one;
  return {
    name: one.name,
    description: one.description,
    depends: one.depends,
    provides: one.provides,
    replaces: one.replaces,
    priorities: [String(one.providerPriority ?? ''), String(one.replacesPriority ?? '')],
    scriptlets: given({ ...one.scriptlets, trigger: one.trigger?.script }),
    triggers: one.trigger?.paths ?? [],
    steps: resolvedSteps(one.steps, {}),
    test:
      test === undefined
        ? undefined
        : {
            packages: test.packages.filter((name) => name !== one.name),
            environment: test.environment,
            steps: resolvedSteps(test.steps, {}),
          },
  };
}

function resolvedSteps(steps: readonly ResolvedStep[], outer: Readonly<Record<string, string>>): StepView[] {
  return steps.flatMap((step) => {
    const environment = { ...outer, ...step.environment };
    const directory = absolute(step.workingDirectory);
    if (step.native !== undefined) {
      return [{ native: { uses: step.native.uses, with: given(step.native.with) }, directory, environment }];
    }
    const runs = step.runs ?? '';
    return [...(runs === '' ? [] : [{ runs, directory, environment }]), ...resolvedSteps(step.steps, environment)];
  });
}

/** Without what is empty; sorted by key. */
function given(values: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(values).flatMap(([key, value]): [string, string][] =>
    typeof value === 'string' && value !== '' ? [[key, value]] : [],
  );
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutNativeNeeds(packages: readonly string[] | null | undefined, ours: readonly string[]): string[] {
  return sorted(packages).filter((name) => !nativeNeeds.includes(name) || ours.includes(name));
}
