import { spawn } from 'node:child_process';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RegrowError } from '../../../errors.ts';

/** Nothing of the machine's own git configuration reaches the fake, so that two machines make the same objects. */
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
  TZ: 'UTC',
} as const;

export interface GitRun {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Questions about objects named by their ids: what the answer is once, it is for ever. */
const fixed = new Set(['cat-file', 'diff', 'ls-tree', 'merge-base', 'merge-tree', 'rev-list', 'rev-parse', 'show']);
const objectName = /^(?:-.*|[0-9a-f]{40}(?:\^\{\w+\}|:.*|\.{2,3}[0-9a-f]{40})?)$/;
const mostAnswers = 10_000;
const answers = new Map<string, GitRun>();

function isFixed(
  args: readonly string[],
  input: string | Uint8Array | undefined,
  extra: Readonly<Record<string, string>>,
  { code, stdout }: GitRun,
): boolean {
  const [command = '', ...rest] = args;
  // What version 2 of the protocol begins with says what git can do, not what is in the repository.
  if (rest.includes('--http-backend-info-refs')) return extra['GIT_PROTOCOL'] === 'version=2';
  if (!fixed.has(command) || !rest.every((arg) => objectName.test(arg))) return false;
  if (input !== undefined && !(typeof input === 'string' && /^[0-9a-f]{40}\n$/.test(input))) return false;
  // 1 is an answer of these: not an ancestor, conflicts. What is not there yet may come.
  return code === 1 ? command.startsWith('merge-') : code === 0 && !stdout.subarray(0, 60).includes(' missing\n');
}

/**
 * Runs git in a bare repository; any exit code is an answer. What cannot change is asked of git once: starting a process
 * holds up everything else here.
 */
export async function tryGit(
  directory: string,
  args: readonly string[],
  input?: string | Uint8Array,
  extra: Readonly<Record<string, string>> = {},
): Promise<GitRun> {
  const key = JSON.stringify([directory, args, input, extra]);
  const known = answers.get(key);
  if (known !== undefined) return known;
  const run = await runGit(directory, args, input, extra);
  if (isFixed(args, input, extra, run)) {
    if (answers.size >= mostAnswers) answers.clear();
    answers.set(key, run);
  }
  return run;
}

async function runGit(
  directory: string,
  args: readonly string[],
  input: string | Uint8Array | undefined,
  extra: Readonly<Record<string, string>>,
): Promise<GitRun> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['--git-dir', directory, ...args], {
      env: { ...environment, ...extra },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const problems: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => problems.push(chunk));
    child.on('error', (cause) =>
      reject(new RegrowError('tool.missing', `git cannot be run: ${cause.message}`, { cause, remedy: 'install git' })),
    );
    child.on('close', (code) =>
      resolve({ code: code ?? 1, stdout: Buffer.concat(out), stderr: Buffer.concat(problems).toString() }),
    );
    // A git that ends before it has read its input closes the pipe; its exit code already says what was wrong.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
  });
}

/** Runs git and gives its output; a failure is `internal`, with what git said. */
export async function git(
  directory: string,
  args: readonly string[],
  input?: string | Uint8Array,
  extra: Readonly<Record<string, string>> = {},
): Promise<string> {
  const run = await tryGit(directory, args, input, extra);
  if (run.code !== 0) {
    throw new RegrowError('internal', `git ${args.join(' ')} in ${directory} failed: ${run.stderr.trim()}`);
  }
  return run.stdout.toString();
}

/** A new bare repository with the settings that GitHub has: any object may be asked for by its id. */
export async function initRepository(directory: string, defaultBranch: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await git(directory, ['init', '--quiet', '--bare', `--initial-branch=${defaultBranch}`, directory]);
  const settings = '[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n[gc]\n\tauto = 0\n';
  await appendFile(join(directory, 'config'), settings);
}
