import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { graphCommand } from '../../../src/cli/graph.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { sharedData } from '../../support/shared-data.ts';

let folder: string;
let out: string;
let err: string;
let exitCode: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-graph-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, needs: readonly string[], version = '1.0'): void {
  const packages = needs.map((need) => `      - ${need}\n`).join('');
  writeFileSync(
    join(folder, `${name}.yaml`),
    `package:\n  name: ${name}\n  version: "${version}"\n  epoch: 0\nenvironment:\n  contents:\n    packages:\n${packages}`,
  );
}

async function graph(...options: string[]): Promise<void> {
  out = '';
  err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  const args = ['--recipes', folder, '--cache', join(folder, 'cache'), ...options];
  await graphCommand({ output }).parseAsync(args, { from: 'user' });
  exitCode = output.exitCode;
}

test('what the host stands in for is not unresolved, unless a recipe makes another version of it', async () => {
  write('hello', ['build-base', 'busybox', 'nowhere']);
  write('world', ['busybox', 'automake<1.17']);
  await graph('--json', '--unresolved');
  expect(JSON.parse(out)).toMatchObject({
    unresolved: 1,
    fromHost: 4,
    unresolvedNeeds: [{ origin: 'hello', dependency: 'nowhere' }],
  });
  await graph();
  expect(out).toContain('from the host 4: automake<1.17 build-base busybox');
  write('automake', [], '1.18');
  await graph('--json');
  expect(JSON.parse(out)).toMatchObject({ unresolved: 2, fromHost: 3 });
});

test('one line of JSON, the same from the cache, and what changed is read again', async () => {
  write('gcc', ['libc']);
  write('libc', ['gcc', 'headers']);
  await graph('--json');
  const first = JSON.parse(out);
  expect(first).toEqual({
    recipes: 2,
    packages: 2,
    edges: 2,
    unresolved: 1,
    cycles: [2],
    depth: 0,
    milliseconds: expect.any(Number),
  });
  await graph('--json');
  expect(JSON.parse(out)).toEqual({ ...first, milliseconds: expect.any(Number) });
  write('libc', ['gcc']);
  await graph('--json', '--cycles', '--unresolved');
  expect(JSON.parse(out)).toMatchObject({ unresolved: 0, cycleMembers: [['gcc', 'libc']], unresolvedNeeds: [] });
  await graph('--json', '--no-cache');
  expect(JSON.parse(out)).toMatchObject({ unresolved: 0, cycles: [2] });
  expect(err).toBe('');
});

test('a table for people, with cycles and what is missing on request', async () => {
  write('gcc', ['libc', 'headers']);
  write('libc', ['gcc', 'headers', 'awk']);
  await graph('--cycles', '--unresolved');
  expect(out).toContain('cycles        2 recipes\n');
  expect(out).toContain('cycle of 2\n  gcc libc\n');
  expect(out).toContain('nothing here provides\n  headers  for gcc libc\n  awk  for libc\n');
});

test('a recipe that cannot be read is reported with its code, and the others count', async () => {
  write('good', ['gone']);
  write('bad', [], '1.0-beta');
  await graph('--json');
  expect(err).toMatch(
    /^recipe\.version-invalid: bad\.yaml:3: package\.version of bad: "1\.0-beta" is not an apk version\n$/,
  );
  expect(JSON.parse(out)).toMatchObject({
    recipes: 1,
    failures: [{ code: 'recipe.version-invalid', file: 'bad.yaml', line: 3 }],
  });
  expect(exitCode).toBe(1);
  write('bad', []);
  await graph();
  expect(out).toContain('cycles        none\n');
  expect(out).toContain('not readable  0\n');
});

test('a cache that cannot be written costs time only', async () => {
  write('good', ['gone']);
  writeFileSync(join(folder, 'cache'), '');
  await graph('--json');
  expect(JSON.parse(out)).toMatchObject({ recipes: 1 });
  expect(err).toContain('cannot be written');
});

test('a folder that is not there is an error as every other: code, remedy, exit code 3', async () => {
  await graph('--recipes', join(folder, 'gone'), '--json');
  expect(JSON.parse(out)).toMatchObject({ error: { code: 'config.invalid', remedy: expect.any(String) } });
  expect(exitCode).toBe(3);
  await graph('--recipes', join(folder, 'gone'));
  expect(err).toMatch(/^error config\.invalid: /);
});

const recipes = sharedData('wolfi-os');

test.skipIf(recipes === undefined)(
  'the whole of Wolfi: the figures of docs/graph.md',
  { timeout: 180_000 },
  async () => {
    await graph('--recipes', recipes ?? '', '--json');
    expect(JSON.parse(out)).toMatchObject({
      recipes: 3401,
      packages: 11_166,
      edges: 31_553,
      unresolved: 104,
      cycles: [409, 17],
      depth: 11,
    });
    const cold: number = JSON.parse(out).milliseconds;
    await graph('--recipes', recipes ?? '', '--json');
    expect(JSON.parse(out).milliseconds).toBeLessThan(cold);
  },
);
