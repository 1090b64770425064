import type { Command } from 'commander';
import { eventsText } from '../report/text.ts';
import { type CliContext, type ReaderOptions, readerCommand, withReader } from './context.ts';
import { parseLimit } from './queue.ts';

interface EventsOptions extends ReaderOptions {
  readonly package?: string;
  readonly limit: number;
}

/** `regrow events`: what happened, newest first. */
export function eventsCommand(context: CliContext): Command {
  return readerCommand('events', 'what happened, newest first')
    .option('--package <name>', 'to one package')
    .option('--limit <number>', 'most events to list', parseLimit, 50)
    .action((options: EventsOptions) =>
      withReader(context, options, async (reader) => {
        const about = options.package === undefined ? {} : { package: options.package };
        const events = await reader.events({ ...about, limit: options.limit });
        if (options.json === true) context.output.json({ events });
        else if (events.length === 0 && options.package !== undefined) {
          const known = '`regrow status --packages` lists the packages that are known';
          context.output.write(`nothing has happened to ${options.package}; ${known}\n`);
        } else context.output.write(eventsText(events, context.output.style));
      }),
    );
}

/** `regrow poke [PACKAGE…]`: look now, not at the next round. */
export function pokeCommand(context: CliContext): Command {
  return readerCommand(
    'poke',
    'look now: at the sources of packages; without any, at git, the forge and the repository',
  )
    .argument('[packages...]', 'names of recipes')
    .action((names: readonly string[], options: ReaderOptions) =>
      withReader(context, options, async (reader) => {
        const all: string[] = [];
        for (const name of names.length === 0 ? [undefined] : names) all.push(...(await reader.poke(name)));
        // Each asks for a round as well; one, at the end, is enough to say.
        const asked = [...new Set(all.toReversed())].toReversed();
        if (options.json === true) context.output.json({ asked });
        else context.output.write(`asked for: ${asked.join(', ')}\n`);
      }),
    );
}

/** `regrow release PACKAGE`: go on with a version that was stopped. */
export function releaseCommand(context: CliContext): Command {
  return readerCommand(
    'release',
    'propose a version once more that is stopped: made before, closed, pinning nothing new, or with a source that moved',
  )
    .argument('<package>', 'name of a recipe')
    .action((name: string, options: ReaderOptions) =>
      withReader(context, options, async (reader) => {
        const asked = await reader.release(name);
        if (options.json === true) context.output.json({ asked });
        else context.output.write(`asked for: ${asked.join(', ')}\n`);
      }),
    );
}
