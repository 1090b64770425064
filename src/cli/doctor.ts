import { Command } from 'commander';
import { systemClock } from '../adapters/clock.ts';
import { createExec } from '../adapters/exec.ts';
import { findFaketime } from '../adapters/faketime.ts';
import { type LoadedConfig, loadConfig, secretValues } from '../config/load.ts';
import { RegrowError, reportError } from '../errors.ts';
import { createLogger } from '../log.ts';
import { type Mood, paint, printable, type Style } from '../report/table.ts';
import type { CliContext } from './context.ts';
import { type Check, fail, ok } from './doctor-check.ts';
import { checkEngines } from './engine-checks.ts';
import { checkIdentity } from './identity-check.ts';
import { checkKeys } from './key-check.ts';
import { checkMachine, checkSecondBuilds, checkState, checkTargets, programPath } from './machine-checks.ts';
import { runCommand } from './output.ts';
import { checkServices } from './service-checks.ts';

interface DoctorFlags {
  readonly config?: string;
  readonly json?: boolean;
}

/** `regrow doctor`: whether everything is there that the daemon stands on. Exit code 3 where something needed is missing. */
export function doctorCommand(
  { output }: Pick<CliContext, 'output'>,
  { path = programPath }: { readonly path?: string } = {},
): Command {
  return new Command('doctor')
    .description('whether this machine and the configuration can do the work, and if not, what to do')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nNothing is changed: everything is only looked at.')
    .action(async (_flags: DoctorFlags, command: Command) => {
      const { config: file, json = false } = command.optsWithGlobals<DoctorFlags>();
      await runCommand(output, json, async () => {
        const checks = await examine(file, path);
        const isHealthy = checks.every(({ state }) => state !== 'fail');
        if (json) output.json({ ok: isHealthy, checks });
        else output.write(checks.map((check) => lineOf(check, output.style)).join(''));
        if (!isHealthy) output.exit(3);
      });
    });
}

/** Without a configuration that can be read, the machine is still looked at. */
async function examine(file: string | undefined, path: string): Promise<readonly Check[]> {
  const exec = createExec();
  const read = readConfig(file);
  if ('state' in read) return [read, ...(await checkMachine({ exec, path, musl: false }))];
  const { config, secrets } = read;
  const log = createLogger({ level: 'silent', secrets: secretValues(secrets) });
  const identity = await checkIdentity(config, secrets, systemClock);
  return [
    ok('configuration', read.file ?? 'the defaults'),
    ...(await checkMachine({ exec, path, musl: config.targets.some((target) => target.endsWith('-musl')) })),
    ...checkTargets(config),
    ...checkSecondBuilds(config, findFaketime()),
    ...(await checkEngines({ config, exec })),
    ...(await checkState(config.stateDirectory)),
    await checkKeys(config, secrets),
    ...(identity === undefined ? [] : [identity]),
    ...(await checkServices({ config, secrets, exec, log, path })),
  ];
}

function readConfig(file: string | undefined): LoadedConfig | Check {
  try {
    return loadConfig({ file });
  } catch (thrown) {
    if (!(thrown instanceof RegrowError)) throw thrown;
    const { message, remedy } = reportError(thrown);
    return fail('configuration', message, remedy);
  }
}

const moods: Readonly<Record<Check['state'], Mood>> = { ok: 'good', warn: 'hold', fail: 'bad' };

function lineOf({ name, state, text, remedy }: Check, style: Style): string {
  const line = `${paint(state.padEnd(4), moods[state], style)}  ${name.padEnd(15)}  ${printable(text)}\n`;
  return remedy === undefined ? line : `${line}${' '.repeat(23)}${printable(remedy)}\n`;
}
