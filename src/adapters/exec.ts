import { execa } from 'execa';
import { RegrowError } from '../errors.ts';
import type { Exec, ExecRequest, ExecResult } from '../ports/exec.ts';

/** Bytes of each output kept when the request names no limit. */
const defaultLimit = 16 * 1024 * 1024;

/** How a process group is asked to end, and the milliseconds before it is ended. */
const politely = { signal: 'SIGTERM', grace: 2_000 } as const;

/**
 * Runs programs of the host that we trust (git, tar, cc), each in a process group of its own, so that an abort or a time
 * limit ends whatever it started too.
 */
export function createExec(): Exec {
  return { run };
}

async function run(request: ExecRequest): Promise<ExecResult> {
  const [file] = request.argv;
  if (request.signal?.aborted === true) throw aborted(file);
  const [program, ...args] = withUmask(request);
  const subprocess = execa(program, args, {
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    env: request.env ?? {},
    extendEnv: false,
    ...(request.input === undefined ? { stdin: 'ignore' as const } : { input: request.input }),
    detached: true,
    buffer: false,
    reject: false,
    stripFinalNewline: false,
  });
  const { limit = defaultLimit, stop = politely, onOutput } = request;
  const stdout = collect(subprocess.stdout, limit, onOutput);
  const stderr = collect(subprocess.stderr, limit, onOutput);

  const kill = (signal: NodeJS.Signals): void => signalGroup(subprocess.pid, signal);
  let ended: 'time' | 'abort' | undefined;
  let force: NodeJS.Timeout | undefined;
  const end = (why: 'time' | 'abort'): void => {
    if (ended !== undefined) return;
    ended = why;
    kill(stop.signal);
    force = setTimeout(() => kill('SIGKILL'), stop.grace);
  };
  const timer = request.timeout === undefined ? undefined : setTimeout(() => end('time'), request.timeout);
  const onAbort = (): void => end('abort');
  const onExit = (): void => kill('SIGKILL');
  request.signal?.addEventListener('abort', onAbort, { once: true });
  process.once('exit', onExit);
  try {
    const result = await subprocess;
    if (ended === 'abort') throw aborted(file);
    if (result.exitCode === undefined && ended === undefined && result.signal === undefined) {
      throw notStarted(file, result.cause, request.cwd);
    }
    // What the shell says of a program that it does not find.
    if (request.umask !== undefined && result.exitCode === 127) throw notStarted(file, result.cause, request.cwd);
    return {
      exitCode: result.exitCode ?? 128,
      stdout: stdout(),
      stderr: new TextDecoder().decode(stderr()),
      timedOut: ended === 'time',
    };
  } finally {
    clearTimeout(timer);
    clearTimeout(force);
    request.signal?.removeEventListener('abort', onAbort);
    process.removeListener('exit', onExit);
    if (ended !== undefined) kill('SIGKILL');
  }
}

/** Node starts programs with its own umask; a shell that becomes the program does not. */
function withUmask({ argv, umask }: ExecRequest): readonly [string, ...string[]] {
  if (umask === undefined) return argv;
  return ['/bin/sh', '-c', `umask ${umask.toString(8)}; exec "$@"`, 'sh', ...argv];
}

/** Keeps the first `limit` bytes of a stream and reads the rest away, so that the program never blocks on a full pipe. */
function collect(
  stream: NodeJS.ReadableStream | null,
  limit: number,
  onOutput: ((chunk: Uint8Array) => void) | undefined,
): () => Uint8Array {
  const chunks: Uint8Array[] = [];
  let kept = 0;
  stream?.on('data', (chunk: Uint8Array) => {
    onOutput?.(chunk);
    if (kept >= limit) return;
    const part = chunk.subarray(0, limit - kept);
    chunks.push(part);
    kept += part.length;
  });
  return () => Buffer.concat(chunks);
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone: that is what we want.
  }
}

function aborted(file: string): RegrowError {
  return new RegrowError('aborted', `${file} was stopped before it was done`, { retry: 'now' });
}

function notStarted(file: string, cause: unknown, cwd: string | undefined): RegrowError {
  const where = cwd === undefined ? '' : ` in ${cwd}`;
  return new RegrowError('tool.missing', `${file} cannot be started${where}`, {
    cause,
    retry: 'later',
    remedy: `install ${file} on this machine (scripts/setup does), or put its folder on the PATH`,
  });
}
