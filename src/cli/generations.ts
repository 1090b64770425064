import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { RegrowError } from '../errors.ts';
import { generationsText } from '../report/generations.ts';
import { type CliContext, type ReaderOptions, readerCommand, withReader } from './context.ts';
import { parseLimit } from './queue.ts';

interface GenerationsOptions extends ReaderOptions {
  readonly limit: number;
}

/** `regrow generations`: what was published when, newest first. */
export function generationsCommand(context: CliContext): Command {
  return readerCommand('generations', 'the generations of the repository: when, how many packages, what came and went')
    .option('--limit <number>', 'most generations to list', parseLimit, 20)
    .action((options: GenerationsOptions) =>
      withReader(context, options, async (reader) => {
        // One more: what the last one is for is seen by the one before it.
        const found = await reader.generations(Math.min(options.limit + 1, 1000));
        const generations = found.slice(0, options.limit);
        if (options.json === true) context.output.json({ generations });
        else context.output.write(generationsText(generations, context.output.style, found[options.limit]));
      }),
    );
}

interface WithdrawOptions extends ReaderOptions {
  readonly reason: string;
  readonly force?: boolean;
}

/** `regrow withdraw NAME-VER-rN`: out of the repository, for good. */
export function withdrawCommand(context: CliContext): Command {
  return readerCommand(
    'withdraw',
    'take a version out of the repository, for good: all packages of its recipe, on all targets',
  )
    .argument('<package>', 'NAME-VERSION-rN of a recipe or one of its packages')
    .requiredOption('--reason <text>', 'why; whoever asks for the package reads it')
    .option('--force', 'also when something published would no longer find what it depends on')
    .addHelpText('after', '\nExample: regrow withdraw xz-5.6.1-r0 --reason "the release has a back door"')
    .action((text: string, options: WithdrawOptions) =>
      withReader(context, options, async (reader) => {
        const [, name, version] = /^(.+)-([^-]+-r\d+)$/.exec(text) ?? [];
        if (name === undefined || version === undefined) {
          throw new RegrowError('request.invalid', `${text} is not a name with a full version`, {
            remedy: 'write NAME-VERSION-rN, as the package file is called',
          });
        }
        const { reason, force = false } = options;
        const asked = await reader.withdraw({ name, version, reason, force });
        if (options.json === true) context.output.json({ asked });
        else context.output.write(`asked for: ${asked.join(', ')}\n`);
      }),
    );
}

interface RollbackOptions extends ReaderOptions {
  readonly undo?: boolean;
}

function parseGeneration(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('the number of a generation is due');
}

/** `regrow rollback [GENERATION]`: the repository as it was. */
export function rollbackCommand(context: CliContext): Command {
  return readerCommand(
    'rollback',
    'publish an older generation again, on all targets; what is newer is held back until --undo',
  )
    .argument('[generation]', 'its number; default: the one before', parseGeneration)
    .option('--undo', 'let what is held back be published again')
    .action((to: number | undefined, options: RollbackOptions) =>
      withReader(context, options, async (reader) => {
        const { undo = false } = options;
        if (undo && to !== undefined)
          throw new RegrowError('request.invalid', '--undo takes no generation', {
            field: 'generation',
            remedy: 'leave the number out: all that a rollback holds back is freed',
          });
        const asked = await reader.rollBack({ undo, ...(to === undefined ? {} : { to }) });
        if (options.json === true) context.output.json({ asked });
        else context.output.write(`asked for: ${asked.join(', ')}\n`);
      }),
    );
}
