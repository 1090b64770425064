import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RedisServer, startRedisServer } from '../../../src/adapters/redis-server.ts';
import { testLog } from '../../support/log.ts';

let directory = '';
let servers: RedisServer[] = [];
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'regrow-server-')), 'redis');
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  rmSync(join(directory, '..'), { recursive: true });
});

async function start(): Promise<RedisServer> {
  const server = await startRedisServer({ directory, log: testLog().log });
  servers.push(server);
  return server;
}

async function ask<T>(server: RedisServer, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ path: server.socket, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

function alive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
}

const wait = { timeout: 10_000, interval: 20 };

describe('the private Redis', () => {
  test('listens on its socket alone, for its user alone, forgets nothing and evicts nothing', async () => {
    const server = await start();
    const settings = await ask(server, (redis) =>
      redis.config('GET', 'port', 'maxmemory-policy', 'appendonly', 'save'),
    );
    expect(settings).toEqual(
      expect.arrayContaining(['port', '0', 'maxmemory-policy', 'noeviction', 'appendonly', 'yes', 'save', '']),
    );
    expect(statSync(server.socket).mode & 0o777).toBe(0o700);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test('keeps what it has over a stop, and nothing runs after it', async () => {
    const server = await start();
    const pid = server.pid() ?? 0;
    await ask(server, (redis) => redis.set('a', '1'));
    await server.stop();
    expect(alive(pid)).toBe(false);
    const again = await start();
    expect(await ask(again, (redis) => redis.get('a'))).toBe('1');
  });

  test('is started again when it dies', async () => {
    const server = await start();
    const pid = server.pid() ?? 0;
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => server.pid() !== pid && ask(server, (redis) => redis.ping()), wait).toBe('PONG');
  });

  test('starts without its file when that is broken', async () => {
    const server = await start();
    await ask(server, (redis) => redis.set('a', '1'));
    await server.stop();
    writeFileSync(join(directory, 'appendonlydir', 'appendonly.aof.1.incr.aof'), 'this is no command\n');
    const again = await start();
    expect(await ask(again, (redis) => redis.get('a'))).toBeNull();
    expect(existsSync(join(directory, 'appendonlydir.broken'))).toBe(true);
  });

  test('ends with its daemon, also when that is killed', async () => {
    const script = `
      import { pino } from 'pino';
      import { startRedisServer } from './src/adapters/redis-server.ts';
      const server = await startRedisServer({ directory: process.argv[1], log: pino({ level: 'silent' }) });
      console.log(server.pid());
    `;
    const daemon = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [chunk] = (await once(daemon.stdout, 'data')) as [Buffer];
    const pid = Number(chunk.toString());
    expect(alive(pid)).toBe(true);
    // While it lives, its directory is its own.
    await expect(start()).rejects.toMatchObject({ code: 'config.invalid', where: { field: 'stateDirectory' } });
    expect(alive(pid)).toBe(true);
    daemon.kill('SIGKILL');
    await expect.poll(() => alive(pid), wait).toBe(false);
    await start();
  });

  test('ends a Redis that a daemon left in its directory, but no other process that has its number', async () => {
    mkdirSync(directory);
    const args = ['--port', '0', '--unixsocket', join(directory, 'redis.sock'), '--dir', directory];
    const orphan = spawn('redis-server', [...args, '--pidfile', join(directory, 'redis.pid')], { stdio: 'ignore' });
    await expect.poll(() => existsSync(join(directory, 'redis.pid')), wait).toBe(true);
    const ended = once(orphan, 'exit');
    const server = await start();
    await ended;
    expect(server.pid()).not.toBe(orphan.pid);
    await server.stop();
    writeFileSync(join(directory, 'redis.pid'), String(process.pid));
    await start();
  });

  test('works where the path is too long for a socket', async () => {
    directory = join(directory, 'x'.repeat(120));
    const server = await start();
    expect(server.socket.length).toBeLessThan(100);
    expect(await ask(server, (redis) => redis.ping())).toBe('PONG');
    await server.stop();
    expect(existsSync(server.socket)).toBe(false);
    directory = join(directory, '..');
  });

  test('says what to install where there is none', async () => {
    const options = { directory, log: testLog().log, path: join(directory, 'nowhere') };
    await expect(startRedisServer(options)).rejects.toMatchObject({
      code: 'tool.missing',
      remedy: expect.stringContaining('apt-get install redis-server'),
    });
  });
});
