import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';

const exec = createExec();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('exec', () => {
  test('gives output and exit code, and nothing of our environment', async () => {
    const result = await exec.run({
      argv: ['/bin/sh', '-c', 'echo "$GIVEN,$HOME"; echo e >&2; exit 3'],
      env: { GIVEN: 'x' },
    });
    expect(text(result.stdout)).toBe('x,\n');
    expect(result.stderr).toBe('e\n');
    expect(result).toMatchObject({ exitCode: 3, timedOut: false });
  });

  test('hands arguments over as they are and input to standard input', async () => {
    const result = await exec.run({ argv: ['/bin/cat', '-', '/dev/null'], input: '$(id) `id`\n' });
    expect(text(result.stdout)).toBe('$(id) `id`\n');
  });

  test('keeps no more output than the limit', async () => {
    const result = await exec.run({
      argv: ['/bin/sh', '-c', 'head -c 100000 /dev/zero'],
      env: { PATH: '/usr/bin' },
      limit: 1000,
    });
    expect(result.stdout.length).toBe(1000);
    expect(result.exitCode).toBe(0);
  });

  test('a time limit ends what the program started too', async () => {
    const result = await exec.run({
      argv: ['/bin/sh', '-c', 'sleep 60 & echo $!; wait'],
      env: { PATH: '/usr/bin' },
      timeout: 200,
    });
    expect(result.timedOut).toBe(true);
    const child = text(result.stdout).trim();
    // A killed orphan may stay as a zombie until init reaps it.
    const state = await readFile(`/proc/${child}/stat`, 'utf8').catch(() => 'gone Z');
    expect(state).toMatch(/ Z/);
  });

  test('an abort is an error of its own', async () => {
    const controller = new AbortController();
    const running = exec.run({ argv: ['/bin/sleep', '60'], signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'aborted', retry: 'now' });
    await expect(exec.run({ argv: ['/bin/true'], signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  test('asks as it is told to, waits as long as it is told to, and then ends it', async () => {
    const controller = new AbortController();
    const said: string[] = [];
    const run = (script: string, grace: number) => {
      said.length = 0;
      return exec.run({
        argv: ['/bin/sh', '-c', script],
        env: { PATH: '/usr/bin:/bin' },
        timeout: 300,
        stop: { signal: 'SIGINT', grace },
        signal: controller.signal,
        onOutput: (chunk) => said.push(text(chunk)),
      });
    };
    const tidy = await run('trap "echo tidied; exit 7" INT; while :; do sleep 0.05; done', 10_000);
    expect(said.join('')).toBe('tidied\n');
    expect(tidy).toMatchObject({ exitCode: 7, timedOut: true });
    const stubborn = await run('trap "" INT; echo deaf; sleep 60', 100);
    expect(said.join('')).toBe('deaf\n');
    expect(stubborn).toMatchObject({ timedOut: true });
  });

  test('a program that is not there is named with its remedy', async () => {
    await expect(exec.run({ argv: ['regrow-no-such-tool'], env: { PATH: '/usr/bin' } })).rejects.toMatchObject({
      code: 'tool.missing',
      message: expect.stringContaining('regrow-no-such-tool'),
      remedy: expect.stringContaining('install'),
    });
  });
});
