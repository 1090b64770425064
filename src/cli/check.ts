import { Command } from 'commander';
import { systemClock } from '../adapters/clock.ts';
import { loadConfig } from '../config/load.ts';
import { RegrowError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import { spanText } from '../report/freshness.ts';
import { type Mood, renderTable, type Style } from '../report/table.ts';
import { type RecipeSet, readRecipeSet, recipeTexts } from './check-recipes.ts';
import { type CheckRow, checkRow, failureRow } from './check-rows.ts';
import { askSources, knownProposals } from './check-sources.ts';
import type { CliContext } from './context.ts';
import { type Output, runCommand } from './output.ts';
import { interrupted } from './signals.ts';

interface CheckFlags {
  readonly recipes?: string;
  readonly config?: string;
  readonly all?: boolean;
  readonly outdated?: boolean;
  readonly json?: boolean;
}

/** `regrow check`: what upstreams have now, and what would be updated. Needs no daemon. Exit code 1 where a person has to look. */
export function checkCommand(
  { output }: Pick<CliContext, 'output'>,
  { clock = systemClock, stop = interrupted }: { readonly clock?: Clock; readonly stop?: typeof interrupted } = {},
): Command {
  return new Command('check')
    .description('what upstreams have now: current, wanted and latest version of each package, and why not where not')
    .argument('[packages...]', 'names of recipes; default: all that are watched')
    .option('--recipes <folder>', 'folder of NAME.yaml files; default: the main branch of the configured repository')
    .option(
      '--all',
      'list every package, not only those that are behind, have a tag that moved, or could not be looked at',
    )
    .option('--outdated', 'leave those out that are up to date, also of the packages that are named')
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nUpstreams are asked directly, within the limits of the configuration. Exit code 1 where a package is behind,\nhas a tag that moved, or could not be looked at.\n\nExample: regrow check jq openssl',
    )
    .action(async (packages: readonly string[], _flags: CheckFlags, command: Command) => {
      const flags = command.optsWithGlobals<CheckFlags>();
      await runCommand(output, flags.json === true, async () => {
        const { signal, end } = stop();
        try {
          const now = clock.now();
          const rows = await examine(packages, flags, { output, signal, clock });
          const isListed = listed(packages, flags);
          output.progress();
          print(rows, rows.filter(isListed), { output, now, json: flags.json === true });
          if (rows.some(needsLook)) output.exit(1);
        } finally {
          end();
        }
      });
    });
}

interface Surroundings {
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

async function examine(
  packages: readonly string[],
  flags: CheckFlags,
  { output, signal, clock }: Surroundings,
): Promise<readonly CheckRow[]> {
  const loaded = loadConfig({
    file: flags.config,
    roles: flags.recipes === undefined ? ['poller', 'conductor'] : ['poller'],
  });
  output.progress('reading recipes');
  const set = choose(packages, readRecipeSet(await recipeTexts(flags.recipes, loaded, signal)));
  const { policy } = loaded.config;
  const answers = await askSources(set, loaded, { output, signal, clock, urgent: packages.length > 0 });
  const past = flags.recipes === undefined ? await knownProposals(loaded) : undefined;
  const rows = [...set.recipes].map(([name, { recipe }]) => {
    const answer = answers(recipe);
    if ('code' in answer) return failureRow(name, answer);
    return checkRow({
      recipe,
      ...answer,
      findings: [],
      proposals: past?.(name) ?? [],
      history: [],
      policy,
      now: clock.now(),
    });
  });
  const failed = [...set.failures].map(([name, report]) => failureRow(name, report));
  return [...rows, ...failed].sort((a, b) => (a.package < b.package ? -1 : 1));
}

/** Those that are named. Throws request.not-found for a name that no recipe has. */
function choose(packages: readonly string[], set: RecipeSet): RecipeSet {
  if (packages.length === 0) return set;
  const gone = packages.filter((name) => !set.recipes.has(name) && !set.failures.has(name));
  if (gone.length > 0) {
    throw new RegrowError('request.not-found', `there is no recipe ${gone.join(', ')}`, {
      remedy: 'check the name: it is that of the package, as package.name of the recipe says it',
    });
  }
  const isNamed = ([name]: readonly [string, unknown]) => packages.includes(name);
  return { recipes: new Map([...set.recipes].filter(isNamed)), failures: new Map([...set.failures].filter(isNamed)) };
}

/**
 * As `npm outdated`: what is up to date is not listed, but where it is asked for by name or with `--all`. Nor is what was not asked
 * because a person stopped it.
 */
function listed(packages: readonly string[], { all, outdated }: CheckFlags): (row: CheckRow) => boolean {
  const everything = outdated !== true && (all === true || packages.length > 0);
  return (row) => everything || (needsLook(row) && row.reason !== 'not-observed-yet');
}

function needsLook({ state }: CheckRow): boolean {
  return state !== 'current' && state !== 'off';
}

interface Printing {
  readonly output: Output;
  readonly now: Date;
  readonly json: boolean;
}

function print(all: readonly CheckRow[], rows: readonly CheckRow[], { output, now, json }: Printing): void {
  const counts = { behind: 0, current: 0, moved: 0, off: 0, unknown: 0 };
  for (const { state } of all) counts[state] += 1;
  if (json) {
    output.json({ ...counts, packages: rows });
    return;
  }
  const { behind, current, moved, off, unknown } = counts;
  const tags = moved === 0 ? '' : `${moved} with a tag that moved, `;
  const end = `${behind} behind, ${current} up to date, ${tags}${off} not watched, ${unknown} not known\n`;
  output.write(`${rowsText(rows, now, output.style)}${rows.length > 0 ? '\n' : ''}${end}`);
}

const moods: Readonly<Record<CheckRow['state'], Mood>> = {
  behind: 'busy',
  current: 'good',
  moved: 'bad',
  off: 'faint',
  unknown: 'bad',
};

function rowsText(rows: readonly CheckRow[], now: Date, style: Style): string {
  return renderTable(
    ['PACKAGE', 'CURRENT', 'WANTED', 'LATEST', 'AGE', 'SOURCE', 'WHY'],
    rows.map((row) => [
      { text: row.package, mood: moods[row.state] },
      { text: row.current ?? '-' },
      { text: row.wanted ?? '-', mood: row.wanted === row.current ? undefined : 'good' },
      { text: row.latest ?? '-' },
      { text: row.publishedAt === undefined ? '-' : spanText(now.getTime() - Date.parse(row.publishedAt)) },
      { text: sourceText(row) },
      { text: whyText(row) },
    ]),
    style,
  );
}

/** That the newest is wanted needs no reason, where that is all. */
function whyText({ state, wanted, latest, movedTag, because }: CheckRow): string {
  const isPlain = (state === 'behind' || state === 'current') && movedTag === undefined;
  return isPlain && wanted === latest ? '' : because;
}

/** How a source was chosen is said where the recipe's `update:` block does not. */
function sourceText({ source, chosenBy }: CheckRow): string {
  if (source === undefined) return '-';
  return chosenBy === 'update' ? source : `${source} (by ${chosenBy === 'address' ? 'its address' : 'annotation'})`;
}
