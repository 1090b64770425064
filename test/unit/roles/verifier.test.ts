import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createFsObjects } from '../../../src/adapters/objects/fs.ts';
import type { VerifyRequest } from '../../../src/model/request.ts';
import { type Objects, stagingKey } from '../../../src/ports/objects.ts';
import { buildEffect, storeResult } from '../../../src/roles/effects.ts';
import { createChildVerifier, type Verify } from '../../../src/roles/verifier.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { makePackage } from '../../support/package-trees.ts';

const at = '2026-06-01T09:00:00.000Z';
const name = { buildKey: 'key', attempt: 1, target: 'x86_64-gnu', package: 'tool', version: '1.0.0-r0' } as const;
const build = { ...name, makes: [{ name: 'tool', tested: true }] };
const request: VerifyRequest = {
  kind: 'verify',
  purpose: 'main',
  generation: 0,
  packages: ['tool'],
  builds: [build],
  findings: { before: [], after: [] },
};

let directory: string;
let objects: Objects;
let verify: Verify;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-verifier-'));
  objects = await createFsObjects(directory);
  verify = createChildVerifier({ exec: createExec(), clock: createManualClock(at), objects: directory });
});
afterEach(() => {
  delete process.env['NODE_OPTIONS'];
  rmSync(directory, { recursive: true, force: true });
});

async function leaveBuild(): Promise<void> {
  const tool = await makePackage({ name: 'tool', nodes: { 'usr/bin/tool': { content: '#!/bin/sh\n', mode: 0o755 } } });
  await objects.put(stagingKey('key', 'tool-1.0.0-r0.apk'), tool.bytes);
  await storeResult(objects, {
    kind: 'built',
    effect: buildEffect(build),
    at,
    attempt: 1,
    build: {
      schema: 1,
      buildKey: 'key',
      request: 'request',
      outcome: 'passed',
      artifacts: [tool.artifact],
      tests: [{ package: 'tool', outcome: 'passed' }],
      log: 'staging/key/log',
      milliseconds: 1,
      builder: 'test',
    },
  });
}

test('a child judges what lies in the object store, and has nothing of our environment', async () => {
  await leaveBuild();
  // A child that had our environment would not even start.
  process.env['NODE_OPTIONS'] = '--require /nonexistent/secret.cjs';
  const [verdict, ...others] = await verify(request, new AbortController().signal);
  expect(others).toEqual([]);
  expect(verdict).toMatchObject({ buildKey: 'key', package: 'tool', version: '1.0.0-r0', passed: true, at });
  expect(verdict?.gates.length).toBeGreaterThan(3);
});

test('a package that is not what the build said is held', async () => {
  await leaveBuild();
  await objects.put(stagingKey('key', 'tool-1.0.0-r0.apk'), Buffer.from('something else'));
  const [verdict] = await verify(request, new AbortController().signal);
  expect(verdict?.passed).toBe(false);
});

test('an error in the child comes back with its code, and says whether to try again', async () => {
  await expect(verify(request, new AbortController().signal)).rejects.toMatchObject({
    code: 'internal',
    retry: 'later',
    message: 'the result of the build of tool 1.0.0-r0 is gone',
  });
});

test('a child that is stopped leaves no verdict', async () => {
  await leaveBuild();
  const stop = new AbortController();
  const judging = verify(request, stop.signal);
  stop.abort();
  await expect(judging).rejects.toMatchObject({ code: 'aborted' });
});
