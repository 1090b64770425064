import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createSandbox } from '../../../src/adapters/sandbox.ts';
import { createWorkspaces } from '../../../src/adapters/workspace.ts';
import { RegrowError } from '../../../src/errors.ts';
import type { SandboxRun } from '../../../src/ports/sandbox.ts';
import type { Workspace } from '../../../src/ports/workspace.ts';

const exec = createExec();
const sandbox = createSandbox({ exec });
let directory: string;
let workspace: Workspace & { dispose(): Promise<void> };
let output = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-sandbox-'));
  workspace = await createWorkspaces({ directory, exec }).create('sandbox');
  await workspace.makeDirectory('build');
  await workspace.makeDirectory('root');
  await workspace.mergeHost('root', 'gnu');
  await workspace.makeDirectory('musl');
  await workspace.mergeHost('musl', 'musl');
});
afterAll(async () => {
  await workspace.dispose();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  output = '';
});

function shell(script: string, more: Partial<SandboxRun> = {}): Promise<number> {
  return sandbox.run({
    root: workspace.path('root'),
    host: true,
    binds: [{ from: workspace.path('build'), to: '/home/build', writable: true }],
    argv: ['/bin/sh', '-c', script],
    cwd: '/home/build',
    env: { PATH: '/usr/bin' },
    timeout: 20_000,
    outputLimit: 1_000_000,
    onOutput: (chunk) => {
      output += Buffer.from(chunk).toString('utf8');
    },
    ...more,
  });
}

describe('sandbox', () => {
  test('can be made here', async () => {
    await expect(sandbox.probe()).resolves.toBeUndefined();
  });

  test('gives the exit code and both outputs in order', async () => {
    expect(await shell('echo 1; echo 2 >&2; echo 3; exit 7')).toBe(7);
    expect(output).toBe('1\n2\n3\n');
  });

  test('has the environment it is given and no more, a uid of its own, and no capability', async () => {
    expect(await shell('env; id -u; grep CapEff /proc/self/status', { env: { PATH: '/usr/bin', A: 'b c' } })).toBe(0);
    const lines = output
      .trim()
      .split('\n')
      .filter((line) => !/^(PWD|_|SHLVL)=/.test(line));
    expect(lines.sort()).toEqual(['1000', 'A=b c', 'CapEff:\t0000000000000000', 'PATH=/usr/bin']);
  });

  test('no root of the machine is mapped inside, and no setting of the kernel can be written', async () => {
    expect(await shell('echo x > /proc/sys/kernel/core_pattern')).not.toBe(0);
    expect(output).toMatch(/Read-only file system|Permission denied/);
    output = '';
    const image = join(directory, 'image');
    mkdirSync(image, { recursive: true });
    for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(image, name));
    const id = 'stat -c %u /secret; cat /secret; echo x > /proc/sys/kernel/core_pattern';
    writeFileSync(join(image, 'secret'), 'read\n', { mode: 0o600 });
    const code = await sandbox.run({
      root: image,
      binds: [{ from: '/usr', to: '/usr' }],
      argv: ['/bin/sh', '-c', id],
      cwd: '/',
      env: { PATH: '/usr/bin' },
      timeout: 20_000,
      outputLimit: 10_000,
      processLimit: 100,
      onOutput: (chunk) => (output += Buffer.from(chunk).toString('utf8')),
    });
    expect(code).not.toBe(0);
    expect(output).toMatch(/^1000\nread\n.*(Read-only file system|Permission denied)/);
    expect(statSync(join(image, 'secret')).uid).not.toBe(0);
  });

  test('the environment of a recipe reaches its own program alone, never one that still is root', async () => {
    const source = `#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
  FILE *file = fopen("/home/build/loaded", "a");
  if (file) { fprintf(file, "%d\\n", getpid()); fclose(file); }
}`;
    writeFileSync(workspace.path('build/evil.c'), source);
    expect(await shell('cc -shared -fPIC evil.c -o evil.so')).toBe(0);
    expect(await shell(':', { env: { PATH: '/usr/bin', LD_PRELOAD: '/home/build/evil.so' } })).toBe(0);
    expect(readFileSync(workspace.path('build/loaded'), 'utf8')).toBe('2\n');
  });

  test('reaches no network, not even this machine', async () => {
    const server = createServer((_request, response) => response.end('reached'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      expect(await shell(`bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3' && echo reached`)).not.toBe(0);
      expect(output).not.toContain('reached\n');
    } finally {
      server.close();
    }
  });

  test('sees no file of the host but its /usr, and cannot write to that or to the root', async () => {
    const secret = join(directory, 'secret');
    writeFileSync(secret, 'secret');
    expect(await shell(`cat ${secret}`)).not.toBe(0);
    expect(await shell('ls /root /home/build/.. ; cat /etc/passwd')).not.toBe(0);
    expect(await shell('touch /host/usr/x')).not.toBe(0);
    expect(await shell('touch /usr/x')).not.toBe(0);
    expect(await shell('touch /home/build/x /tmp/x')).toBe(0);
  });

  test.each([
    ['root', 'cc', 'ld-linux'],
    ['musl', 'cc', 'ld-musl'],
  ])('the host compiler works in the %s root', async (root, compiler, loader) => {
    writeFileSync(workspace.path('build/a.c'), '#include <stdio.h>\nint main(void) { puts("ran"); return 0; }\n');
    expect(await shell(`${compiler} a.c -o a && ./a && grep -ao '${loader}' a`, { root: workspace.path(root) })).toBe(
      0,
    );
    expect(output).toBe(`ran\n${loader}\n`);
  });

  test('has no descriptor that whoever started the daemon left open in it', async () => {
    const secret = join(directory, 'secret');
    writeFileSync(secret, 'of the machine', { mode: 0o600 });
    const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
    const run = { root: workspace.path('root'), host: true, cwd: '/', env: { PATH: '/usr/bin' }, timeout: 20_000 };
    const program = `
      import { createExec } from './src/adapters/exec.ts';
      import { createSandbox } from './src/adapters/sandbox.ts';
      const run = ${JSON.stringify({ ...run, outputLimit: 10_000, argv: ['/bin/bash', '-c', 'cat <&40; ls /proc/self/fd'] })};
      await createSandbox({ exec: createExec() }).run({ ...run, onOutput: (chunk) => process.stdout.write(chunk) });
    `;
    const descriptor = openSync(secret, 'r');
    const said = spawnSync(process.execPath, ['--import', loader, '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit', ...Array<'ignore'>(37).fill('ignore'), descriptor],
      encoding: 'utf8',
    });
    closeSync(descriptor);
    expect(said.stdout.split('\n')).toContain('40');
    expect(said.stdout).not.toContain('of the machine');
  });

  test('what is kept in memory has a limit: /tmp, /dev/shm, and no other place of /dev', async () => {
    const script = 'touch /dev/x; echo x > /dev/shm/x && echo x > /dev/null; df --output=size -B1 /tmp /dev/shm';
    expect(await shell(script)).toBe(0);
    expect(output).toMatch(/\/dev\/x'?: Read-only file system/);
    const bubblewrap = execFileSync('bwrap', ['--version'], { encoding: 'utf8' });
    if (/ 0\.[0-7]\./.test(bubblewrap)) return;
    expect(output).toMatch(new RegExp(`\\s${2 * 1024 ** 3}\\s+${2 * 1024 ** 3}\\s*$`));
  });

  test('ends everything at the time limit', async () => {
    const started = Date.now();
    await expect(shell('sleep 300 & setsid sleep 300 & echo started; wait', { timeout: 500 })).rejects.toMatchObject({
      code: 'build.timeout',
      message: expect.stringContaining('0.5 s'),
    });
    expect(output).toBe('started\n');
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test('ends an endless log, and hands on no more than the limit', async () => {
    await expect(shell('yes', { outputLimit: 10_000 })).rejects.toMatchObject({ code: 'build.log-limit' });
    expect(output.length).toBe(10_000);
  });

  test('ends a step that has too many processes', async () => {
    const script = 'i=0; while [ $i -lt 150 ]; do sleep 20 & i=$((i+1)); done; wait';
    await expect(shell(script, { processLimit: 100 })).rejects.toMatchObject({ code: 'build.process-limit' });
  });

  test('a fork bomb neither outlives its step nor stops the machine', async () => {
    const started = Date.now();
    // It may be caught over the limit, choke on the limit by itself, or smoulder until the time is up.
    const end = await shell('b() { b | b & }; b; b; sleep 60', { processLimit: 100, timeout: 3_000 }).catch(
      (error: unknown) => (error instanceof RegrowError ? error.code : error),
    );
    expect(['build.process-limit', 'build.timeout', 1, 2]).toContain(end);
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  test('an abort ends it', async () => {
    const controller = new AbortController();
    const running = shell('echo started; sleep 300', { signal: controller.signal, onOutput: () => controller.abort() });
    await expect(running).rejects.toMatchObject({ code: 'aborted', retry: 'now' });
    await expect(shell('true', { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
  });

  test('refuses a root in which a link stands where a mount is due', async () => {
    mkdirSync(join(directory, 'evil/host'), { recursive: true });
    symlinkSync('/etc', join(directory, 'evil/host/usr'));
    await expect(shell('true', { root: join(directory, 'evil') })).rejects.toMatchObject({
      code: 'build.output-unsafe',
    });
  });

  test('says what bubblewrap said when no sandbox can be made', async () => {
    const missing = createSandbox({ exec, bubblewrap: join(directory, 'none') });
    await expect(missing.probe()).rejects.toMatchObject({
      code: 'sandbox.unavailable',
      remedy: expect.stringContaining('user namespaces'),
    });
    const broken = join(directory, 'bwrap');
    writeFileSync(
      broken,
      '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.8.0 && exit\necho "bwrap: No permissions to create new namespace" >&2; exit 1\n',
    );
    chmodSync(broken, 0o755);
    await expect(createSandbox({ exec, bubblewrap: broken }).probe()).rejects.toMatchObject({
      code: 'sandbox.unavailable',
      message: expect.stringContaining('No permissions to create new namespace'),
    });
  });

  test('a file cannot grow beyond the limit', async () => {
    const small = createSandbox({ exec, fileSizeLimit: 1_000_000 });
    const code = await small.run({
      root: workspace.path('root'),
      host: true,
      binds: [{ from: workspace.path('build'), to: '/home/build', writable: true }],
      argv: ['/bin/sh', '-c', 'head -c 2000000 /dev/zero > big'],
      cwd: '/home/build',
      env: { PATH: '/usr/bin' },
      timeout: 20_000,
      outputLimit: 1000,
    });
    expect(code).not.toBe(0);
    expect(readFileSync(workspace.path('build/big')).length).toBe(1_000_000);
  });
});
