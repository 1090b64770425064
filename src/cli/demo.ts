import { Command, InvalidArgumentError } from 'commander';
import { runDemo } from '../demo/run.ts';
import type { CliContext } from './context.ts';
import { runCommand } from './output.ts';
import { interrupted } from './signals.ts';

interface DemoFlags {
  readonly once?: boolean;
  readonly json?: boolean;
  readonly port: number;
  readonly directory: string;
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError('a port from 0 to 65535 is due; 0 takes any that is free');
}

/** `regrow demo`: a distribution in a box on this machine, and what happens to it. */
export function demoCommand({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('demo')
    .description('a distribution in a box on this machine: releases, a broken one, a soname change, an advisory')
    .option('--once', 'end when the story is told')
    .option('--json', 'print the summary as one last line of JSON')
    .option('--port <port>', 'where the page is; another one where it is taken', parsePort, 7420)
    .option('--directory <folder>', 'where everything is; emptied at the start', '.regrow-demo')
    .addHelpText('after', '\nExample: regrow demo --once --json')
    .action(async (flags: DemoFlags) => {
      await runCommand(output, flags.json === true, async () => {
        const { signal, end } = interrupted();
        signal.addEventListener('abort', () => output.note('stopping; a second signal ends at once'), { once: true });
        try {
          const summary = await runDemo({
            directory: flags.directory,
            once: flags.once === true,
            port: flags.port,
            say: (line) => output.note(line),
            signal,
          });
          if (flags.json === true) output.json(summary);
        } finally {
          end();
        }
      });
    });
}
