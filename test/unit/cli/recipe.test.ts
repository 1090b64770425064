import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createOutput } from '../../../src/cli/output.ts';
import { recipeCommand } from '../../../src/cli/recipe.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-recipe-'));
  mkdirSync(join(folder, 'pipelines', 'autoconf'), { recursive: true });
  // A distribution's own pipeline comes before regrow's of the same name.
  writeFileSync(
    join(folder, 'pipelines', 'autoconf', 'make.yaml'),
    'needs:\n  packages: [gmake]\nruns: gmake ${{build.arch}}\n',
  );
  writeFileSync(
    join(folder, 'tool.yaml'),
    `package:
  name: tool
  version: 1.10
  epoch: 2
environment:
  contents:
    packages: [build-base]
pipeline:
  - uses: autoconf/make
  - if: \${{build.arch}} == 'aarch64'
    runs: arm
  - uses: strip
subpackages:
  - name: tool-doc
    pipeline:
      - uses: split/manpages
    test:
      environment:
        contents:
          packages: [man-db]
      pipeline:
        - runs: man \${{context.name}}
test:
  pipeline:
    - uses: python/import
      with:
        imports: import tool
`,
  );
  writeFileSync(join(folder, 'broken.yaml'), 'package: 1\n');
  writeFileSync(
    join(folder, 'other-file.yaml'),
    'package:\n  name: other\n  version: "1"\n  epoch: 0\npipeline:\n  - uses: nowhere/none\n',
  );
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function show(...args: string[]) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  await recipeCommand({ output }).parseAsync(['show', '--recipes', folder, ...args], { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

test('a recipe as it is read: versions stay text, nothing is put in', async () => {
  const { out, exitCode } = await show('tool', '--json');
  expect(out.trimEnd().split('\n')).toHaveLength(1);
  expect(JSON.parse(out)).toMatchObject({
    package: { name: 'tool', version: '1.10', epoch: 2 },
    pipeline: [{ uses: 'autoconf/make' }, { if: "${{build.arch}} == 'aarch64'" }, { uses: 'strip' }],
  });
  expect(exitCode).toBe(0);
  expect(parse((await show('tool')).out)).toMatchObject({ package: { version: '1.10' } });
});

test('resolved: pipelines put in, conditions decided, packages of every environment', async () => {
  const { out, exitCode } = await show('tool', '--resolved', '--json');
  expect(exitCode).toBe(0);
  const resolved = JSON.parse(out);
  expect(resolved).toMatchObject({
    fullVersion: '1.10-r2',
    arch: 'x86_64',
    environment: { packages: ['binutils', 'build-base', 'busybox', 'gmake', 'scanelf'] },
    packages: [
      { name: 'tool', test: { packages: ['wolfi-base'] } },
      { name: 'tool-doc', test: { packages: ['man-db'], steps: [{ runs: 'man tool-doc' }] } },
    ],
  });
  expect(resolved.packages[0].steps).toMatchObject([
    { label: 'autoconf/make', runs: 'gmake x86_64' },
    { label: 'strip', steps: [{ runs: expect.stringContaining('/home/build/melange-out/tool') }] },
  ]);
  const arm = parse((await show('tool', '--resolved', '--arch', 'aarch64')).out);
  expect(arm.packages[0].steps.map((step: { runs?: string }) => step.runs)).toEqual([
    'gmake aarch64',
    'arm',
    undefined,
  ]);
});

test('a recipe goes by the name of its package, too, and a pipeline that is nowhere is named with field and remedy', async () => {
  expect(JSON.parse((await show('other', '--json')).out)).toMatchObject({ package: { name: 'other' } });
  const { out, exitCode } = await show('other', '--resolved', '--json');
  expect(exitCode).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    error: {
      code: 'recipe.pipeline-unknown',
      package: 'other',
      file: 'other-file.yaml',
      field: 'pipeline.0',
      remedy: 'put it in pipelines/nowhere/none.yaml beside the recipes',
    },
  });
});

test('what cannot be read, or is not there, says so', async () => {
  expect(await show('broken')).toMatchObject({
    out: '',
    err: expect.stringContaining('recipe.malformed'),
    exitCode: 1,
  });
  const { out, exitCode } = await show('none', '--json');
  expect(exitCode).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ error: { code: 'request.not-found', package: 'none' } });
});
