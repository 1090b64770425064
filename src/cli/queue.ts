import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { queueText } from '../report/text.ts';
import { type CliContext, type ReaderOptions, readerCommand, withReader } from './context.ts';

interface QueueOptions extends ReaderOptions {
  readonly limit: number;
}

/** A whole number from 1 to 1000, as the api takes it. */
export function parseLimit(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 1000) {
    throw new InvalidArgumentError('a whole number from 1 to 1000 is due');
  }
  return number;
}

/** `regrow queue`: what runs and what waits, in the order in which it will be taken. */
export function queueCommand(context: CliContext): Command {
  return readerCommand('queue', 'what runs and what waits, in its order')
    .option('--limit <number>', 'most jobs to list', parseLimit, 50)
    .action((options: QueueOptions) =>
      withReader(context, options, async (reader) => {
        const { queues, jobs } = await reader.queue(options.limit);
        if (options.json === true) context.output.json({ queues, jobs });
        else context.output.write(queueText(queues, jobs, new Date().toISOString(), context.output.style));
      }),
    );
}
