import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether a program is missing; says so once for whoever reads why a test was skipped. */
export function isMissing(program: string, ...probe: readonly string[]): boolean {
  const absent = spawnSync(program, probe.length === 0 ? ['--version'] : probe).error !== undefined;
  if (absent) process.stderr.write(`skipped: ${program} is not installed (docs/images.md, "Checking it")\n`);
  return absent;
}

export interface DockerRegistry {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  stop(): Promise<void>;
}

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** Debian's `docker-registry` (the reference implementation), its blobs in a folder that goes with it. */
export async function startDockerRegistry(login?: Login): Promise<DockerRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'regrow-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const file = join(directory, 'config.yml');
  const auth =
    login === undefined ? [] : ['auth:', '  htpasswd:', '    realm: test', `    path: ${htpasswd(directory, login)}`];
  writeFileSync(
    file,
    [
      'version: 0.1',
      'log: {level: error, accesslog: {disabled: true}}',
      `storage: {filesystem: {rootdirectory: ${directory}/store}, delete: {enabled: true}}`,
      `http: {addr: "${host}"}`,
      ...auth,
      '',
    ].join('\n'),
  );
  const child = spawn('docker-registry', ['serve', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const address = `http://${host}`;
  await answers(child, `${address}/v2/`);
  return {
    address,
    host,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** bcrypt is all that it takes, and apache's htpasswd or Python may be missing: openssl knows no bcrypt, perl's crypt does. */
function htpasswd(directory: string, { username, password }: Login): string {
  const salt = '$2y$05$abcdefghijklmnopqrstuu';
  const hash = execFileSync('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, salt], { encoding: 'utf8' });
  const path = join(directory, 'htpasswd');
  writeFileSync(path, `${username}:${hash}\n`);
  return path;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

async function answers(child: ChildProcess, url: string): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}: ${said}`);
    const isUp = await fetch(url).then(
      async (answer) => {
        await answer.body?.cancel();
        return true;
      },
      () => false,
    );
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`docker-registry does not answer: ${said}`);
}
