import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createStepWatch } from '../../../src/adapters/step-watch.ts';

let directory: string;
let statusFile: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-watch-'));
  statusFile = join(directory, 'status');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const stepWatch = createStepWatch();

/** Runs a script in bubblewrap as melange's steps are run: in a pid namespace, of which the status file tells. */
function step(script: string) {
  const run = `exec 9>> "$1"; exec bwrap --unshare-pid --die-with-parent --dev-bind / / --json-status-fd 9 /bin/sh -c "$2"`;
  const child = spawn('/bin/sh', ['-c', run, 'sh', statusFile, script], { stdio: 'ignore' });
  return once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
}

describe('steps that others run', () => {
  test('with more processes than allowed are ended, and it is said once', async () => {
    let said = 0;
    const end = stepWatch.watch(statusFile, 30, () => (said += 1));
    const [code] = await step('for one in $(seq 80); do sleep 60 & done; wait');
    await sleep(300);
    end();
    expect([said, code === 0]).toEqual([1, false]);
  });

  test('of several sandboxes the newest counts; those with few processes go on', async () => {
    let said = 0;
    const end = stepWatch.watch(statusFile, 30, () => (said += 1));
    expect(await step('sleep 0.3')).toEqual([0, null]);
    expect(await step('sleep 0.3 & sleep 0.3 & wait')).toEqual([0, null]);
    end();
    expect(said).toBe(0);
    expect(readFileSync(statusFile, 'utf8').match(/"pid-namespace"/g)).toHaveLength(2);
  });

  test('nothing is said of what has not begun, or has ended', async () => {
    let said = 0;
    const end = stepWatch.watch(statusFile, 1, () => (said += 1));
    await sleep(250);
    // The namespace of this very test, which has more than one process.
    const own = Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0]);
    writeFileSync(statusFile, `{ "child-pid": 4194303, "pid-namespace": ${own} }\n{ "exit-code": 0 }\n`);
    await sleep(250);
    end();
    expect(said).toBe(0);
  });

  test('the brake is above the limit', () => {
    expect(stepWatch.brake(10)).toBeGreaterThan(20);
  });
});
