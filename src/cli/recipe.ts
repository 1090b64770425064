import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { readPipelineDirectory } from '../adapters/pipeline-directory.ts';
import { type RecipeDirectory, type RecipeText, readRecipeDirectory } from '../adapters/recipe-directory.ts';
import { RegrowError } from '../errors.ts';
import { createPipelineLibrary } from '../model/recipe/pipeline.ts';
import { type ParsedRecipe, parseRecipe } from '../model/recipe/recipe.ts';
import { resolveRecipe } from '../model/recipe/resolve.ts';
import { type Arch, arches, type Libc, libcs } from '../model/target.ts';
import type { CliContext } from './context.ts';
import { runCommand } from './output.ts';

interface ShowOptions {
  readonly recipes: string;
  readonly arch: Arch;
  readonly libc: Libc;
  readonly resolved?: boolean;
  readonly json?: boolean;
}

function showCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('show')
    .description('one recipe as it is read, or as it is built: variables, conditions, ranges and pipelines put in')
    .argument('<name>', 'name of the recipe')
    .option('--recipes <folder>', 'folder of NAME.yaml files, with pipelines/ beside them', '.')
    .addOption(new Option('--arch <arch>', 'architecture, with --resolved').choices(arches).default('x86_64'))
    .addOption(new Option('--libc <libc>', 'C library, with --resolved').choices(libcs).default('gnu'))
    .option('--resolved', 'put everything in that is known before a build')
    .option('--json', 'print one line of JSON instead of YAML')
    .addHelpText('after', '\nExample: regrow recipe show jq --recipes ../os --arch aarch64 --resolved')
    .action((name: string, options: ShowOptions) =>
      runCommand(output, options.json === true, async () => {
        const directory = readRecipeDirectory(options.recipes);
        const { path, recipe, problems } = findRecipe(name, directory, options.recipes);
        for (const { message } of problems) output.note(`warning: ${message}`);
        const shown =
          options.resolved === true
            ? resolveRecipe(recipe, {
                target: { arch: options.arch, libc: options.libc },
                pipelines: createPipelineLibrary(new Map([...(await readPipelineDirectory()), ...directory.pipelines])),
                file: path,
              })
            : recipe;
        if (options.json === true) output.json(shown);
        else output.write(stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false }));
      }),
    );
}

/** By its file's name, which needs no other to be read, else by the names of packages. */
function findRecipe(name: string, directory: RecipeDirectory, folder: string): ParsedRecipe {
  const file = directory.recipes.find(({ path }) => path.replace(/\.ya?ml$/, '') === name);
  if (file !== undefined) return parseRecipe(file.path, file.text);
  for (const one of directory.recipes) {
    const parsed = readable(one);
    if (parsed?.recipe.package.name === name) return parsed;
  }
  throw new RegrowError('request.not-found', `there is no recipe ${name} in ${folder}`, {
    package: name,
    remedy: 'name it as its file is called, without .yaml, and its folder with --recipes',
  });
}

function readable({ path, text }: RecipeText): ParsedRecipe | undefined {
  try {
    return parseRecipe(path, text);
  } catch (thrown) {
    if (thrown instanceof RegrowError) return undefined;
    throw thrown;
  }
}

/** `regrow recipe show NAME`. */
export function recipeCommand(context: Pick<CliContext, 'output'>): Command {
  return new Command('recipe').description('what a recipe says, and what it comes to').addCommand(showCommand(context));
}
