import type { Command } from 'commander';
import { eventsText, explanationText } from '../report/text.ts';
import { type CliContext, type ReaderOptions, readerCommand, withReader } from './context.ts';
import { parseLimit } from './queue.ts';

interface ExplainOptions extends ReaderOptions {
  readonly history?: boolean;
  readonly limit: number;
}

/** `regrow explain PACKAGE`: why it is where it is. Exit code 1 where it is failing. */
export function explainCommand(context: CliContext): Command {
  return readerCommand('explain', 'why a package or an image is where it is')
    .argument('<package>', 'name of a recipe, of one of its packages, or NAME:TAG of an image')
    .addHelpText('after', '\nExample: regrow explain jq --history')
    .option('--history', 'what happened to it, newest first')
    .option('--limit <number>', 'most events of its history', parseLimit, 50)
    .action((name: string, options: ExplainOptions) =>
      withReader(context, options, async (reader) => {
        const { output } = context;
        const explanation = await reader.explain(name);
        const events = options.history === true ? await reader.events({ package: name, limit: options.limit }) : [];
        if (options.json === true) {
          output.json(options.history === true ? { ...explanation, events } : explanation);
        } else {
          output.write(explanationText(explanation, output.style));
          if (options.history === true) output.write(`\n${eventsText(events, output.style)}`);
        }
        if (explanation.state === 'failing') output.exit(1);
      }),
    );
}
