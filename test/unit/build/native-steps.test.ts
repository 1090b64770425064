import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createWorkspaces } from '../../../src/adapters/workspace.ts';
import { runNativeStep } from '../../../src/build/host/native-steps.ts';
import type { ResolvedStep } from '../../../src/model/recipe/resolved.ts';
import type { Git } from '../../../src/ports/git.ts';
import type { Workspace } from '../../../src/ports/workspace.ts';

let directory: string;
let workspace: Workspace & { dispose(): Promise<void> };
/** What git found in the directory that it was to check out into. */
let found: readonly string[] | undefined;

const commit = 'a'.repeat(40);
const git: Git = {
  lsRemote: async () => [],
  files: async () => new Map(),
  checkout: async ({ into }) => {
    found = readdirSync(into);
    mkdirSync(join(into, '.git'));
    mkdirSync(join(into, 'sub'));
    writeFileSync(join(into, 'sub/main.c'), 'int x;');
    return { commit, time: 1_600_000_000 };
  },
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-native-'));
  workspace = await createWorkspaces({ directory: join(directory, 'work'), exec: createExec() }).create('native');
  found = undefined;
});
afterEach(async () => {
  await workspace.dispose();
  rmSync(directory, { recursive: true, force: true });
});

function run(build: string, uses: 'fetch' | 'git-checkout', inputs: Readonly<Record<string, string>>) {
  const step: ResolvedStep = {
    label: uses,
    workingDirectory: '/home/build',
    environment: {},
    native: { uses, with: inputs },
    steps: [],
  };
  const path = join(directory, 'download');
  writeFileSync(path, 'source');
  return runNativeStep(step, {
    workspace,
    build,
    sourceDateEpoch: 1_700_000_000,
    sources: { fetch: async () => ({ path, bytes: 6, sha256: 'b'.repeat(64), sha512: 'c'.repeat(128) }) },
    git,
    package: 'hello',
    say: () => undefined,
    signal: new AbortController().signal,
  });
}

const repository = 'https://git.example.org/hello';

test('git never runs where a step was before, so that no repository left there is opened', async () => {
  await workspace.write('build/src/sub/.git/config', '[core]\n\tfsmonitor = touch /tmp/x\n');
  await run('build', 'git-checkout', { repository, destination: 'src', 'recurse-submodules': 'true' });
  expect(found).toEqual([]);
  expect(readFileSync(workspace.path('build/src/sub/main.c'), 'utf8')).toBe('int x;');
  expect(await workspace.list('')).toEqual(['build']);
});

test('a checkout is not written through a link out of the build', async () => {
  await workspace.write('root/usr/x', '');
  await workspace.makeDirectory('build/src');
  symlinkSync(workspace.path('root/usr'), workspace.path('build/src/sub'));
  const unsafe = { code: 'build.output-unsafe' };
  await expect(run('build', 'git-checkout', { repository, destination: 'src' })).rejects.toMatchObject(unsafe);
  symlinkSync(workspace.path('root/usr'), workspace.path('build/out'));
  const inputs = { uri: 'https://example.org/x', extract: 'false', directory: 'out' };
  await expect(run('build', 'git-checkout', { repository, destination: 'out' })).rejects.toMatchObject(unsafe);
  await expect(run('build', 'fetch', { ...inputs, extract: 'true' })).rejects.toMatchObject(unsafe);
  expect(await workspace.list('root/usr')).toEqual(['x']);
});

test('in a test pipeline sources come into the directory of the test, with the time of the source', async () => {
  await run('test-hello/build', 'fetch', { uri: 'https://example.org/data.bin', extract: 'false' });
  await run('test-hello/build', 'git-checkout', { repository, destination: 'src' });
  expect(await workspace.list('')).toEqual(['test-hello']);
  expect(await workspace.list('test-hello/build')).toEqual(['data.bin', 'src']);
  expect((await stat(workspace.path('test-hello/build/data.bin'))).mtimeMs).toBe(1_700_000_000_000);
});
