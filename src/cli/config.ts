import { Command } from 'commander';
import { stringify } from 'yaml';
import { configOptions, configSchemaText } from '../config/describe.ts';
import { loadConfig } from '../config/load.ts';
import { secretVariables } from '../config/secrets.ts';
import { renderTable } from '../report/table.ts';
import { checkRecipes } from './config-recipes.ts';
import type { CliContext } from './context.ts';
import { checkTargets } from './machine-checks.ts';
import { runCommand } from './output.ts';

interface FileOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly recipes?: string;
}

/** `--config` may stand before the command, where the program takes it for all commands. */
function fileOf(command: Command): FileOptions {
  return command.optsWithGlobals<FileOptions>();
}

function checkCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('check')
    .description('whether the configuration can be used, or a folder of recipes, and if not, what is wrong with it')
    .option('--recipes <folder>', 'look at the recipes of this folder instead')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit code 1 where a recipe has an error; 0 where there are only warnings.')
    .action(async (_options: FileOptions, command: Command) => {
      const { config, recipes, json = false } = fileOf(command);
      await runCommand(output, json, async () => {
        if (recipes !== undefined) return checkRecipes(recipes, json, output);
        const { file, config: read } = loadConfig({ file: config });
        const warnings = checkTargets(read).map(({ text, remedy }) => ({ message: text, remedy }));
        if (json) output.json({ valid: true, ...(file === undefined ? {} : { file }), warnings });
        else output.write(`${file ?? 'the defaults'}: valid\n`);
        if (!json) for (const { message, remedy } of warnings) output.note(`warning: ${message}; ${remedy}`);
      });
    });
}

function showCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('show')
    .description('every option with the value that it has; of secrets, only whether there is one')
    .option('--json', 'print JSON')
    .action(async (_options: FileOptions, command: Command) => {
      const { config: given, json = false } = fileOf(command);
      await runCommand(output, json, async () => {
        const { config, secrets, file } = loadConfig({ file: given });
        const known = new Set(Object.keys(secrets));
        if (json) output.json({ ...(file === undefined ? {} : { file }), config, secrets: [...known] });
        else
          output.write(
            `# ${file ?? 'the defaults'}\n${stringify(config)}# secrets: ${[...known].join(', ') || 'none'}\n`,
          );
      });
    });
}

function optionsCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('options')
    .description('every option that there is')
    .option('--json', 'print JSON')
    .action(async (options: FileOptions) => {
      await runCommand(output, options.json === true, async () => {
        const all = configOptions();
        if (options.json === true) {
          output.json({ options: all, environment: secretVariables.map(([name, option]) => ({ name, option })) });
          return;
        }
        const rows = all.map((one) => [{ text: one.key }, { text: one.default ?? '-' }, { text: one.description }]);
        output.write(renderTable(['OPTION', 'DEFAULT', 'WHAT'], rows, output.style));
      });
    });
}

function schemaCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('schema')
    .description('the JSON schema of the configuration file, for editors')
    .action(() => runCommand(output, false, async () => output.write(configSchemaText())));
}

/** `regrow config check | show | options | schema`. */
export function configCommand(context: Pick<CliContext, 'output'>): Command {
  return new Command('config')
    .description('the configuration: whether it is right, what it says, what it could say')
    .addCommand(checkCommand(context))
    .addCommand(showCommand(context))
    .addCommand(optionsCommand(context))
    .addCommand(schemaCommand(context));
}
