import type { Command } from 'commander';
import type { Collection } from '../model/collection.ts';
import { collectionText } from '../report/collection.ts';
import { type CliContext, type ReaderOptions, readerCommand, withReader } from './context.ts';
import type { Reader } from './reader.ts';

interface GcOptions extends ReaderOptions {
  readonly dryRun?: boolean;
}

/** Milliseconds between two looks, and looks before the command leaves it to the daemon: a publication may come first. */
const pause = 500;
const mostLooks = 1200;

/** `regrow gc`: removes from the object store what nothing uses. Exit code 1 where it could not, or found the store damaged. */
export function gcCommand(context: CliContext): Command {
  return readerCommand('gc', 'remove what nothing uses from the object store: packages, images, what builds left')
    .option('--dry-run', 'say what would go, and what keeps the rest; change nothing')
    .addHelpText(
      'after',
      '\nWhat is unused for the first time is noted, and goes once it has been so for the days of publish.collect. The daemon does it by itself, too.',
    )
    .action((options: GcOptions) =>
      withReader(context, options, async (reader) => {
        const { output } = context;
        const outcome = await collect(reader, options.dryRun === true, context.pause);
        if (typeof outcome === 'string') {
          if (options.json === true) output.json({ failure: outcome });
          else output.note(outcome);
          output.exit(1);
          return;
        }
        if (options.json === true) output.json(outcome);
        else output.write(collectionText(outcome, output.style));
        if (outcome.missing.length > 0) output.exit(1);
      }),
    );
}

/** What came of a collection, or, in a sentence, why nothing did. */
async function collect(reader: Reader, dry: boolean, wait: CliContext['pause']): Promise<Collection | string> {
  const newest = async () => {
    const { last, looked } = await reader.collections();
    return dry ? looked : last;
  };
  const failures = async () =>
    (await reader.events({ limit: 20 })).filter(({ id }) => id.startsWith('problem/collect-'));
  const known = new Set((await failures()).map(({ id }) => id));
  const at = await reader.collect(dry);
  for (let looks = 0; looks < mostLooks; looks += 1) {
    const collection = await newest();
    if (collection !== undefined && collection.asked >= at) return collection;
    const failure = (await failures()).find(({ id }) => !known.has(id));
    if (failure !== undefined) return failure.text;
    await wait(pause);
  }
  return 'the publisher has not come to it yet; it does it when it does, and `regrow status` says so';
}
