import { Command, Option } from 'commander';
import { loadConfig, secretValues } from '../config/load.ts';
import { createLogger } from '../log.ts';
import { type RoleName, roleNames, startDaemon } from '../roles/daemon.ts';
import { missingRepository } from './check-recipes.ts';
import type { CliContext } from './context.ts';
import { runCommand } from './output.ts';
import { interrupted } from './signals.ts';

interface RunFlags {
  readonly config?: string;
  readonly role?: readonly RoleName[];
  readonly json?: boolean;
}

/** `regrow run`: the daemon, all of its roles or some. */
export function runCommandOf({ output }: Pick<CliContext, 'output'>): Command {
  return new Command('run')
    .description('the daemon: all roles in one process, or some of them')
    .addOption(new Option('--role <role...>', 'only these roles').choices(roleNames))
    .option('--json', 'print where it runs as one line of JSON; errors too')
    .addHelpText('after', '\nExamples:\n  regrow run --config /etc/regrow/config.yaml\n  regrow run --role builder')
    .action(async (_flags: RunFlags, command: Command) => {
      const { config: file, role, json = false } = command.optsWithGlobals<RunFlags>();
      await runCommand(output, json, async () => {
        const loaded = loadConfig({ file, roles: role });
        const missing = role === undefined || role.includes('conductor') ? missingRepository(loaded.config) : undefined;
        // It may come while the daemon runs.
        if (missing !== undefined) output.note(`warning: ${missing.message}: \`regrow init\` makes one`);
        const log = createLogger({ level: loaded.config.logLevel, secrets: secretValues(loaded.secrets) });
        const { signal, end } = interrupted();
        try {
          const daemon = await startDaemon({ ...loaded, log, ...(role === undefined ? {} : { roles: role }) });
          if (json) output.json({ running: true, url: daemon.url ?? null, roles: role ?? roleNames });
          else if (daemon.url !== undefined) output.note(`regrow runs at ${daemon.url}`);
          await new Promise<void>((stop) => {
            if (signal.aborted) stop();
            else signal.addEventListener('abort', () => stop(), { once: true });
          });
          output.note('stopping; a second signal ends at once');
          await daemon.stop(loaded.config.shutdown.grace * 1000);
        } finally {
          end();
        }
      });
    });
}
