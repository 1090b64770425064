#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { runProgram } from './cli/program.ts';
import { colourSetting } from './config/terminal.ts';

// Modes of the files of a build come from here; a service manager or a shell may have set something else, and packages would
// differ from machine to machine. What must be private is made with a mode of its own.
process.umask(0o022);

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
