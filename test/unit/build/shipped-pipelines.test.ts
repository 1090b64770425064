import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readPipelineDirectory } from '../../../src/adapters/pipeline-directory.ts';
import { readApk } from '../../../src/formats/apk.ts';
import { createPipelineLibrary } from '../../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { resolveRecipe } from '../../../src/model/recipe/resolve.ts';
import type { ResolvedStep } from '../../../src/model/recipe/resolved.ts';
import { hasCommands } from '../../support/host-commands.ts';
import { createEngineFixture, type EngineFixture, hostArch, hostPackages } from '../../support/host-engine.ts';

const texts = await readPipelineDirectory();
const library = createPipelineLibrary(texts);

function scripts(steps: readonly ResolvedStep[]): string[] {
  return steps.flatMap((step) => [...(step.runs === undefined ? [] : [step.runs]), ...scripts(step.steps)]);
}

/** The scripts of a pipeline with these inputs. */
function scriptsOf(name: string, inputs: Readonly<Record<string, string>>): string[] {
  const recipe = { package: { name: 'x', version: '1', epoch: 0 }, pipeline: [{ uses: name, with: inputs }] };
  const parsed = parseRecipe('x.yaml', JSON.stringify(recipe));
  const target = { arch: 'x86_64', libc: 'gnu' } as const;
  return scripts(resolveRecipe(parsed.recipe, { target, pipelines: library }).packages[0].steps);
}

test.each([...texts.keys()])('%s is shell that can be read, whatever its inputs are made of', (name) => {
  const inputs = Object.entries(library.get(name)?.inputs ?? {});
  const required = inputs.filter(([, input]) => input.required === true);
  for (const value of ['x', 'one\ntwo\n', 'a b --c=d', '-DX="y z"']) {
    const all = Object.fromEntries(inputs.map(([key]) => [key, value]));
    for (const given of [all, Object.fromEntries(required.map(([key]) => [key, value]))]) {
      for (const script of scriptsOf(name, given)) {
        const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
        expect({ status, stderr }, script).toEqual({ status: 0, stderr: '' });
      }
    }
  }
});

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await createEngineFixture();
});
afterAll(() => fixture.close());

async function build(text: string, host: readonly string[]) {
  const environment = { host: [...hostPackages, ...host].toSorted(), packages: [] };
  const recipe = `package:\n  name: tool\n  version: 1.0\n  epoch: 0\nenvironment:\n  contents:\n    packages: [build-base, busybox]\n${text}`;
  const testEnvironments = { tool: { host: [...hostPackages, ...host], packages: [] } };
  const request = fixture.request(recipe, `${hostArch}-gnu`, { environment, testEnvironments });
  const result = await fixture.build(request);
  return { result, log: await fixture.log(result) };
}

test.skipIf(!hasCommands(['perl', 'make'], 'perl make'))(
  'a Perl module is configured, made and installed, without what the installer notes down',
  async () => {
    const { result, log } = await build(
      `pipeline:
  - runs: |
      mkdir -p lib
      printf 'package Tool;\\nsub answer { 42 }\\n1;\\n' > lib/Tool.pm
      printf 'use ExtUtils::MakeMaker;\\nWriteMakefile(NAME => "Tool", VERSION => "1.0");\\n' > Makefile.PL
  - uses: perl/make
  - uses: autoconf/make
  - uses: autoconf/make-install
  - uses: perl/cleanup
`,
      ['perl'],
    );
    expect(result.outcome, log).toBe('passed');
    const paths = readApk(await fixture.file(result, 'tool-1.0-r0.apk'))
      .entries()
      .filter(({ type, path }) => type === 'file' && !path.startsWith('var'))
      .map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining([expect.stringMatching(/^usr\/share\/perl5\/Tool\.pm$/)]));
    expect(paths.filter((path) => /perllocal|packlist/.test(path))).toEqual([]);
  },
);

const imports = (inputs: string) => `pipeline:
  - runs: |
      mkdir -p \${{targets.destdir}}/usr/share
      touch \${{targets.destdir}}/usr/share/tool
test:
  pipeline:
    - runs: |
        mkdir -p venv/bin
        ln -s "$(command -v python3)" venv/bin/python3
    - uses: python/import
      with:
        venv: venv
${inputs}`;

test.each([
  [
    'statements, with comments',
    '        imports: |\n          import json # of text\n\n          from os import path\n',
    true,
  ],
  ['one module', '        import: json\n', true],
  ['a name of a module', '        from: os\n        import: path\n', true],
  ['a module that is not there', '        imports: |\n          import json\n          import regrow_nowhere\n', false],
  ['nothing', '', false],
  ['two ways at once', '        import: json\n        imports: import os\n', false],
])('python/import: %s', async (_, inputs, passes) => {
  const { result, log } = await build(imports(inputs), ['python3', 'wolfi-base']);
  expect(result.tests, log).toMatchObject([{ package: 'tool', outcome: passes ? 'passed' : 'failed' }]);
});
