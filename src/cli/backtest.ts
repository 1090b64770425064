import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { Command, InvalidArgumentError } from 'commander';
import { readRecipeDirectory } from '../adapters/recipe-directory.ts';
import { loadConfig } from '../config/load.ts';
import { type BumpFate, runBacktest } from '../decide/backtest.ts';
import { type BacktestFigures, backtestFigures, loadOfHistory } from '../decide/backtest-figures.ts';
import type { BacktestRecipe } from '../decide/backtest-input.ts';
import { RegrowError } from '../errors.ts';
import type { Policy } from '../model/policy.ts';
import { parseRecipe } from '../model/recipe/recipe.ts';
import { readTimeline, type TimelineBump } from '../model/timeline.ts';
import { chooseSource } from '../watch/choice.ts';
import { type Backtest, backtestJson, backtestText } from './backtest-text.ts';
import type { CliContext } from './context.ts';
import { type Output, runCommand } from './output.ts';

interface BacktestFlags {
  readonly timeline: string;
  readonly recipes: string;
  readonly config?: string;
  readonly against?: string;
  readonly examples: number;
  readonly json?: boolean;
}

/** Updates between two looks at the terminal. */
const stride = 500;

/** `regrow backtest`: what this configuration would have made of real updates. */
export function backtestCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('backtest')
    .description('what would have come of the updates of the past: pull requests, loops, builds, peaks')
    .requiredOption('--timeline <file>', 'the updates: tab-separated, .tsv or .tsv.gz')
    .requiredOption('--recipes <folder>', 'folder of NAME.yaml files, for the rules of each package')
    .option('--against <file>', 'another configuration file, to compare with')
    .option('--examples <number>', 'how many updates are named for each reason, or `all`', parseExamples, 3)
    .option('--json', 'print one line of JSON')
    .addHelpText('after', '\ndocs/backtest.md says how it is counted. Nothing is asked or changed outside.')
    .action(async (_flags: BacktestFlags, command: Command) => {
      const flags = command.optsWithGlobals<BacktestFlags>();
      await runCommand(output, flags.json === true, async () => {
        const backtest = await compare(flags, output);
        output.progress();
        if (flags.json === true) output.json(backtestJson(backtest));
        else output.write(backtestText(backtest, output.style));
      });
    });
}

function parseExamples(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('give a whole number, or `all`.');
  return Number(text);
}

async function compare(flags: BacktestFlags, output: Output): Promise<Backtest> {
  const own = loadConfig({ file: flags.config, roles: [] });
  const other = flags.against === undefined ? undefined : loadConfig({ file: flags.against, roles: [] });
  const bumps = readTimeline(readText(flags.timeline), flags.timeline);
  const recipeOf = recipesOf(flags.recipes);
  const run = async ({ config, file }: typeof own) => ({
    name: file ?? 'the defaults',
    targets: config.targets.length,
    figures: await figuresOf({ bumps, recipeOf, policy: config.policy, targets: config.targets.length }, flags, output),
  });
  return {
    bumps,
    history: loadOfHistory(bumps, own.config.targets.length),
    own: await run(own),
    ...(other === undefined ? {} : { against: await run(other) }),
  };
}

interface Run {
  readonly bumps: readonly TimelineBump[];
  readonly recipeOf: (name: string) => BacktestRecipe | undefined;
  readonly policy: Policy;
  readonly targets: number;
}

async function figuresOf(run: Run, { examples }: BacktestFlags, output: Output): Promise<BacktestFigures> {
  const { bumps, recipeOf, policy, targets } = run;
  const fates: BumpFate[] = [];
  for (const fate of runBacktest(bumps, { recipeOf, policy })) {
    fates.push(fate);
    if (output.interactive && fates.length % stride === 0) {
      output.progress(`${fates.length} of ${bumps.length} updates`);
      await setImmediate();
    }
  }
  return backtestFigures(fates, targets, examples);
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  } catch (cause) {
    throw new RegrowError('request.invalid', `${file} cannot be read`, {
      file,
      field: '--timeline',
      remedy: 'name a .tsv or .tsv.gz file of updates; docs/backtest.md says its columns',
      cause,
    });
  }
}

/** Recipes by name, each read once when it is first asked for; one that cannot be read counts as gone. */
function recipesOf(folder: string): (name: string) => BacktestRecipe | undefined {
  const texts = new Map(readRecipeDirectory(folder).recipes.map((file) => [file.path.replace(/\.ya?ml$/, ''), file]));
  const known = new Map<string, BacktestRecipe | undefined>();
  return (name) => {
    if (!known.has(name)) known.set(name, readOne(texts.get(name)));
    return known.get(name);
  };
}

function readOne(file: { readonly path: string; readonly text: string } | undefined): BacktestRecipe | undefined {
  if (file === undefined) return undefined;
  try {
    const { recipe } = parseRecipe(file.path, file.text);
    return { recipe, source: chooseSource(recipe) };
  } catch (thrown) {
    if (thrown instanceof RegrowError) return undefined;
    throw thrown;
  }
}
