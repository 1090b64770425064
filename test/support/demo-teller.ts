import { z } from 'zod';
import { runDemo } from '../../src/demo/run.ts';

/**
 * Tells the demo's story in a process of its own, for tests that want one in other surroundings. Argument: JSON. `umask`: of all
 * that it writes. `ahead`: milliseconds that the clock of its daemon is ahead of the process's. `stepClock`: that of build steps.
 */
const [, , text = ''] = process.argv;
const { directory, umask, ahead, stepClock } = z
  .strictObject({
    directory: z.string(),
    umask: z.number(),
    ahead: z.number(),
    stepClock: z.strictObject({ library: z.string(), secondsAhead: z.number() }).optional(),
  })
  .parse(JSON.parse(text));
process.umask(umask);
await runDemo({
  directory,
  once: true,
  port: 0,
  say: (line) => process.stderr.write(`${line}\n`),
  signal: new AbortController().signal,
  clock: { now: () => new Date(Date.now() + ahead) },
  ...(stepClock === undefined ? {} : { stepClock }),
});
