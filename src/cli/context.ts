import { Command } from 'commander';
import { type Output, runCommand } from './output.ts';
import type { OpenReader, Reader } from './reader.ts';

/** What commands stand on; the program makes one, tests another. */
export interface CliContext {
  readonly output: Output;
  readonly openReader: OpenReader;
  /** Milliseconds between two looks of a command that follows. */
  readonly pause: (milliseconds: number) => Promise<void>;
}

/** The options of every command that reads the daemon. */
export interface ReaderOptions {
  readonly server?: string;
  readonly json?: boolean;
}

/** A command with those options. */
export function readerCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--server <url>', 'address of the daemon; without it the configured one, else its state directory')
    .option('--json', 'print JSON');
}

/** Opens the reader, does the work with it, closes it; errors are printed, and the exit code says so. */
export async function withReader(
  context: CliContext,
  options: ReaderOptions,
  work: (reader: Reader) => Promise<void>,
): Promise<void> {
  await runCommand(context.output, options.json === true, async () => {
    const reader = await context.openReader(options.server);
    try {
      await work(reader);
    } finally {
      await reader.close();
    }
  });
}
