import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { createBareRepository, type NewFile } from '../adapters/bare-repository.ts';
import { systemClock } from '../adapters/clock.ts';
import { createExec } from '../adapters/exec.ts';
import { readFolderFiles } from '../adapters/folder-files.ts';
import { starterConfig } from '../config/starter.ts';
import { RegrowError, reportError } from '../errors.ts';
import { parseRecipe } from '../model/recipe/recipe.ts';
import { type TargetName, targetNameSchema } from '../model/target.ts';
import { hostArch } from '../roles/host-engine.ts';
import type { CliContext } from './context.ts';
import { type Output, runCommand } from './output.ts';

interface InitFlags {
  readonly recipes?: string;
  readonly hostLibc?: boolean;
  readonly bootstrap?: boolean;
  readonly github?: string;
  readonly target?: readonly string[];
  readonly json?: boolean;
}

/** What `regrow init` made, for `--json`. */
interface Made {
  readonly config: string;
  readonly stateDirectory: string;
  readonly forge: 'git' | 'github';
  readonly repository: string;
  /** Of the first commit, where one was made. */
  readonly commit?: string;
  readonly recipes?: number;
  /** What to do next, in order. */
  readonly next: readonly string[];
}

const branch = 'main';
/** `config/` of this package; `src/cli` and `dist/cli` both lie two folders below its root. */
const configFolder = fileURLToPath(new URL('../../config/', import.meta.url));

/** `regrow init [FOLDER]`: a configuration and, without GitHub, a repository of recipes. Never overwrites anything. */
export function initCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('init')
    .description('a working start: a configuration, and a repository of recipes')
    .argument('[folder]', 'where regrow.yaml and the state directory go; made when absent', '.')
    .addOption(
      new Option('--recipes <folder>', 'recipes to begin with, with pipelines/ and images/; without: one example'),
    )
    .addOption(
      new Option('--host-libc', `add a recipe of this machine's C library, which what is linked dynamically needs`),
    )
    .addOption(
      new Option(
        '--bootstrap',
        "add recipes of this machine's shell, commands, C library and compiler, for melange to build with",
      ).conflicts('hostLibc'),
    )
    .addOption(
      new Option('--github <owner/repo>', 'the recipes are on GitHub').conflicts(['recipes', 'hostLibc', 'bootstrap']),
    )
    .option('--target <target...>', 'what is built for; default: this machine, glibc')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  regrow init my-distribution\n  regrow init my-distribution --recipes ../recipes --host-libc --target x86_64-gnu x86_64-musl\n  regrow init my-distribution --bootstrap\n  regrow init my-distribution --github OWNER/REPO',
    )
    .action((folder: string, flags: InitFlags) =>
      runCommand(output, flags.json === true, async () => {
        const made = await init(folder, flags, output);
        if (flags.json === true) output.json(made);
        else output.write(textOf(made));
      }),
    );
}

async function init(given: string, flags: InitFlags, output: Output): Promise<Made> {
  const folder = resolve(given);
  const config = join(folder, 'regrow.yaml');
  if (existsSync(config)) throw taken(config);
  const stateDirectory = join(folder, '.regrow');
  const targets = targetsOf(flags.target);
  const defaults = await readFile(join(configFolder, 'default.yaml'), 'utf8');
  const { github, bootstrap = false } = flags;
  const foreign = bootstrap ? targets.find((target) => target !== `${hostArch()}-gnu`) : undefined;
  if (foreign !== undefined) {
    const remedy = `leave --target out, or write ${hostArch()}-gnu`;
    throw invalid('--bootstrap', `this machine has no shell and commands for ${foreign}`, remedy);
  }
  if (github !== undefined) {
    if (!/^[\w.-]+\/[\w.-]+$/.test(github)) throw invalid('--github', `${github} is not OWNER/REPO`, 'write octo/os');
    await writeConfig(config, starterConfig(defaults, { stateDirectory, targets, github }));
    return { config, stateDirectory, forge: 'github', repository: github, next: gitHubSteps(github, folder) };
  }
  const source = flags.recipes === undefined ? join(configFolder, 'starter') : resolve(flags.recipes);
  const own = readFolderFiles(source, new Set([stateDirectory, config]));
  const files = withShipped(own, [
    ...(flags.hostLibc === true ? ['recipes'] : []),
    ...(bootstrap ? ['bootstrap'] : []),
  ]);
  const recipes = countRecipes(source, files, output);
  const repository = join(stateDirectory, 'recipes.git');
  const message = flags.recipes === undefined ? 'An example recipe and an image of it' : 'The recipes to begin with';
  const commit = await createBareRepository({
    exec: createExec(),
    directory: repository,
    branch,
    files,
    message,
    at: systemClock.now(),
  });
  await writeConfig(config, starterConfig(defaults, { stateDirectory, targets, bootstrap }));
  return {
    config,
    stateDirectory,
    forge: 'git',
    repository,
    commit,
    recipes,
    next: [...libcSteps(flags), ...bootstrapSteps(flags), ...bareSteps(repository, folder)],
  };
}

/** The recipes, and those of folders that regrow ships, unless they have one of that name. */
function withShipped(files: readonly NewFile[], folders: readonly string[]): readonly NewFile[] {
  const paths = new Set(files.map(({ path }) => path));
  const shipped = folders.flatMap((folder) => readFolderFiles(join(configFolder, folder)));
  return [...files, ...shipped.filter(({ path }) => !paths.has(path))];
}

function targetsOf(given: readonly string[] | undefined): TargetName[] {
  if (given === undefined) return [`${hostArch()}-gnu`];
  return given.map((name) => {
    const target = targetNameSchema.safeParse(name);
    if (target.success) return target.data;
    throw invalid(
      '--target',
      `${name} is no target`,
      'write an architecture and a C library, as x86_64-gnu or aarch64-musl',
    );
  });
}

/** Counts what can be read; what cannot is said, and is a problem of that recipe alone once the daemon runs. */
function countRecipes(source: string, files: readonly NewFile[], output: Output): number {
  const found = files.filter(({ path }) => /^[^./][^/]*\.ya?ml$/.test(path));
  let count = 0;
  for (const { path, bytes } of found) {
    try {
      parseRecipe(path, new TextDecoder().decode(bytes));
      count += 1;
    } catch (thrown) {
      const { code, message } = reportError(thrown);
      output.note(`${code}: ${message}`);
    }
  }
  if (count > 0) return count;
  throw new RegrowError('config.invalid', `${source} holds no recipe that can be read`, {
    file: source,
    field: '--recipes',
    remedy: 'name the folder that holds NAME.yaml for each package',
  });
}

async function writeConfig(file: string, text: string): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true });
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (cause) {
    if (existsSync(file)) throw taken(file);
    throw new RegrowError('storage.failed', `${file} cannot be written`, { file, cause });
  }
}

function taken(file: string): RegrowError {
  return new RegrowError('config.invalid', `${file} is there already`, {
    file,
    remedy: 'nothing was changed: edit it, or name another folder',
  });
}

function invalid(field: string, message: string, remedy: string): RegrowError {
  return new RegrowError('request.invalid', message, { field, remedy });
}

function bareSteps(repository: string, folder: string): string[] {
  return [
    `regrow doctor --config ${join(folder, 'regrow.yaml')}`,
    `regrow run --config ${join(folder, 'regrow.yaml')}, and look at http://127.0.0.1:7420`,
    `git clone ${repository}, change a recipe, commit and push: it is built, verified and published within minutes; at once with \`regrow poke\``,
  ];
}

function libcSteps({ hostLibc }: InitFlags): string[] {
  if (hostLibc !== true) return [];
  return ['name host-libc under environment.contents.packages of every recipe that links dynamically'];
}

function bootstrapSteps({ bootstrap }: InitFlags): string[] {
  if (bootstrap !== true) return [];
  return [
    'have melange, busybox-static and pkgconf on this machine: docs/melange-engine.md says where melange is looked for',
  ];
}

function gitHubSteps(repository: string, folder: string): string[] {
  return [
    `make a token for ${repository} that may read and write contents, pull requests, commit statuses and issues, and put ` +
      'it into REGROW_FORGE_TOKEN (or a file, forge.tokenFile)',
    'put a second token that may only read into REGROW_WATCH_TOKEN: without it GitHub answers 60 questions an hour',
    `regrow doctor --config ${join(folder, 'regrow.yaml')} says whether both work`,
    `regrow run --config ${join(folder, 'regrow.yaml')}, and look at http://127.0.0.1:7420`,
  ];
}

function textOf({ config, forge, repository, recipes, next }: Made): string {
  const made = [`${config}: the configuration`];
  if (forge === 'git')
    made.push(`${repository}: ${recipes === 1 ? 'one recipe' : `${recipes} recipes`}, branch ${branch}`);
  return `${[...made, '', 'Next:', ...next.map((step, at) => `  ${at + 1}. ${step}`)].join('\n')}\n`;
}
