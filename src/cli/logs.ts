import type { Command } from 'commander';
import { RegrowError } from '../errors.ts';
import { printable } from '../report/table.ts';
import { type CliContext, type ReaderOptions, readerCommand, withReader } from './context.ts';
import type { Reader } from './reader.ts';

interface LogsOptions extends ReaderOptions {
  readonly follow?: boolean;
  readonly raw?: boolean;
}

/** Milliseconds between two looks at a log that grows. */
const interval = 1000;
const buildKeyPattern = /^[0-9a-f]{64}$/;

/** The build that a name means: the one that stands in the way, else the newest. Errors: request.not-found. */
async function buildOf(reader: Reader, name: string): Promise<string> {
  if (buildKeyPattern.test(name)) return name;
  const { package: recipe, blocker, builds } = await reader.explain(name);
  const key = blocker.buildKey ?? builds.find((build) => build.package === recipe)?.key;
  if (key === undefined)
    throw new RegrowError('request.not-found', `${recipe} has not been built yet`, {
      package: recipe,
      remedy: `\`regrow explain ${recipe}\` says what it waits for`,
    });
  return key;
}

/** `regrow logs PACKAGE|BUILDKEY`: the log of a build, as it grows with --follow. */
export function logsCommand(context: CliContext): Command {
  return readerCommand('logs', 'the log of a build')
    .argument('<build>', 'a package, or a build key')
    .option('-f, --follow', 'go on until the build ends')
    .option('--raw', 'the bytes as they are, with whatever a terminal would obey')
    .addHelpText('after', '\nExample: regrow logs jq --follow')
    .action((name: string, options: LogsOptions) =>
      withReader(context, options, async (reader) => {
        const { output } = context;
        const key = await buildOf(reader, name);
        const decoder = new TextDecoder();
        let offset = 0;
        let text = '';
        for (;;) {
          const piece = await reader.log(key, offset);
          offset += piece?.bytes.length ?? 0;
          const more = decoder.decode(piece?.bytes, { stream: true });
          const shown = options.raw === true ? more : printable(more);
          if (options.json === true) text += more;
          else if (shown !== '') output.write(shown);
          if (piece?.ended === true) break;
          if (options.follow !== true) {
            if (piece === undefined)
              throw new RegrowError('request.not-found', `build ${key} has no log yet`, {
                remedy: 'wait for it with --follow; `regrow queue` says when its turn comes',
              });
            break;
          }
          output.progress(piece === undefined ? 'waiting for the build to start' : undefined);
          await context.pause(interval);
        }
        if (options.json === true) output.json({ build: key, bytes: offset, log: text });
      }),
    );
}
