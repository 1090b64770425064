import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegrowError } from '../errors.ts';
import type { Exec } from '../ports/exec.ts';
import type { Sandbox, SandboxRun } from '../ports/sandbox.ts';
import {
  buildUser,
  hostFolders,
  mountPoints,
  type SandboxMeans,
  sandboxCommand,
  stageProbe,
} from './sandbox-arguments.ts';
import { hideInherited } from './sandbox-descriptors.ts';
import { countProcesses, processBrake } from './sandbox-processes.ts';

export interface SandboxOptions {
  readonly exec: Exec;
  /** The program; default `bwrap` on the PATH of this list. */
  readonly bubblewrap?: string;
  /** Bytes that one file may have; default 8 GiB. */
  readonly fileSizeLimit?: number;
}

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const remedy =
  'install bubblewrap and allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, ' +
  'kernel.apparmor_restrict_unprivileged_userns=0); in a container, run it with --security-opt seccomp=unconfined ' +
  '--security-opt apparmor=unconfined --security-opt systempaths=unconfined';

/** Milliseconds between two counts of a sandbox's processes. */
const watchInterval = 100;
/** Bytes that must be left on the disk of the work for a failure not to be blamed on it. */
const fullDiskMargin = 1024 * 1024;

/**
 * Bubblewrap: its own user, mount, pid, ipc, uts, cgroup and network namespaces, no capability, a uid of its own, an
 * environment of its own. The pid namespace ends with bwrap, so ending bwrap ends every process that a step started.
 */
export function createSandbox(options: SandboxOptions): Sandbox {
  const bubblewrap = options.bubblewrap ?? 'bwrap';
  let found: Promise<SandboxMeans> | undefined;

  async function run(request: SandboxRun): Promise<number> {
    found ??= findMeans(options.exec, bubblewrap);
    const means = await found.catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    await makeMountPoints(request);
    if (means.staged) await giveToBuildUser(options.exec, request);
    return watch(request, sandboxCommand(request, means, bubblewrap), options.fileSizeLimit ?? 8 * 1024 ** 3);
  }

  async function probe(): Promise<void> {
    const root = await mkdtemp(join(tmpdir(), 'regrow-probe-'));
    try {
      await chmod(root, 0o755);
      const output: Uint8Array[] = [];
      const code = await run({
        root,
        host: true,
        binds: [
          { from: '/usr', to: '/usr' },
          ...(await rootLinks()).map((name) => ({ from: `/usr/${name}`, to: `/${name}` })),
        ],
        argv: ['/usr/bin/true'],
        cwd: '/',
        env: {},
        timeout: 20_000,
        outputLimit: 64 * 1024,
        onOutput: (chunk) => output.push(chunk),
      });
      if (code !== 0)
        throw unavailable(`a program in it ended with ${code}: ${Buffer.concat(output).toString('utf8')}`);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  }

  return { run, probe };
}

/** Of `/bin`, `/lib`, …: those that this machine has, for programs that are run straight from its `/usr`. */
async function rootLinks(): Promise<readonly string[]> {
  const names: string[] = [];
  for (const name of ['bin', 'lib', 'lib64']) {
    if (await lstat(`/usr/${name}`).catch(() => undefined)) names.push(name);
  }
  return names;
}

async function findMeans(exec: Exec, bubblewrap: string): Promise<SandboxMeans> {
  const ask = (argv: readonly [string, ...string[]]) =>
    exec.run({ argv, env: { PATH: searchPath }, timeout: 10_000 }).catch((error: unknown) => {
      throw unavailable(`${argv[0]} cannot be started`, error);
    });
  const version = /(\d+)\.(\d+)/.exec(new TextDecoder().decode((await ask([bubblewrap, '--version'])).stdout));
  const recent = Number(version?.[1] ?? 0) > 0 || Number(version?.[2] ?? 0) >= 8;
  if (process.getuid?.() !== 0) return { staged: false, recent };
  const stage = await ask(stageProbe());
  if (stage.exitCode === 0) return { staged: true, recent };
  throw unavailable(`this is root and may not mount; start regrow as another user: ${stage.stderr.trim()}`);
}

/**
 * What is writable inside must belong to the user that runs inside; so must a root without the host, an image's, in which a
 * program may expect to read what only its root can. Links are not followed.
 */
async function giveToBuildUser(exec: Exec, run: SandboxRun): Promise<void> {
  const paths = (run.binds ?? []).filter((bind) => bind.writable === true).map((bind) => bind.from);
  if (run.rootWritable === true || run.host !== true) paths.push(run.root);
  if (paths.length === 0) return;
  const owner = `${buildUser}:${buildUser}`;
  const result = await exec.run({
    argv: ['chown', '-R', '-P', '-h', '--', owner, ...paths],
    env: { PATH: searchPath },
  });
  if (result.exitCode !== 0) throw unavailable(`the work cannot be given to its user: ${result.stderr.trim()}`);
}

/** A mount needs a directory to stand on. Those that the root lacks are made; a link or file in their place is refused. */
async function makeMountPoints(request: SandboxRun): Promise<void> {
  const folders = request.host === true ? await hostFolders() : [];
  for (const point of mountPoints(request, folders)) {
    let path = request.root;
    for (const part of point.split('/').filter((name) => name !== '')) {
      path = join(path, part);
      const stat = await lstat(path).catch(() => undefined);
      if (stat === undefined) {
        await mkdir(path);
        // Whatever the daemon's umask is, the build user has to come through.
        await chmod(path, 0o755);
      } else if (!stat.isDirectory()) {
        throw new RegrowError('build.output-unsafe', `the root has something that is no directory at ${point}`, {
          remedy: `no package of the environment may own ${point}`,
        });
      }
    }
  }
}

function watch(request: SandboxRun, bwrap: readonly string[], fileSizeLimit: number): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    if (request.signal?.aborted === true) return reject(aborted());
    const brake = request.processLimit === undefined ? [] : [`--nproc=${processBrake(request.processLimit)}`];
    const hidden = hideInherited(4);
    // One pipe for both outputs, so that the log has them in the order in which they were written. What a step makes has the
    // usual modes, whatever the umask of the daemon: they get into packages.
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        'umask 022; exec "$@" 2>&1',
        'sh',
        'prlimit',
        '--core=0',
        `--fsize=${fileSizeLimit}`,
        ...brake,
        '--',
        ...bwrap,
      ],
      { env: { PATH: searchPath }, cwd: '/', stdio: ['ignore', 'pipe', 'ignore', 'pipe', ...hidden.stdio] },
    );
    hidden.close();
    const status = readStatus(child);
    const tail = createTail(4096);
    let written = 0;
    let error: RegrowError | undefined;
    const end = (why: RegrowError): void => {
      error ??= why;
      // The first process of the pid namespace takes all others along. It would follow bwrap by itself, but not when bwrap
      // is ended in the moment before it has asked for that.
      const { init, exitCode } = status();
      if (init !== undefined && exitCode === undefined) endProcess(init);
      child.kill('SIGKILL');
    };

    child.stdout?.on('data', (chunk: Uint8Array) => {
      if (error?.code === 'build.log-limit') return;
      const left = request.outputLimit - written;
      written += chunk.length;
      const part = chunk.subarray(0, Math.max(left, 0));
      tail.add(part);
      if (part.length > 0) request.onOutput?.(part);
      if (chunk.length > left) end(logLimit(request.outputLimit));
    });
    const timer = setTimeout(() => end(timeLimit(request.timeout)), request.timeout);
    const counter = setInterval(() => {
      const { namespace } = status();
      if (namespace === undefined || request.processLimit === undefined) return;
      if (countProcesses(namespace, request.processLimit) > request.processLimit)
        end(processLimit(request.processLimit));
    }, watchInterval);
    const onAbort = (): void => end(aborted());
    request.signal?.addEventListener('abort', onAbort, { once: true });
    const clear = (): void => {
      clearTimeout(timer);
      clearInterval(counter);
      request.signal?.removeEventListener('abort', onAbort);
    };

    child.once('error', (cause) => {
      clear();
      reject(unavailable('no shell', cause));
    });
    child.once('close', (_code, signal) => {
      clear();
      const { exitCode } = status();
      if (error !== undefined) return reject(error);
      if (exitCode === undefined)
        return reject(unavailable(signal === null ? tail.text() : `bwrap was ended by ${signal}`));
      if (exitCode === 0) return resolve(0);
      // A program that fails on a full disk says so in its own words; the disk says it in numbers.
      fullDisk(request).then((full) => (full === undefined ? resolve(exitCode) : reject(full)), reject);
    });
  });
}

function endProcess(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

interface SandboxStatus {
  readonly namespace?: number;
  /** Id of the sandbox's first process, as seen from here. */
  readonly init?: number;
  readonly exitCode?: number;
}

/** What bwrap says about itself on descriptor 3: the pid namespace at the start, the exit code when the program was started. */
function readStatus(child: ChildProcess): () => SandboxStatus {
  let text = '';
  const stream = child.stdio[3];
  if (stream && 'on' in stream) stream.on('data', (chunk: Uint8Array) => (text += Buffer.from(chunk).toString('utf8')));
  const number = (key: string): number | undefined => {
    const match = new RegExp(`"${key}"\\s*:\\s*(\\d+)`).exec(text);
    return match?.[1] === undefined ? undefined : Number(match[1]);
  };
  return () => {
    const namespace = number('pid-namespace');
    const init = number('child-pid');
    const exitCode = number('exit-code');
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(init === undefined ? {} : { init }),
      ...(exitCode === undefined ? {} : { exitCode }),
    };
  };
}

function createTail(limit: number): { add(chunk: Uint8Array): void; text(): string } {
  let kept = Buffer.alloc(0);
  return {
    add(chunk) {
      kept = Buffer.concat([kept, chunk]).subarray(-limit);
    },
    text() {
      return kept.toString('utf8').trim();
    },
  };
}

async function fullDisk(request: SandboxRun): Promise<RegrowError | undefined> {
  for (const bind of request.binds ?? []) {
    if (bind.writable !== true) continue;
    const { bavail, bsize } = await statfs(bind.from);
    if (bavail * bsize < fullDiskMargin) {
      return new RegrowError('storage.full', `no space left under ${bind.from}`, {
        retry: 'later',
        remedy: 'free space under the state directory; the work is tried again by itself',
      });
    }
  }
  return undefined;
}

function unavailable(why: string, cause?: unknown): RegrowError {
  return new RegrowError('sandbox.unavailable', `no sandbox can be made here: ${why}`, {
    cause,
    retry: 'later',
    remedy,
  });
}

function aborted(): RegrowError {
  return new RegrowError('aborted', 'the sandbox was stopped before it was done', { retry: 'now' });
}

function timeLimit(milliseconds: number): RegrowError {
  return new RegrowError('build.timeout', `ran for longer than ${milliseconds / 1000} s`, {
    remedy: 'make the step shorter, or raise build.stepTimeout in the configuration',
  });
}

function logLimit(bytes: number): RegrowError {
  return new RegrowError('build.log-limit', `wrote more than ${bytes} bytes of output`, {
    remedy: 'make the step say less, or raise build.outputLimit in the configuration',
  });
}

function processLimit(count: number): RegrowError {
  return new RegrowError('build.process-limit', `had more than ${count} processes at a time`, {
    remedy: 'start fewer processes at a time in the step (make -j), or raise build.processLimit in the configuration',
  });
}
