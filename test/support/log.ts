import { createLogger, type Logger } from '../../src/log.ts';

/** A logger whose lines a test can read. */
export function testLog(level = 'debug'): { readonly log: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level, write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });
  return { log, lines };
}
