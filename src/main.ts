#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { runProgram } from './cli/program.ts';
import { colourSetting } from './config/terminal.ts';

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')));

const exitCode = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  noColor: colourSetting(),
  version,
});
// Set, not forced: what is still being written comes out.
process.exitCode = Math.max(exitCode, Number(process.exitCode ?? 0));
