import { Command, CommanderError } from 'commander';
import { backtestCommand } from './backtest.ts';
import { checkCommand } from './check.ts';
import { configCommand } from './config.ts';
import type { CliContext } from './context.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { eventsCommand, pokeCommand, releaseCommand } from './events.ts';
import { explainCommand } from './explain.ts';
import { gcCommand } from './gc.ts';
import { generationsCommand, rollbackCommand, withdrawCommand } from './generations.ts';
import { graphCommand } from './graph.ts';
import { initCommand } from './init.ts';
import { keysCommand } from './keys.ts';
import { logsCommand } from './logs.ts';
import { createOpenReader } from './open-reader.ts';
import { createOutput, type ExitCode, type OutputOptions } from './output.ts';
import { queueCommand } from './queue.ts';
import { recipeCommand } from './recipe.ts';
import { runCommandOf } from './run.ts';
import { statusCommand } from './status.ts';
import { verifyCommand } from './verify.ts';

/** Commands that read no configuration. */
const standalone: ReadonlySet<string> = new Set(['demo', 'init', 'graph', 'recipe']);

export interface ProgramOptions extends OutputOptions {
  readonly version: string;
}

/** Runs one command line, without the program's name. Gives the exit code: 0 done, 1 no, 2 used wrongly, 3 environment. */
export async function runProgram(args: readonly string[], options: ProgramOptions): Promise<ExitCode> {
  const output = createOutput(options);
  const program = new Command('regrow')
    .description('Keeps a Wolfi-style Linux distribution fresh, and says why each package is where it is.')
    .version(options.version)
    .option('--config <file>', 'configuration file; default: REGROW_CONFIG, else regrow.yaml, else the defaults')
    .showHelpAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.write(text), writeErr: (text) => output.note(text.trimEnd()) });
  const context: CliContext = {
    output,
    openReader: (server) => createOpenReader(output, program.opts<{ config?: string }>().config)(server),
    pause: (milliseconds) => new Promise((go) => setTimeout(go, milliseconds)),
  };
  const commands = [
    demoCommand(context),
    initCommand(context),
    doctorCommand(context),
    runCommandOf(context),
    statusCommand(context),
    explainCommand(context),
    queueCommand(context),
    logsCommand(context),
    eventsCommand(context),
    pokeCommand(context),
    releaseCommand(context),
    generationsCommand(context),
    withdrawCommand(context),
    rollbackCommand(context),
    gcCommand(context),
    verifyCommand(context),
    checkCommand(context),
    graphCommand(context),
    recipeCommand(context),
    backtestCommand(context),
    configCommand(context),
    keysCommand(context),
  ];
  for (const command of commands) {
    // `--config` may also stand behind the command.
    if (!standalone.has(command.name())) {
      command.option('--config <file>', 'configuration file');
    }
    program.addCommand(command.copyInheritedSettings(program));
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    output.exit(thrown.exitCode === 0 ? 0 : 2);
  }
  return output.exitCode;
}
