import { type Command, Option } from 'commander';
import { type PackageState, packageStateSchema } from '../model/explanation.ts';
import { packagesText, proposalsText, statusText } from '../report/text.ts';
import { type CliContext, type ReaderOptions, readerCommand, withReader } from './context.ts';

interface StatusOptions extends ReaderOptions {
  readonly packages?: boolean;
  readonly state?: PackageState;
  readonly proposals?: boolean;
}

/** `regrow status`: the state of everything. Exit code 1 where a package or image is failing or the daemon is silent for too long. */
export function statusCommand(context: CliContext): Command {
  return readerCommand('status', 'what is published, on its way, held, failing')
    .option('--packages', 'list every package')
    .addOption(new Option('--state <state>', 'list the packages of one state').choices(packageStateSchema.options))
    .option('--proposals', 'list the open pull requests')
    .addHelpText(
      'after',
      '\nExit code 1 where a package or an image is failing, or the daemon was silent for too long; the lists always end with 0.',
    )
    .action((options: StatusOptions) =>
      withReader(context, options, async (reader) => {
        const { output } = context;
        if (options.proposals === true) {
          const proposals = await reader.proposals('open');
          if (options.json === true) output.json({ proposals });
          else output.write(proposalsText(proposals, new Date().toISOString(), output.style));
          return;
        }
        if (options.packages === true || options.state !== undefined) {
          const rows = await reader.packages();
          const packages = rows.filter((row) => options.state === undefined || row.state === options.state);
          if (options.json === true) output.json({ packages });
          else output.write(packagesText(packages, output.style));
          return;
        }
        const status = await reader.status();
        if (options.json === true) output.json(status);
        else output.write(statusText(status, output.style));
        const isFailing = status.packages.states.failing > 0 || status.images.some(({ state }) => state === 'failing');
        if (isFailing || status.quiet.alarm) output.exit(1);
      }),
    );
}
