import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../../src/cli/program.ts';

/** Milliseconds that a daemon may take for what a test waits for, and between two looks. */
const patience = 60_000;
const glance = 200;

/** Runs the command line in this process; gives what it prints. */
export async function regrow(...args: string[]): Promise<string> {
  let out = '';
  const stdout = { write: (text: string) => (out += text) };
  await runProgram(args, { stdout, stderr: { write: () => true }, version: '0.0.0' });
  return out;
}

/** What `look` finds, as soon as it finds something. Throws when it finds nothing for too long. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(glance)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`not in ${patience} ms: ${what}`);
}
