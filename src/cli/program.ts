import { Command, CommanderError } from 'commander';
import { RegrowError } from '../errors.ts';
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
import { createOutput, type ExitCode, type Output, type OutputOptions, printError } from './output.ts';
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
  const json = asksForJson(args);
  const program = new Command('regrow')
    .description('Keeps a Wolfi-style Linux distribution fresh, and says why each package is where it is.')
    .version(options.version)
    .option('--config <file>', 'configuration file; default: REGROW_CONFIG, else regrow.yaml, else the defaults')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.write(text),
      // The help of a command that needs another one behind it.
      writeErr: (text) => (json ? undefined : output.note(text.trimEnd())),
      // Printed below, as every error is.
      outputError: () => undefined,
    });
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
    adopt(command, program, standalone.has(command.name()));
    program.addCommand(command);
  }
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode !== 0) printUsageError(output, thrown, json);
  }
  return output.exitCode;
}

/** Commands and theirs: settings are inherited only where they are copied. `--config` may also stand behind any of them. */
function adopt(command: Command, parent: Command, isStandalone: boolean): void {
  command.copyInheritedSettings(parent);
  if (!isStandalone) command.option('--config <file>', 'configuration file');
  for (const child of command.commands) adopt(child, command, isStandalone);
}

/** Whether an answer to a program is due, also where the command line cannot be read. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}

/** A command line that cannot be read: request.invalid, as of a daemon. */
function printUsageError(output: Output, { code, message }: CommanderError, json: boolean): void {
  if (code === 'commander.help' && !json) {
    output.exit(2);
    return;
  }
  const text = code === 'commander.help' ? 'a command is due' : message.replace(/^error: /, '');
  const remedy = '`regrow --help` lists the commands, `regrow COMMAND --help` says what each takes';
  printError(output, new RegrowError('request.invalid', text, { remedy }), json);
}
