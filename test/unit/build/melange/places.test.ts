import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExec } from '../../../../src/adapters/exec.ts';
import { createWorkspaces } from '../../../../src/adapters/workspace.ts';
import { goDuration } from '../../../../src/build/melange/melange-run.ts';
import { readOutputs } from '../../../../src/build/melange/outputs.ts';
import { bringSources } from '../../../../src/build/melange/sources.ts';
import { createThrowAwayKey } from '../../../../src/build/melange/throw-away-key.ts';
import { signApk } from '../../../../src/formats/apk.ts';
import type { ResolvedRecipe, ResolvedStep } from '../../../../src/model/recipe/resolved.ts';
import type { GitCheckout } from '../../../../src/ports/git.ts';
import type { Workspace } from '../../../../src/ports/workspace.ts';
import { makePackage } from '../../../support/package-trees.ts';

let directory: string;
let workspace: Workspace & { dispose(): Promise<void> };
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-places-'));
  workspace = await createWorkspaces({ directory, exec: createExec() }).create('x');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const resolvedOf = (steps: readonly ResolvedStep[], names = ['hello'], tests: readonly ResolvedStep[] = []) =>
  ({
    name: names[0],
    fullVersion: '1.0.0-r0',
    packages: names.map((name, at) => ({
      name,
      steps: at === 0 ? steps : [],
      ...(at === 0 && tests.length > 0 ? { test: { packages: [], environment: {}, steps: tests } } : {}),
    })),
  }) as unknown as ResolvedRecipe;

const step = (uses: 'fetch' | 'git-checkout', inputs: Record<string, string>): ResolvedStep => ({
  label: uses,
  native: { uses, with: inputs },
  workingDirectory: '/home/build',
  environment: {},
  steps: [],
});

describe('sources', () => {
  const sha256 = 'a'.repeat(64);
  const sha512 = 'b'.repeat(128);
  const commit = 'c'.repeat(40);

  /** Brings the sources of steps; the upstreams are values. */
  async function bring(steps: readonly ResolvedStep[], tests: readonly ResolvedStep[] = [], head = commit) {
    const file = join(directory, 'file');
    await workspace.write('file', 'content');
    const checkouts: GitCheckout[] = [];
    const brought = await bringSources(resolvedOf(steps, ['hello'], tests), {
      workspace,
      signal: new AbortController().signal,
      say: () => undefined,
      context: {
        sources: { fetch: async () => ({ path: workspace.path('file'), sha256, sha512, bytes: 7 }) },
        git: {
          lsRemote: async () => [],
          files: async () => new Map(),
          checkout: async (request) => {
            checkouts.push(request);
            return { commit: head, time: 7 };
          },
        },
      },
    });
    return { ...brought, checkouts, file };
  }

  test('a fetched file lies where melange looks for it, under each hash that is pinned', async () => {
    const uri = 'https://example.org/x.tar.gz';
    const { sources } = await bring([step('fetch', { uri, 'expected-sha256': sha256, 'expected-sha512': sha512 })]);
    expect(sources).toEqual([{ kind: 'archive', url: uri, sha256, sha512 }]);
    for (const name of [`sha256:${sha256}`, `sha512:${sha512}`]) {
      expect(await readFile(workspace.path(`cache/${name}`), 'utf8')).toBe('content');
    }
  });

  test('a repository stands in for its address, with the names that steps ask for', async () => {
    const repository = 'https://example.org/x';
    const { sources, repositories, checkouts } = await bring(
      [
        step('git-checkout', { repository, branch: 'stable/1', 'expected-commit': commit }),
        step('git-checkout', { repository, tag: 'v1', 'expected-commit': commit, destination: 'other' }),
      ],
      [step('git-checkout', { repository: 'https://example.org/tests' })],
    );
    expect(repositories).toEqual([
      { repository, folder: 'git/0' },
      { repository: 'https://example.org/tests', folder: 'git/1' },
    ]);
    // What tests bring, packages are not made from.
    expect(sources).toEqual([
      { kind: 'git', repository, commit },
      { kind: 'git', repository, tag: 'v1', commit },
    ]);
    expect(checkouts.map(({ into }) => into)).toEqual(
      ['git/0', 'git/0', 'git/1'].map((one) => workspace.path(`cache/${one}`)),
    );
    expect(await readFile(workspace.path('cache/git/0/.git/refs/heads/stable/1'), 'utf8')).toBe(`${commit}\n`);
  });

  test('what leads to more than one commit is upstream’s to answer', async () => {
    const repository = 'https://example.org/x';
    const { repositories, sources } = await bring([
      step('git-checkout', { repository, tag: 'v1', 'cherry-picks': 'main/abc: x' }),
    ]);
    expect([repositories, sources]).toEqual([[], [{ kind: 'git', repository, tag: 'v1', commit }]]);
    await expect(stat(workspace.path('cache/git/0'))).rejects.toThrow('ENOENT');
  });

  test('another commit than the pinned one ends the build', async () => {
    const inputs = { repository: 'https://example.org/x', tag: 'v1', 'expected-commit': commit };
    const bringing = bring([step('git-checkout', inputs)], [], 'd'.repeat(40));
    await expect(bringing).rejects.toMatchObject({ code: 'source.hash-mismatch' });
  });
});

describe('outputs', () => {
  const put = (name: string, bytes: Uint8Array) => workspace.write(`out/x86_64/${name}`, bytes);

  test('are read without a signature', async () => {
    const { bytes, artifact } = await makePackage({ name: 'hello' });
    const { name, version } = artifact.info;
    await put(`${name}-${version}.apk`, signApk(bytes, await createThrowAwayKey(), 0));
    const resolved = { ...resolvedOf([], [name]), fullVersion: version };
    const [found] = await readOutputs(workspace, resolved, 'x86_64-gnu');
    expect(found?.artifact).toEqual(artifact);
    expect(Buffer.compare(found?.bytes ?? new Uint8Array(), bytes)).toBe(0);
  });

  test('that are not there are missed, although melange ended well', async () => {
    const reading = readOutputs(workspace, resolvedOf([], ['hello', 'hello-doc']), 'x86_64-gnu');
    await expect(reading).rejects.toMatchObject({
      code: 'build.output-missing',
      message: expect.stringContaining('hello-1.0.0-r0.apk, hello-doc-1.0.0-r0.apk'),
    });
  });

  test('that are nobody’s are refused, and so is what is no package', async () => {
    await put('hello-1.0.0-r0.apk', Buffer.from('no package'));
    await expect(readOutputs(workspace, resolvedOf([]), 'x86_64-gnu')).rejects.toMatchObject({
      code: 'package.malformed',
    });
    await put('evil-1.0.0-r0.apk', Buffer.from(''));
    await expect(readOutputs(workspace, resolvedOf([]), 'x86_64-gnu')).rejects.toMatchObject({
      code: 'build.output-unsafe',
      message: expect.stringContaining('evil-1.0.0-r0.apk'),
    });
  });

  test('are not read where they are larger than a package may be', async () => {
    await workspace.write('out/x86_64/hello-1.0.0-r0.apk', '');
    truncateSync(workspace.path('out/x86_64/hello-1.0.0-r0.apk'), 100 * 2 ** 30);
    await expect(readOutputs(workspace, resolvedOf([]), 'x86_64-gnu')).rejects.toMatchObject({
      code: 'build.output-unsafe',
      message: expect.stringContaining('a package may have 1536 MiB'),
    });
  });
});

test.each([
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['250ms', 250],
  ['soon', undefined],
  ['', undefined],
  ['5', undefined],
  [undefined, undefined],
])('the time limit %s of a recipe', (text, milliseconds) => {
  expect(goDuration(text)).toBe(milliseconds);
});
