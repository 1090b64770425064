import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createExec } from '../../src/adapters/exec.ts';
import { createFsObjects } from '../../src/adapters/objects/fs.ts';
import { parseImageDefinition } from '../../src/model/image-definition.ts';
import type { VerifyRequest } from '../../src/model/request.ts';
import { stagingKey } from '../../src/ports/objects.ts';
import { assembleImage } from '../../src/publish/image/index.ts';
import { buildEffect, storeResult } from '../../src/roles/effects.ts';
import type { createChildProver, createChildVerifier } from '../../src/roles/verifier.ts';
import { createManualClock } from '../fakes/manual-clock.ts';
import { liar, publishForProof } from '../support/image-liar.ts';
import { makePackage } from '../support/package-trees.ts';

const root = join(import.meta.dirname, '../..');
const at = '2026-06-01T09:00:00.000Z';
/** The program as it is installed: what package.json lists, and its dependencies. */
let program: string;

beforeAll(async () => {
  program = mkdtempSync(join(tmpdir(), 'regrow-built-'));
  const compile = ['--project', join(root, 'tsconfig.build.json'), '--outDir', join(program, 'dist')];
  await execa(join(root, 'node_modules/.bin/tsc'), compile, { cwd: root });
  cpSync(join(root, 'package.json'), join(program, 'package.json'));
  cpSync(join(root, 'config'), join(program, 'config'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(program, 'node_modules'));
}, 120_000);
afterAll(() => rmSync(program, { recursive: true, force: true }));

const regrow = (...args: string[]) =>
  execa(process.execPath, [join(program, 'dist/main.js'), ...args], { reject: false });

test('it says its version, and names its commands', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect((await regrow('--version')).stdout).toBe(version);
  const help = (await regrow('--help')).stdout;
  for (const command of ['demo', 'init', 'run', 'doctor', 'status', 'explain', 'graph'])
    expect(help).toContain(command);
  expect(await regrow('nonsense')).toMatchObject({ exitCode: 2, stdout: '' });
});

test('it reads recipes, with the pipelines and defaults that come with it', async () => {
  const recipes = join(program, 'recipes');
  mkdirSync(recipes);
  writeFileSync(join(recipes, 'tool.yaml'), 'package:\n  name: tool\n  version: "1.0"\n  epoch: 0\n');
  const graph = await regrow('graph', '--recipes', recipes, '--no-cache', '--json');
  expect(JSON.parse(graph.stdout)).toMatchObject({ recipes: 1, packages: 1 });
  const made = await regrow('init', join(program, 'mine'), '--recipes', recipes, '--json');
  expect(JSON.parse(made.stdout)).toMatchObject({ forge: 'git', recipes: 1 });
});

test("the verifier runs under Node's permission model: it judges, and can read nothing else", async () => {
  const folder = join(program, 'objects');
  const objects = await createFsObjects(folder);
  const tool = await makePackage({ name: 'tool', nodes: { 'usr/bin/tool': { content: '#!/bin/sh\n', mode: 0o755 } } });
  const named = { buildKey: 'key', attempt: 1, target: 'x86_64-gnu', package: 'tool', version: '1.0.0-r0' } as const;
  const build = { ...named, makes: [{ name: 'tool', tested: true }] };
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
  const module: { createChildProver: typeof createChildProver; createChildVerifier: typeof createChildVerifier } =
    await import(pathToFileURL(join(program, 'dist/roles/verifier.js')).href);
  const request: VerifyRequest = {
    kind: 'verify',
    purpose: 'main',
    generation: 0,
    packages: ['tool'],
    builds: [build],
    findings: { before: [], after: [] },
  };
  let argv: readonly string[] = [];
  const exec = createExec();
  const verify = module.createChildVerifier({
    exec: {
      run: (asked) => {
        argv = asked.argv;
        return exec.run(asked);
      },
    },
    clock: createManualClock(at),
    objects: folder,
  });
  const { signal } = new AbortController();
  expect(await verify(request, signal)).toMatchObject([{ package: 'tool', passed: true }]);
  expect(argv.join(' ')).toMatch(/ --(experimental-)?permission .*--allow-fs-read=/);
  expect(argv.join(' ')).not.toContain('--allow-fs-write');

  const file = { path: 'i.yaml', text: 'contents: {packages: [tool]}\n' };
  const image = await publishForProof(objects, [tool.bytes], file);
  const { definition } = parseImageDefinition(file.path, file.text);
  const platform = { arch: 'x86_64', libc: 'gnu' } as const;
  const input = {
    name: 'i',
    definition,
    target: platform,
    packages: [tool.bytes],
    keys: [],
    sourceDateEpoch: 1_700_000_000,
  };
  const index = await liar(objects, await assembleImage(input), [tool.bytes]).index({});
  const prove = module.createChildProver({ exec, objects: folder });
  await expect(prove({ image, index }, signal)).resolves.toBeUndefined();
  await expect(prove({ image: { ...image, keys: [{ name: 'k', pem: 'p' }] }, index }, signal)).rejects.toMatchObject({
    code: 'image.invalid',
    message: expect.stringContaining('/etc/apk/keys/k in its layer'),
  });

  // The same child, asked for objects that it was not given.
  const elsewhere = mkdtempSync(join(tmpdir(), 'regrow-secret-'));
  try {
    cpSync(folder, elsewhere, { recursive: true });
    const question = JSON.stringify({ objects: elsewhere, request, at });
    const [file, ...args] = argv;
    const { stdout } = await execa(file ?? '', args, { input: question, env: {}, extendEnv: false });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'storage.failed' } });
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

test('what npm packs is what it needs', async () => {
  const { stdout } = await execa('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [packed] = JSON.parse(stdout);
  const paths: string[] = packed.files.map((file: { path: string }) => file.path);
  const needed = ['README.md', 'LICENSE', 'package.json', 'config/default.yaml', 'config/pipelines/strip.yaml'];
  for (const path of [...needed, 'config/starter/hello.yaml', 'docs/errors.md']) expect(paths).toContain(path);
  expect(paths.filter((path) => /^(?:src|test|node_modules|\.regrow)/.test(path))).toEqual([]);
});
