import { performance } from 'node:perf_hooks';
import { Command, Option } from 'commander';
import { readPipelineDirectory } from '../adapters/pipeline-directory.ts';
import { openRecipeCache } from '../adapters/recipe-cache.ts';
import { readRecipeDirectory } from '../adapters/recipe-directory.ts';
import { createHostTools } from '../build/host/host-tools.ts';
import { type ErrorReport, reportError } from '../errors.ts';
import { digestOf } from '../model/canonical.ts';
import { createPipelineLibrary, type PipelineLibrary } from '../model/recipe/pipeline.ts';
import { parseRecipe } from '../model/recipe/recipe.ts';
import { type Arch, arches, type Libc, libcs, type Target, targetName } from '../model/target.ts';
import { type BuildGraph, createGraph } from '../plan/graph.ts';
import { describeGraph, type GraphDetails } from '../plan/graph-report.ts';
import { type RecipeFacts, recipeFacts, recipeFactsSchema, recipeFactsVersion } from '../plan/recipe-facts.ts';
import type { CliContext } from './context.ts';
import { type Output, runCommand } from './output.ts';

interface GraphOptions {
  readonly recipes: string;
  readonly arch: Arch;
  readonly libc: Libc;
  /** False with --no-cache. */
  readonly cache: string | false;
  readonly cycles?: boolean;
  readonly unresolved?: boolean;
  readonly json?: boolean;
}

/** `regrow graph`: what a folder of recipes needs to be built in which order. Exit code 1 where a recipe cannot be read. */
export function graphCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('graph')
    .description('the build graph of a folder of recipes: packages, edges, cycles, depth')
    .option('--recipes <folder>', 'folder of NAME.yaml files, with pipelines/ beside them', '.')
    .addOption(new Option('--arch <arch>', 'architecture').choices(arches).default('x86_64'))
    .addOption(new Option('--libc <libc>', 'C library').choices(libcs).default('gnu'))
    .option('--cache <folder>', 'where what was read is kept, by content', '.regrow/cache')
    .option('--no-cache', 'read everything anew')
    .option('--cycles', 'name the members of each cycle')
    .option('--unresolved', 'name what no recipe provides')
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\nExample: regrow graph --recipes ../os --cycles')
    .action((options: GraphOptions) =>
      runCommand(output, options.json === true, async () => {
        const start = performance.now();
        const { facts, failures } = await readFacts(options, output);
        const graph = createGraph(facts, new Set(Object.keys(createHostTools())));
        const details = describeGraph(graph);
        const milliseconds = Math.round(performance.now() - start);
        for (const { code, message } of failures) output.note(`${code}: ${message}`);
        const printed = { graph, details, failures, milliseconds, options };
        if (options.json === true) output.json(jsonOf(printed));
        else output.write(tableOf(printed));
        if (failures.length > 0) output.exit(1);
      }),
    );
}

interface Facts {
  readonly facts: readonly RecipeFacts[];
  readonly failures: readonly ErrorReport[];
}

/** A recipe that cannot be read is left out and reported; it is read again the next time. */
async function readFacts(
  { recipes: folder, arch, libc, cache: cacheFolder }: GraphOptions,
  output: Output,
): Promise<Facts> {
  const target: Target = { arch, libc };
  const directory = readRecipeDirectory(folder);
  const pipelines = new Map([...(await readPipelineDirectory()), ...directory.pipelines]);
  const key = JSON.stringify([recipeFactsVersion, targetName(target), digestOf([...pipelines])]);
  const cache = cacheFolder === false ? undefined : openRecipeCache(cacheFolder, key, recipeFactsSchema);
  const kept = new Map<string, RecipeFacts>();
  const failures: ErrorReport[] = [];
  const draw = drawer(createPipelineLibrary(pipelines), target);
  let fresh = 0;
  for (const { path, text, digest } of directory.recipes) {
    let facts = cache?.get(digest);
    if (facts === undefined) {
      try {
        facts = draw(path, text);
        fresh++;
      } catch (thrown) {
        failures.push(reportError(thrown, { file: path }));
        continue;
      }
    }
    kept.set(digest, facts);
  }
  if (cache !== undefined && fresh > 0 && !cache.replace(kept)) {
    output.note(`the cache in ${String(cacheFolder)} cannot be written; the next run reads everything again`);
  }
  return { facts: [...kept.values()], failures };
}

function drawer(pipelines: PipelineLibrary, target: Target): (path: string, text: string) => RecipeFacts {
  return (path, text) => recipeFacts(parseRecipe(path, text).recipe, { target, pipelines, file: path });
}

interface Printed {
  readonly graph: BuildGraph;
  readonly details: GraphDetails;
  readonly failures: readonly ErrorReport[];
  readonly milliseconds: number;
  readonly options: GraphOptions;
}

function jsonOf({ graph, details, failures, milliseconds, options }: Printed): Record<string, unknown> {
  return {
    ...details.report,
    milliseconds,
    ...(graph.fromHost.length > 0 ? { fromHost: graph.fromHost.length } : {}),
    ...(options.cycles === true ? { cycleMembers: details.cycles } : {}),
    ...(options.unresolved === true ? { unresolvedNeeds: graph.unresolved } : {}),
    ...(failures.length > 0 ? { failures } : {}),
  };
}

function tableOf({ graph, details, failures, milliseconds, options }: Printed): string {
  const { recipes, packages, edges, unresolved, cycles, depth } = details.report;
  const rows: readonly (readonly [string, string])[] = [
    ['recipes', String(recipes)],
    ['packages', String(packages)],
    ['edges', String(edges)],
    ['unresolved', String(unresolved)],
    ...(graph.fromHost.length > 0 ? [['from the host', hostText(graph)] as const] : []),
    ['cycles', cycles.length === 0 ? 'none' : cycles.map((size) => `${size} recipes`).join(', ')],
    ['depth', String(depth)],
    ['not readable', String(failures.length)],
    ['time', `${milliseconds} ms`],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(14)}${value}`);
  if (options.cycles === true) {
    for (const members of details.cycles) lines.push('', `cycle of ${members.length}`, `  ${members.join(' ')}`);
  }
  if (options.unresolved === true) lines.push('', 'nothing here provides', ...unresolvedLines(graph));
  return `${lines.join('\n')}\n`;
}

/** How many needs, and of which names: docs/host-engine.md has them all. */
function hostText({ fromHost }: BuildGraph): string {
  return `${fromHost.length}: ${[...new Set(fromHost.map(({ dependency }) => dependency))].toSorted().join(' ')}`;
}

/** One line for each dependency, the most wanted first. */
function unresolvedLines(graph: BuildGraph): string[] {
  const wanted = new Map<string, string[]>();
  for (const { origin, dependency } of graph.unresolved) {
    wanted.set(dependency, [...(wanted.get(dependency) ?? []), origin]);
  }
  return [...wanted]
    .toSorted(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))
    .map(([dependency, origins]) => `  ${dependency}  for ${origins.join(' ')}`);
}
