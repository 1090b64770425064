import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { claimDirectory, endOrphan, redisPid } from './redis-server-owner.ts';

export interface RedisServerOptions {
  /** Folder that is its alone; made when absent. Holds the append-only file. */
  readonly directory: string;
  readonly log: Logger;
  /** Folders in which redis-server is looked for, with `:` between. Default: those of the system. */
  readonly path?: string;
}

export interface RedisServer {
  /** Path of its unix socket. It listens nowhere else. */
  readonly socket: string;
  /** Process id; another one after it died and was started again. */
  pid(): number | undefined;
  /** Ends it in good order: what it holds is on disk. */
  stop(): Promise<void>;
}

/** Milliseconds for it to answer, with a large append-only file to read; and to end. */
const startPatience = 60_000;
const stopPatience = 10_000;
/** A unix socket's path has to fit into 108 bytes (unix(7)). */
const longestSocket = 100;
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Redis runs under a shell that also watches a pipe from us. When we are gone, however we went, the pipe closes and Redis is
 * ended; when Redis ends, so does the shell. A command in the background reads /dev/null unless told otherwise: hence 3.
 */
const keeper =
  'exec 3<&0; "$@" </dev/null 3<&- & child=$!; { cat <&3; kill -TERM $child; } >/dev/null 2>&1 & exec 3<&-; wait $child';

function findProgram(path: string): string {
  for (const folder of path.split(':')) {
    const candidate = join(folder, 'redis-server');
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // The next folder may have it.
    }
  }
  throw new RegrowError('tool.missing', 'redis-server is not installed', {
    field: 'redis.url',
    remedy: 'install it (Debian: apt-get install redis-server), or set redis.url to a Redis or Valkey that runs',
  });
}

/** Whether what listens on a socket answers PING with PONG; not so while it still reads its file. */
function answers(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const connection = createConnection(socket);
    const finish = (answer: boolean): void => {
      connection.destroy();
      done(answer);
    };
    connection.setTimeout(1000, () => finish(false));
    connection.on('error', () => finish(false));
    connection.on('connect', () => connection.write('PING\r\n'));
    connection.on('data', (chunk) => finish(chunk.toString('latin1').startsWith('+PONG')));
  });
}

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<void>;
}

async function launch(program: string, path: string, directory: string, socket: string): Promise<Running> {
  const settings: Record<string, string> = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    dir: directory,
    pidfile: join(directory, 'redis.pid'),
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  // A session of its own: Ctrl-C on the terminal is for the daemon, which needs Redis in order to stop well.
  const child = spawn('/bin/sh', ['-c', keeper, 'redis-keeper', program, ...args], {
    cwd: directory,
    env: { PATH: path },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const said: string[] = [];
  const listen = (chunk: Buffer): void => {
    said.push(...chunk.toString('utf8').split('\n').filter(Boolean));
    said.splice(0, Math.max(0, said.length - 20));
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  child.stdin.on('error', () => undefined);
  const gone = new AbortController();
  const exited = new Promise<void>((done) => {
    const end = (): void => {
      gone.abort();
      child.stdin.destroy();
      done();
    };
    child.once('exit', end);
    child.once('error', end);
  });
  const deadline = performance.now() + startPatience;
  while (!gone.signal.aborted && performance.now() < deadline) {
    if (await answers(socket)) return { child, exited };
    await Promise.race([sleep(20), exited]);
  }
  child.stdin.end();
  throw new RegrowError('queue.unreachable', `the private redis-server does not start: ${said.at(-1) ?? 'no word'}`, {
    file: directory,
    retry: 'later',
    remedy: `see what ${directory} holds; it may be removed while regrow is stopped: nothing but time is lost with it`,
  });
}

/** Starts Redis; where its own file keeps it from starting, without that file: nothing but time is lost with it. */
async function launchAnyhow(launchOnce: () => Promise<Running>, directory: string, log: Logger): Promise<Running> {
  try {
    return await launchOnce();
  } catch (error) {
    const data = join(directory, 'appendonlydir');
    if (!existsSync(data)) throw error;
    const aside = `${data}.broken`;
    rmSync(aside, { recursive: true, force: true });
    renameSync(data, aside);
    log.error({ err: error, aside }, 'Redis does not start with its file; it starts without, reconcile fills it anew');
    return launchOnce();
  }
}

/**
 * A redis-server of this daemon's own, on a unix socket, without a port. It ends with the daemon, is started again when it
 * dies, and a predecessor's is ended first. Errors: tool.missing, config.invalid (the directory is another daemon's),
 * queue.unreachable, storage.full.
 */
export async function startRedisServer(options: RedisServerOptions): Promise<RedisServer> {
  const { log, path = systemPath } = options;
  const directory = resolve(options.directory);
  const program = findProgram(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    claimDirectory(directory);
  } catch (error) {
    throw toRegrowError(error, { file: directory });
  }
  await endOrphan(directory, log);
  const beside = join(directory, 'redis.sock');
  const elsewhere = beside.length > longestSocket ? mkdtempSync(join(tmpdir(), 'regrow-redis-')) : undefined;
  const socket = elsewhere === undefined ? beside : join(elsewhere, 'redis.sock');
  const start = (): Promise<Running> => launchAnyhow(() => launch(program, path, directory, socket), directory, log);

  let running = await start();
  const stopping = new AbortController();

  async function watch(): Promise<void> {
    for (let pause = 200; !stopping.signal.aborted; pause = Math.min(2 * pause, 30_000)) {
      const since = performance.now();
      await running.exited;
      if (stopping.signal.aborted) return;
      log.error({ directory }, 'the private Redis died; it is started again');
      if (performance.now() - since > 60_000) pause = 200;
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        running = await start();
      } catch (error) {
        log.error({ err: error }, 'the private Redis does not start again');
      }
    }
  }

  async function end({ child, exited }: Running): Promise<void> {
    child.stdin?.end();
    const late = sleep(stopPatience, 'late', { ref: false });
    if ((await Promise.race([exited, late])) !== 'late') return;
    const pid = redisPid(directory);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await exited;
  }

  const watching = watch();
  return {
    socket,
    pid: () => redisPid(directory),
    async stop() {
      stopping.abort();
      await end(running);
      await watching;
      // One that was being started meanwhile.
      await end(running);
      if (elsewhere !== undefined) rmSync(elsewhere, { recursive: true, force: true });
    },
  };
}
