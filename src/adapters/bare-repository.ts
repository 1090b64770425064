import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RegrowError } from '../errors.ts';
import type { Exec } from '../ports/exec.ts';
import { createGitCommand, gitText } from './git-command.ts';

/** A file of a first commit. `mode` is git's: 100644, 100755 for programs, 120000 for links. */
export interface NewFile {
  readonly path: string;
  readonly mode: '100644' | '100755' | '120000';
  readonly bytes: Uint8Array;
}

export interface NewRepository {
  readonly exec: Exec;
  /** Where it is to be; nothing may be there. */
  readonly directory: string;
  readonly branch: string;
  readonly files: readonly NewFile[];
  readonly message: string;
  readonly at: Date;
}

/**
 * Makes a bare repository with one commit. It appears whole or not at all. Gives the commit. Errors: config.invalid where
 * something is there already, tool.missing, storage.full, upstream.unreachable with what git said.
 */
export async function createBareRepository(options: NewRepository): Promise<string> {
  const { exec, directory, branch } = options;
  const git = createGitCommand({ exec });
  if (existsSync(directory)) throw taken(directory);
  await mkdir(dirname(directory), { recursive: true });
  const draft = await mkdtemp(join(dirname(directory), '.new-repository-'));
  const run = (args: readonly string[], input?: Uint8Array): Promise<string> =>
    gitText(git, directory, args, { directory: draft, ...(input === undefined ? {} : { input }) });
  try {
    await run(['init', '--quiet', '--bare', '--initial-branch', branch, '.']);
    await run(['fast-import', '--quiet', '--done'], importStream(options));
    const commit = (await run(['rev-parse', `refs/heads/${branch}`])).trim();
    await rename(draft, directory).catch((cause: unknown) => {
      throw existsSync(directory) ? taken(directory) : cause;
    });
    return commit;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function taken(directory: string): RegrowError {
  return new RegrowError('config.invalid', `${directory} is there already`, {
    file: directory,
    remedy: 'nothing was changed: use what is there, or name another folder',
  });
}

/** The commit as git-fast-import(1) reads it: names in C quotes, contents by their length. */
function importStream({ branch, files, message, at }: NewRepository): Uint8Array {
  const parts: Uint8Array[] = [];
  const text = (line: string): number => parts.push(Buffer.from(line));
  const data = (bytes: Uint8Array): void => {
    text(`data ${bytes.length}\n`);
    parts.push(bytes);
    text('\n');
  };
  text(`commit refs/heads/${branch}\n`);
  text(`committer regrow <regrow@localhost> ${Math.floor(at.getTime() / 1000)} +0000\n`);
  data(Buffer.from(`${message}\n`));
  for (const { path, mode, bytes } of files) {
    text(`M ${mode} inline ${quoted(path)}\n`);
    data(bytes);
  }
  text('done\n');
  return Buffer.concat(parts);
}

function quoted(path: string): string {
  return `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
