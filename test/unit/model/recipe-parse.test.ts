import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { sharedData } from '../../support/shared-data.ts';

const minimal = 'package:\n  name: jq\n  version: 1.10\n  epoch: 3\n';

test('versions and variables stay text, flags and counts do not', () => {
  const { path, recipe, problems } = parseRecipe(
    'jq.yaml',
    `${minimal}vars:\n  x: 1.20\n  y: true\nupdate:\n  enabled: true\n  schedule:\n    period: daily\n  git: {}\n`,
  );
  expect(path).toBe('jq.yaml');
  expect(recipe.package).toMatchObject({ name: 'jq', version: '1.10', epoch: 3 });
  expect(recipe.vars).toEqual({ x: '1.20', y: 'true' });
  expect(recipe.update).toMatchObject({ enabled: true, git: {}, schedule: { period: 'daily' } });
  expect(problems).toEqual([]);
});

test('what is left out, or left empty, is an empty list or undefined', () => {
  const { recipe } = parseRecipe(
    'jq.yaml',
    `${minimal}  url:\npipeline:\nsubpackages:\nupdate:\ndata:\n  - name: d\n    items:\n      k:\n`,
  );
  expect(recipe).toMatchObject({ pipeline: [], subpackages: [], vars: {}, 'var-transforms': [] });
  expect(recipe.package.url).toBeUndefined();
  expect(recipe.update).toBeUndefined();
  expect(recipe.data).toEqual([{ name: 'd', items: { k: '' } }]);
});

test('an update block without enabled is not on, and is known to have been left so', () => {
  const { update } = parseRecipe('jq.yaml', `${minimal}update:\n  manual: yes\n`).recipe;
  expect(update?.manual).toBe(true);
  expect(update?.enabled).toBeUndefined();
});

test('variables are put into the update block, where nothing would do it later', () => {
  const block = 'update:\n  enabled: true\n  github:\n    identifier: openjdk/jdk${{vars.major}}u${{vars.gone}}\n';
  const { recipe } = parseRecipe('jdk.yaml', `${minimal}vars:\n  major: "25"\n${block}`);
  expect(recipe.update?.github?.identifier).toBe('openjdk/jdk25u${{vars.gone}}');
  const broken = 'var-transforms:\n  - from: x\n    match: "("\n    replace: ""\n    to: y\n';
  const unread = parseRecipe('jdk.yaml', `${minimal}vars:\n  major: "25"\n${broken}${block}`).recipe;
  expect(unread.update?.github?.identifier).toBe('openjdk/jdk${{vars.major}}u${{vars.gone}}');
});

test('unknown keys are kept, and reported with path and line', () => {
  const text = `${minimal}  colour: red\npipeline:\n  - uses: strip\n    wiht:\n      a: b\noptions:\n  x:\n    vras:\n      - a\nextra: 1\n`;
  const { recipe, problems } = parseRecipe('jq.yaml', text);
  expect(problems.map(({ path, line }) => [path, line])).toEqual([
    ['package.colour', 5],
    ['pipeline.0.wiht', 8],
    ['options.x.vras', 12],
    ['extra', 14],
  ]);
  expect(problems[0]?.message).toBe('jq.yaml:5: unknown key colour; melange refuses a recipe that has it');
  expect(recipe).toMatchObject({ package: { colour: 'red' }, extra: '1' });
});

const malformed: readonly (readonly [
  what: string,
  text: string,
  field: string | undefined,
  line: number | undefined,
])[] = [
  ['a list', '- a\n', undefined, undefined],
  ['an empty file', '', undefined, undefined],
  ['no package', 'pipeline: []\n', 'package', undefined],
  ['no version', 'package:\n  name: jq\n  epoch: 0\n', 'package.version', 1],
  ['an epoch that is no number', 'package:\n  name: jq\n  version: "1"\n  epoch: x\n', 'package.epoch', 4],
  ['a pipeline that is a text', `${minimal}pipeline: make\n`, 'pipeline', 5],
  ['a flag that is none', `${minimal}update:\n  enabled: perhaps\n`, 'update.enabled', 6],
  ['an unknown period', `${minimal}update:\n  schedule:\n    period: hourly\n`, 'update.schedule.period', 7],
  [
    'a list of maps where texts are due',
    `${minimal}environment:\n  contents:\n    packages:\n      - a: b\n`,
    'environment.contents.packages.0',
    8,
  ],
];

test.each(malformed)('refuses %s, naming file, field and line', (_, text, field, line) => {
  expect(() => parseRecipe('jq.yaml', text)).toThrow(
    expect.objectContaining({
      code: 'recipe.malformed',
      message: expect.stringMatching(/^jq\.yaml/),
      where: { file: 'jq.yaml', ...(field === undefined ? {} : { field }), ...(line === undefined ? {} : { line }) },
    }),
  );
});

test('refuses what is not YAML', () => {
  expect(() => parseRecipe('jq.yaml', 'package: [\n')).toThrow(expect.objectContaining({ code: 'recipe.malformed' }));
});

test.each(['1.0.0-beta', 'v1', '1.1.0-r1', '1..2'])('refuses the version %s', (version) => {
  expect(() => parseRecipe('jq.yaml', `package:\n  name: jq\n  version: "${version}"\n  epoch: 0\n`)).toThrow(
    expect.objectContaining({
      code: 'recipe.version-invalid',
      where: { package: 'jq', file: 'jq.yaml', line: 3, field: 'package.version' },
    }),
  );
});

const recipes = sharedData('wolfi-os');

test.skipIf(recipes === undefined)(
  'every real recipe parses, and has no key that the schema does not know',
  { timeout: 180_000 },
  () => {
    const folder = recipes ?? '';
    const files = readdirSync(folder).filter((path) => path.endsWith('.yaml'));
    const problems = files.flatMap((file) => parseRecipe(file, readFileSync(join(folder, file), 'utf8')).problems);
    expect(files).toHaveLength(3_401);
    expect(problems).toEqual([]);
  },
);

test.each(['foo bar', 'a/b', '../x', '.x', 'x=1', 'x'.repeat(129)])('a package may not be called %s', (name) => {
  expect(() => parseRecipe('x.yaml', `package:\n  name: ${name}\n  version: 1\n  epoch: 0\n`)).toThrow(
    expect.objectContaining({
      code: 'recipe.malformed',
      where: { file: 'x.yaml', line: 2, field: 'package.name' },
      message: expect.stringContaining('letters, digits and . _ + -'),
    }),
  );
});

test.each(['7zip', 'Catch2', 'libstdc++-6', 'py3.12-x_y'])('a package may be called %s', (name) => {
  expect(parseRecipe('x.yaml', `package:\n  name: ${name}\n  version: 1\n  epoch: 0\n`).recipe.package.name).toBe(name);
});
