import { expect, test } from 'vitest';
import { readPipelineDirectory } from '../../../src/adapters/pipeline-directory.ts';
import { readRecipeDirectory } from '../../../src/adapters/recipe-directory.ts';
import { RegrowError } from '../../../src/errors.ts';
import { createPipelineLibrary, type PipelineLibrary } from '../../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { resolveRecipe, usedPipelines } from '../../../src/model/recipe/resolve.ts';
import type { ResolvedRecipe } from '../../../src/model/recipe/resolved.ts';
import type { Arch } from '../../../src/model/target.ts';
import { sharedData } from '../../support/shared-data.ts';

const head = 'package:\n  name: foo\n  version: "2602"\n  epoch: 1\n';

const library = createPipelineLibrary(
  new Map([
    [
      'greet',
      `name: Greet \${{inputs.whom}}
needs:
  packages: [ "hello-\${{inputs.whom}}", busybox ]
inputs:
  whom:
    required: true
  into:
    default: \${{targets.contextdir}}
  loud:
    default: ""
environment:
  LOUD: "\${{inputs.loud}}"
working-directory: greetings
pipeline:
  - runs: echo \${{inputs.whom}} > \${{inputs.into}}/\${{inputs.loud}}
`,
    ],
    ['twice', 'pipeline:\n  - uses: greet\n    with:\n      whom: you\n  - uses: greet\n    with:\n      whom: me\n'],
    ['loop', 'pipeline:\n  - uses: circle\n'],
    ['circle', 'pipeline:\n  - uses: loop\n'],
    ['only-arm', "if: ${{build.arch}} == 'aarch64'\nruns: arm\n"],
    ['broken', 'pipeline: x\n'],
    ['nothing', '- a\n'],
  ]),
);

function resolve(text: string, arch: Arch = 'x86_64', pipelines: PipelineLibrary = library): ResolvedRecipe {
  return resolveRecipe(parseRecipe('foo.yaml', head + text).recipe, {
    target: { arch, libc: 'gnu' },
    pipelines,
    file: 'foo.yaml',
  });
}

function runs(text: string, arch: Arch = 'x86_64') {
  return resolve(`pipeline:\n${text}`, arch).packages[0].steps;
}

test('variables use others in any order, and transforms come after them', () => {
  const [origin] = resolve(`vars:
  a: x\${{vars.b}}
  b: y\${{vars.short}}
  c: \${{vars.c}}
var-transforms:
  - from: \${{package.version}}
    match: ^(\\d{2})(\\d{2})
    replace: $1.$2
    to: short
  - from: \${{vars.short}}
    match: \\.
    to: bare
pipeline:
  - runs: \${{vars.a}} \${{vars.bare}} \${{package.full-version}}
`).packages;
  expect(origin.steps[0]?.runs).toBe('xy26.02 2602 2602-r1');
});

test('a variable in a circle is unknown', () => {
  expect(() =>
    resolve(
      'vars:\n  a: ${{vars.b}}\n  b: ${{vars.a}}\npipeline:\n  - name: x\n    runs: x\n    working-directory: ${{vars.none}}\n',
    ),
  ).toThrow(expect.objectContaining({ code: 'recipe.variable-unknown' }));
});

test('a transform of an unknown variable, or with a pattern that is none, names the field', () => {
  const transform = (from: string, match: string) =>
    `var-transforms:\n  - from: ${from}\n    match: "${match}"\n    replace: x\n    to: y\n`;
  expect(() => resolve(transform('${{vars.none}}', 'a'))).toThrow(
    expect.objectContaining({
      code: 'recipe.variable-unknown',
      where: { package: 'foo', field: 'var-transforms.0.from' },
    }),
  );
  expect(() => resolve(transform('${{package.version}}', '('))).toThrow(
    expect.objectContaining({
      code: 'recipe.pattern-invalid',
      where: { package: 'foo', field: 'var-transforms.0.match' },
    }),
  );
});

test('the target is known to steps', () => {
  const steps = runs(`  - runs: |
      \${{host.triplet.gnu}} \${{host.triplet.rust}} \${{cross.triplet.gnu.musl}} \${{build.goarch}}
      \${{targets.outdir}} \${{targets.destdir}} \${{targets.contextdir}} \${{targets.package.foo}} \${{context.name}}
`);
  expect(steps[0]?.runs).toBe(`x86_64-pc-linux-gnu x86_64-unknown-linux-gnu x86_64-pc-linux-musl amd64
/home/build/melange-out /home/build/melange-out/foo /home/build/melange-out/foo /home/build/melange-out/foo foo
`);
});

test('steps whose condition does not hold are left out, with all below them', () => {
  const text =
    "  - if: ${{build.arch}} == 'aarch64'\n    pipeline:\n      - runs: a\n  - runs: b\n  - uses: only-arm\n";
  expect(runs(text).map((step) => step.runs)).toEqual(['b']);
  expect(runs(text, 'aarch64')).toMatchObject([
    { steps: [{ runs: 'a' }] },
    { runs: 'b' },
    { runs: 'arm', label: 'only-arm' },
  ]);
});

test('a pipeline is put in with its inputs, defaults, environment and directory', () => {
  const resolved = resolve('pipeline:\n  - uses: greet\n    with:\n      whom: you\n      into: ""\n');
  expect(resolved.packages[0].steps).toEqual([
    {
      label: 'greet',
      workingDirectory: '/home/build/greetings',
      environment: { LOUD: '' },
      steps: [
        {
          label: 'runs',
          runs: 'echo you > /home/build/melange-out/foo/',
          workingDirectory: '/home/build/greetings',
          environment: {},
          steps: [],
        },
      ],
    },
  ]);
  expect(resolved.environment.packages).toEqual(['busybox', 'hello-you']);
});

test('directories: relative to the workspace, absolute as they are, the outer one where there is none', () => {
  const steps = runs(`  - working-directory: ./a
    pipeline:
      - runs: x
      - working-directory: b
        runs: y
      - working-directory: /c
        runs: z
  - working-directory: .
    runs: w
`);
  expect(steps.map((step) => step.workingDirectory)).toEqual(['/home/build/a', '/home/build']);
  expect(steps[0]?.steps.map((step) => step.workingDirectory)).toEqual(['/home/build/a', '/home/build/b', '/c']);
});

test('inputs stay known to what is nested, also in pipelines that those pipelines use', () => {
  const pipelines = createPipelineLibrary(
    new Map([
      [
        'outer',
        'inputs:\n  x:\n    default: d\n  y:\npipeline:\n  - uses: inner\n    with:\n      y: ${{inputs.y}}!\n',
      ],
      [
        'inner',
        `inputs:
  y:
    default: \${{inputs.z}}
  z:
    default: own
pipeline:
  - with:
      w: w
    pipeline:
      - runs: \${{inputs.w}} \${{inputs.x}} \${{inputs.y}} \${{inputs.z}}
`,
      ],
    ]),
  );
  const run = (text: string) => resolve(`pipeline:\n${text}`, 'x86_64', pipelines).packages[0].steps;
  const [outer] = run('  - uses: outer\n    with:\n      x: X\n      y: from ${{inputs.x}}\n');
  expect(outer?.steps[0]?.steps[0]?.steps[0]?.runs).toBe('w X from X! own');
});

test('fetch and git-checkout stay, with all their inputs', () => {
  const steps = runs(`  - uses: fetch
    with:
      uri: https://x/\${{package.version}}.tar.gz
      expected-sha256: ${'a'.repeat(64)}
  - uses: git-checkout
    with:
      repository: https://x/y
      tag: v\${{package.version}}
`);
  expect(steps[0]).toMatchObject({
    label: 'fetch',
    native: {
      uses: 'fetch',
      with: {
        uri: 'https://x/2602.tar.gz',
        'strip-components': '1',
        extract: 'true',
        directory: '.',
        'purl-name': 'foo',
      },
    },
  });
  expect(steps[1]?.native).toMatchObject({
    uses: 'git-checkout',
    with: { tag: 'v2602', destination: '.', 'recurse-submodules': 'false' },
  });
  expect(() => runs('  - uses: fetch\n')).toThrow(
    expect.objectContaining({
      code: 'recipe.malformed',
      where: { package: 'foo', file: 'foo.yaml', field: 'pipeline.0.with.uri' },
    }),
  );
});

test('what is wrong with pipelines is refused, naming recipe and field', () => {
  const where = { package: 'foo', file: 'foo.yaml', field: 'pipeline.0' };
  expect(() => runs('  - uses: none\n')).toThrow(expect.objectContaining({ code: 'recipe.pipeline-unknown', where }));
  expect(() => runs('  - uses: loop\n')).toThrow(
    expect.objectContaining({ code: 'recipe.include-cycle', message: expect.stringContaining('loop → circle → loop') }),
  );
  expect(() => runs('  - uses: greet\n')).toThrow(
    expect.objectContaining({ code: 'recipe.malformed', message: 'foo: pipeline.0: greet needs the input whom' }),
  );
  expect(() => runs('  - uses: broken\n')).toThrow(
    expect.objectContaining({
      code: 'recipe.malformed',
      where: { file: 'pipelines/broken.yaml', line: 1, field: 'pipeline' },
    }),
  );
  expect(() => runs('  - uses: nothing\n')).toThrow(
    expect.objectContaining({ code: 'recipe.malformed', where: { file: 'pipelines/nothing.yaml' } }),
  );
  const asserted = (condition: string) =>
    `  - assertions:\n      required-steps: 1\n    pipeline:\n      - if: ${condition}\n        runs: x\n      - if: a == b\n        runs: y\n`;
  expect(() => runs(asserted('a == b'))).toThrow('1 steps have to run and 0 do');
  expect(runs(asserted('a == a'))[0]?.steps).toHaveLength(1);
  expect(() => runs(asserted('a == a').replace('if: a == b', 'if: b == b'))).toThrow('1 steps have to run and 2 do');
});

test.each([
  [
    'an input that the pipeline has not',
    'uses: greet\n    with: {whom: x, lod: y}',
    'with.lod',
    /greet has no input lod/,
  ],
  ['an input that fetch has not', 'uses: fetch\n    with: {url: x}', 'with.url', /fetch has no input url/],
  [
    'a hash that is too short',
    `uses: fetch\n    with: {uri: x, expected-sha512: ${'a'.repeat(64)}}`,
    'with.expected-sha512',
    /not 128 hex digits/,
  ],
  [
    'a commit that is a branch',
    'uses: git-checkout\n    with: {repository: x, expected-commit: main}',
    'with.expected-commit',
    /"main", not 40 hex digits/,
  ],
  ['inputs of nothing', 'runs: x\n    with: {a: b}', '', /has `with`, but no `uses`/],
  ['a pipeline and a script in one', 'uses: greet\n    runs: x', '', /both `uses: greet` and `runs`/],
])('melange refuses %s, and so does regrow', (_, node, field, message) => {
  const thrown = { code: 'recipe.malformed', message: expect.stringMatching(message) };
  const where = { package: 'foo', file: 'foo.yaml', field: `pipeline.0${field === '' ? '' : `.${field}`}` };
  expect(() => runs(`  - ${node}\n`)).toThrow(expect.objectContaining({ ...thrown, where }));
});

test('a condition of the pipeline file stands for that of the step, and knows the inputs', () => {
  const pipelines = createPipelineLibrary(
    new Map([['maybe', 'inputs:\n  on:\n    default: "no"\nif: \'"${{inputs.on}}" == "yes"\'\nruns: done\n']]),
  );
  const steps = (node: string) => resolve(`pipeline:\n  - uses: maybe\n${node}`, 'x86_64', pipelines).packages[0].steps;
  expect(steps('')).toEqual([]);
  expect(steps('    if: a == b\n    with:\n      on: "yes"\n')).toMatchObject([{ runs: 'done' }]);
});

test('two packages of one name are refused', () => {
  const twice = 'subpackages:\n  - name: foo-dev\n  - name: foo-dev\n';
  const where = { package: 'foo', file: 'foo.yaml', field: 'subpackages.1.name' };
  expect(() => resolve(twice)).toThrow(expect.objectContaining({ code: 'recipe.malformed', where }));
  expect(() => resolve(twice.replace('foo-dev', 'foo'))).toThrow(
    'subpackages.0.name: foo is a package of this recipe already',
  );
});

test('an unknown input is refused in shell text and left in a label', () => {
  expect(() => runs('  - runs: ${{inputs.x}}\n')).toThrow(expect.objectContaining({ code: 'recipe.variable-unknown' }));
  expect(runs('  - name: x ${{inputs.x}}\n    runs: y\n')[0]?.label).toBe('x ${{inputs.x}}');
});

test('names of all pipelines that a recipe uses, those of tests and of circles too', () => {
  const { recipe } = parseRecipe(
    'foo.yaml',
    `${head}pipeline:\n  - uses: twice\n  - uses: fetch\n  - uses: none\nsubpackages:\n  - name: x\n    pipeline:\n      - uses: only-arm\ntest:\n  pipeline:\n    - uses: loop\n`,
  );
  expect(usedPipelines(recipe, library)).toEqual(['circle', 'greet', 'loop', 'only-arm', 'twice']);
});

test('subpackages: ranges by sorted key, conditions, and variables of their own', () => {
  const { packages } = resolve(`data:
  - name: streams
    items:
      "3.9": \${{vars.p}}9
      "3.10": ""
vars:
  p: prio
subpackages:
  - range: streams
    name: py\${{range.key}}-foo
    dependencies:
      provides:
        - foo=\${{package.full-version}}
    pipeline:
      - runs: \${{range.key}} \${{range.value}} \${{subpkg.name}} \${{targets.subpkgdir}} \${{targets.package.py3.9-foo}} \${{targets.destdir}}
  - range: ""
    name: foo-dev
    description: headers of \${{package.name}} and \${{none}}
    dependencies:
      provider-priority: \${{package.epoch}}
      replaces-priority: -2
  - name: foo-arm
    if: \${{build.arch}} == 'aarch64'
`);
  expect(packages.map(({ name }) => name)).toEqual(['foo', 'py3.10-foo', 'py3.9-foo', 'foo-dev']);
  expect(packages[2]?.steps[0]?.runs).toBe(
    '3.9 prio9 py3.9-foo /home/build/melange-out/py3.9-foo /home/build/melange-out/py3.9-foo /home/build/melange-out/foo',
  );
  expect(packages[2]?.provides).toEqual(['foo=2602-r1']);
  expect(packages[3]).toMatchObject({
    description: 'headers of foo and ${{none}}',
    providerPriority: 1,
    replacesPriority: -2,
  });
});

test.each(['a b', 'x/../y', '"-x"', 'ä', 'x@1', 'x'.repeat(129)])(
  'a subpackage may not be called %s once its variables are put in',
  (name) => {
    expect(() =>
      resolve(
        `data:\n  - name: d\n    items:\n      k: ${name}\nsubpackages:\n  - range: d\n    name: \${{range.value}}\n`,
      ),
    ).toThrow(
      expect.objectContaining({ code: 'recipe.malformed', where: { package: 'foo', field: 'subpackages.0.name' } }),
    );
  },
);

test('a range without data, and a priority that is no number, are refused', () => {
  expect(() => resolve('subpackages:\n  - range: none\n    name: x\n')).toThrow(
    expect.objectContaining({ code: 'recipe.malformed', where: { package: 'foo', field: 'subpackages.0.range' } }),
  );
  expect(() => resolve('subpackages:\n  - name: x\n    dependencies:\n      provider-priority: high\n')).toThrow(
    expect.objectContaining({
      code: 'recipe.malformed',
      where: { package: 'foo', file: 'foo.yaml', field: 'subpackages.0.dependencies.provider-priority' },
    }),
  );
});

test('what a package says of itself', () => {
  const text = `  description: \${{package.name}} \${{package.version}}
  url: https://foo
  commit: abc
  copyright:
    - license: MIT
    - license-path: COPYING
  options:
    no-provides: true
  dependencies:
    runtime:
      - bar~\${{package.version}}
  scriptlets:
    post-install: echo \${{package.name}}
    trigger:
      script: refresh
      paths:
        - /usr/share/\${{package.name}}
environment:
  contents:
    packages:
      - b
      - a
      - b
  environment:
    V: \${{package.version}}
options:
  static:
    vars:
      x: y
pipeline:
  - runs: \${{options.static.enabled}}
subpackages:
  - name: foo-doc
test:
  environment:
    contents:
      packages:
        - jq
    environment:
      T: \${{context.name}}
  pipeline:
    - uses: greet
      with:
        whom: tester
`;
  const resolved = resolve(text);
  expect(resolved.environment).toEqual({ packages: ['a', 'b'], variables: { V: '2602' } });
  expect(resolved).toMatchObject({
    name: 'foo',
    version: '2602',
    epoch: 1,
    fullVersion: '2602-r1',
    arch: 'x86_64',
    forThisArch: true,
  });
  expect(resolved.packages[0]).toMatchObject({
    description: 'foo 2602',
    licenses: ['MIT'],
    depends: ['bar~2602'],
    options: { noProvides: true, noDepends: false },
    scriptlets: { 'post-install': 'echo foo' },
    trigger: { script: 'refresh', paths: ['/usr/share/foo'] },
    steps: [{ runs: 'false' }],
    test: { packages: ['busybox', 'hello-tester', 'jq'], environment: { T: 'foo' } },
  });
  expect(resolved.packages[1]).toMatchObject({
    name: 'foo-doc',
    description: '',
    url: 'https://foo',
    commit: 'abc',
    licenses: ['MIT'],
  });
});

test('a recipe for other architectures says so', () => {
  const text = '  target-architecture:\n    - aarch64\n';
  expect(resolve(text).forThisArch).toBe(false);
  expect(resolve(text, 'aarch64').forThisArch).toBe(true);
  expect(resolve('  target-architecture:\n    - all\n').forThisArch).toBe(true);
});

const recipes = sharedData('wolfi-os');

test.skipIf(recipes === undefined)(
  'every real recipe resolves for both architectures, with the pipelines of its distribution before ours',
  { timeout: 180_000 },
  async () => {
    const folder = readRecipeDirectory(recipes ?? '');
    const pipelines = createPipelineLibrary(new Map([...(await readPipelineDirectory()), ...folder.pipelines]));
    const names = new Set<string>();
    const failures: string[] = [];
    for (const { path, text } of folder.recipes) {
      const { recipe } = parseRecipe(path, text);
      for (const arch of ['x86_64', 'aarch64'] as const) {
        try {
          const { packages } = resolveRecipe(recipe, { target: { arch, libc: 'gnu' }, pipelines, file: path });
          if (arch === 'x86_64') for (const { name } of packages) names.add(name);
        } catch (thrown) {
          if (!(thrown instanceof RegrowError)) throw thrown;
          failures.push(`${path} for ${arch}: ${thrown.code}: ${thrown.message}`);
        }
      }
    }
    expect(failures).toEqual([]);
    expect(folder.recipes).toHaveLength(3401);
    expect(names.size).toBe(11_166);
  },
);

test.each([
  ['a name with an equals sign', 'A=B: c', /"A=B" is no name of a variable/],
  ['a NUL in a value', 'A: "c\\0"', /"A" has a NUL/],
  ['a value that no program can be started with', `A: ${'x'.repeat(150_000)}`, /"A" has 150001 bytes/],
  [
    'values that are too long together',
    Array.from({ length: 5 }, (_, i) => `A${i}: ${'x'.repeat(90_000)}`).join('\n    '),
    /"A4" and those before it have 450010 bytes/,
  ],
])('refuses %s in the environment of the build, of a test and of a step', (_, line, message) => {
  const environment = `environment:\n  environment:\n    ${line}\n`;
  const inTest = `test:\n  ${environment.replaceAll('\n  ', '\n    ')}  pipeline: []\n`;
  const inStep = `pipeline:\n- runs: x\n  environment:\n    ${line}\n`;
  for (const text of [environment, inTest, inStep]) {
    expect(() => resolve(text)).toThrow(expect.objectContaining({ code: 'recipe.malformed' }));
    expect(() => resolve(text)).toThrow(message);
  }
});
