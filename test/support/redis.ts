import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

export interface TestRedis {
  readonly socket: string;
  readonly client: Redis;
  /** Ends the server as a crash would; `start` brings it back with what its append-only file holds. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and takes its directory away. */
  stop(): Promise<void>;
}

/** A real redis-server of this test file's own, on a unix socket in a temporary directory; no port is opened. */
export async function startTestRedis(): Promise<TestRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'regrow-redis-'));
  const socket = join(directory, 'redis.sock');
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const args = ['--port', '0', '--unixsocket', socket, '--dir', directory, '--save', ''];
    child = spawn('redis-server', [...args, '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = child.stdout;
    if (output === null) throw new Error('redis-server has no output');
    await new Promise<void>((resolve, reject) => {
      output.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('eady to accept connections')) resolve();
      });
      child?.once('error', reject);
      child?.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)));
    });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  await start();
  const client = new Redis({ path: socket, retryStrategy: () => 50 });
  client.on('error', () => undefined);
  return {
    socket,
    client,
    start,
    async crash() {
      // On a busy disk redis-server may hold a write back for two seconds: what was taken is made to be on disk first.
      await client.config('SET', 'appendfsync', 'always');
      await client.set('regrow-test-flushed', '1');
      await end('SIGKILL');
    },
    async stop() {
      client.disconnect();
      await end('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
