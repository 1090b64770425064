import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { initCommand } from '../../../src/cli/init.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { loadConfig } from '../../../src/config/load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-init-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function init(...args: string[]) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  await initCommand({ output })
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parseAsync(args, { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

async function git(repository: string, ...args: string[]): Promise<string> {
  const argv = ['git', `--git-dir=${repository}`, ...args] as const;
  const { stdout } = await createExec().run({ argv: [...argv], env: { PATH: '/usr/local/bin:/usr/bin:/bin' } });
  return new TextDecoder().decode(stdout);
}

/** A recipe in a file of any name; what its package is called stays within what apk allows. */
function recipe(file: string, version = '1.0'): void {
  const name = file.replaceAll(/[^a-z]+/g, '-').replace(/-$/, '');
  writeFileSync(join(folder, `${file}.yaml`), `package:\n  name: ${name}\n  version: "${version}"\n  epoch: 0\n`);
}

test("recipes of one's own, in their own folder: everything is committed but what regrow and git keep", async () => {
  recipe('tool');
  recipe('odd "name"');
  recipe('bad', '1.0-beta');
  mkdirSync(join(folder, 'tool'));
  writeFileSync(join(folder, 'tool', 'run.sh'), '#!/bin/sh\n');
  chmodSync(join(folder, 'tool', 'run.sh'), 0o755);
  writeFileSync(join(folder, 'tool', 'data.bin'), Buffer.from([0, 255, 10, 13, 0]));
  symlinkSync('run.sh', join(folder, 'tool', 'link'));
  mkdirSync(join(folder, '.git'));
  writeFileSync(join(folder, '.git', 'HEAD'), 'not to be copied');

  const { out, err, exitCode } = await init(folder, '--recipes', folder, '--json');
  expect(exitCode).toBe(0);
  expect(err).toContain('recipe.version-invalid: bad.yaml:3');
  const made = JSON.parse(out);
  expect(made).toMatchObject({ forge: 'git', recipes: 2, repository: join(folder, '.regrow/recipes.git') });
  expect(await git(made.repository, 'fsck', '--strict')).toBe('');
  const tree = (await git(made.repository, 'ls-tree', '-r', '-z', '--format=%(objectmode) %(path)', 'main')).split(
    '\0',
  );
  expect(tree.filter(Boolean)).toEqual([
    '100644 bad.yaml',
    // As git itself quotes it.
    String.raw`100644 "odd \"name\".yaml"`,
    '100644 tool.yaml',
    '100644 tool/data.bin',
    '120000 tool/link',
    '100755 tool/run.sh',
  ]);
  expect((await git(made.repository, 'rev-parse', 'main')).trim()).toBe(made.commit);
});

test('with the C library of this machine beside the recipes, unless there is one of that name', async () => {
  recipe('tool');
  const first = await init(join(folder, 'first'), '--recipes', folder, '--host-libc', '--json');
  const made = JSON.parse(first.out);
  expect(made.recipes).toBe(2);
  expect(await git(made.repository, 'show', 'main:host-libc.yaml')).toContain('-print-file-name');
  recipe('host-libc', '9');
  const own = join(folder, 'own');
  const second = JSON.parse((await init(own, '--recipes', folder, '--host-libc', '--json')).out);
  expect(await git(second.repository, 'show', 'main:host-libc.yaml')).toContain('version: "9"');
});

test('with what melange builds with beside the recipes, and a configuration that has melange build the others', async () => {
  recipe('tool');
  recipe('shell', '9');
  const { out } = await init(join(folder, 'first'), '--recipes', folder, '--bootstrap', '--json');
  const made = JSON.parse(out);
  expect(made.recipes).toBe(6);
  expect(made.next[0]).toContain('busybox-static');
  const files = await git(made.repository, 'ls-tree', '-r', '--name-only', 'main');
  expect(files.split('\n')).toEqual(
    expect.arrayContaining(['build-base.yaml', 'build-base/scanelf', 'host-libc.yaml']),
  );
  expect(await git(made.repository, 'show', 'main:shell.yaml')).toContain('version: "9"');
  const { config } = loadConfig({ file: made.config, environment: {}, cwd: '/' });
  const names = files.split('\n').flatMap((path) => /^([^/]+)\.yaml$/.exec(path)?.[1] ?? []);
  expect(config.build.engine).toBe('melange');
  expect(Object.keys(config.build.engines).toSorted()).toEqual(names.filter((name) => name !== 'tool').toSorted());
  const foreign = await init(join(folder, 'second'), '--bootstrap', '--target', 'x86_64-musl', 'aarch64-musl');
  expect(foreign).toMatchObject({ exitCode: 2, err: expect.stringContaining('leave --target out') });
});

test('nothing is overwritten, and nothing half made is left', async () => {
  const repository = join(folder, '.regrow', 'recipes.git');
  mkdirSync(repository, { recursive: true });
  const { err, exitCode } = await init(folder);
  expect({ exitCode, err }).toEqual({ exitCode: 3, err: expect.stringContaining(`${repository} is there already`) });
  expect(existsSync(join(folder, 'regrow.yaml'))).toBe(false);
  rmSync(repository, { recursive: true });

  writeFileSync(join(folder, 'regrow.yaml'), 'mine');
  expect((await init(folder)).exitCode).toBe(3);
  expect(readFileSync(join(folder, 'regrow.yaml'), 'utf8')).toBe('mine');
  expect(readdirSync(join(folder, '.regrow'))).toEqual([]);
});

test('a folder without recipes, a target that there is not, both forges at once', async () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  expect((await init(join(folder, 'new'), '--recipes', empty)).err).toContain('holds no recipe that can be read');
  expect((await init(join(folder, 'new'), '--target', 'sparc-gnu')).exitCode).toBe(2);
  expect((await init(join(folder, 'new'), '--github', 'no-slash')).exitCode).toBe(2);
  await expect(init(folder, '--github', 'a/b', '--recipes', empty)).rejects.toMatchObject({
    code: 'commander.conflictingOption',
  });
  expect(existsSync(join(folder, 'new'))).toBe(false);
});

test('with GitHub: a configuration, which token with which permissions, and no repository', async () => {
  const { out, exitCode } = await init(folder, '--github', 'octo/os');
  expect(exitCode).toBe(0);
  for (const text of ['REGROW_FORGE_TOKEN', 'pull requests', 'commit statuses', 'regrow run'])
    expect(out).toContain(text);
  expect(readdirSync(folder)).toEqual(['regrow.yaml']);
});
