import { beforeEach, describe, expect, test } from 'vitest';
import type { Artifact } from '../../../src/model/artifact.ts';
import type { BuildRequest } from '../../../src/model/build.ts';
import { canonicalJson, sha256 } from '../../../src/model/canonical.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { createEditWatch } from '../../../src/roles/conductor/edited.ts';
import { loweredProblem } from '../../../src/roles/conductor/lowered.ts';
import { createRecipeReader } from '../../../src/roles/conductor/recipes.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { artifactOf } from '../../support/packages.ts';
import { build } from '../../support/report-world.ts';

const target = 'x86_64-gnu';
const recipe = `# the greeter
package:
  name: hello
  version: "1.0"
  epoch: 0
  description: says hello
  copyright:
    - license: MIT
pipeline:
  - runs: make install
update:
  enabled: false
test:
  pipeline:
    - runs: hello
`;

let objects: ReturnType<typeof createMemoryObjects>;
let book: Book;
let main: Record<string, string>;
let context: ConductorContext;

beforeEach(async () => {
  objects = createMemoryObjects();
  const clock = createManualClock('2026-06-01T09:00:00Z');
  book = await openBook(createMemoryLedger(), clock);
  main = {};
  const repository = {
    files: async () => Object.entries(main).map(([path, text]) => ({ path, blob: sha256(text), mode: '100644' })),
    commit: async () => ({ time: 0 }),
    read: async (blobs: readonly string[]) =>
      new Map(
        Object.values(main)
          .map((text) => [sha256(text), Buffer.from(text)] as const)
          .filter(([blob]) => blobs.includes(blob)),
      ),
  };
  context = {
    book,
    objects,
    clock,
    repository,
    builtinPipelines: new Map(),
    settings: { targets: [target], recipesPath: '.', imagesPath: 'images', imageEngine: () => 'regrow' },
  } as unknown as ConductorContext;
});

async function worldOf(files: Record<string, string>, published: readonly Artifact[]): Promise<World> {
  main = files;
  const tree = await createRecipeReader(context).read(sha256(canonicalJson(files)));
  return { tree, published: new Map([[target, published]]), problems: new Map() } as unknown as World;
}

/** hello 1.0-r0 as it is built from this text, and published. */
async function publishedFrom(text: string, files: BuildRequest['files'] = {}): Promise<Artifact> {
  const request: BuildRequest = {
    schema: 1,
    package: 'hello',
    version: '1.0',
    epoch: 0,
    target,
    engine: 'host',
    engineVersion: 1,
    recipe: { path: 'hello.yaml', text },
    pipelines: {},
    files,
    environment: { host: [], packages: [] },
    testEnvironments: {},
    recorded: { commit: '', sourceDateEpoch: 0 },
  };
  const digest = sha256(canonicalJson(request));
  await objects.put(`inputs/${digest}.json`, Buffer.from(canonicalJson(request)));
  const artifact = artifactOf({ name: 'hello', version: '1.0-r0' });
  const attempt = build('hello', '1.0-r0', { state: 'passed', request: digest });
  const result = {
    schema: 1 as const,
    buildKey: attempt.buildKey,
    request: digest,
    outcome: 'passed' as const,
    artifacts: [artifact],
    tests: [],
    log: '',
    milliseconds: 1,
    builder: 'here',
  };
  await book.put('build', `${attempt.buildKey}.1`, { ...attempt, result }, 'hello');
  return artifact;
}

describe('a recipe that was changed and kept its version', () => {
  async function problemsWith(files: Record<string, string>, built = recipe, beside: BuildRequest['files'] = {}) {
    const world = await worldOf(files, [await publishedFrom(built, beside)]);
    const look = createEditWatch(context);
    await look(world);
    const first = [...world.problems];
    world.problems.clear();
    await look(world);
    expect([...world.problems], 'what is kept says the same').toEqual(first);
    return first;
  }

  test('another step is not built, and it is said which epoch would build it', async () => {
    const edited = recipe.replace('make install', 'make install-strip');
    expect(await problemsWith({ 'hello.yaml': edited })).toEqual([
      [
        'publish/hello',
        expect.objectContaining({
          code: 'recipe.epoch-not-raised',
          message: expect.stringContaining('since 1.0-r0 was built'),
          remedy: 'raise the epoch in hello.yaml to 1',
        }),
      ],
    ]);
  });

  test('a patch beside it that is another one', async () => {
    const files = { 'hello.yaml': recipe, 'hello/fix.patch': 'new' };
    expect(await problemsWith(files, recipe, { 'fix.patch': Buffer.from('old').toString('base64') })).toHaveLength(1);
    expect(await problemsWith(files, recipe, { 'fix.patch': Buffer.from('new').toString('base64') })).toEqual([]);
  });

  test.each([
    ['nothing', (text: string) => text],
    ['a comment', (text: string) => text.replace('# the greeter', '# the greeter of all')],
    [
      'the update block',
      (text: string) => text.replace('enabled: false', 'enabled: true\n  github:\n    identifier: a/b'),
    ],
    ['a test', (text: string) => text.replace('- runs: hello', '- runs: hello --version')],
    ['quotes', (text: string) => text.replace('says hello', '"says hello"')],
    ['a raised epoch', (text: string) => text.replace('epoch: 0', 'epoch: 1').replace('make', 'ninja')],
  ])('%s is no such change', async (_what, edit) => {
    expect(await problemsWith({ 'hello.yaml': edit(recipe) })).toEqual([]);
  });

  test('another package that changes is no change of this one', async () => {
    const files = { 'hello.yaml': recipe, 'other.yaml': recipe.replace('hello', 'other') };
    expect(await problemsWith(files)).toEqual([]);
  });

  test('where nobody knows what a package was built from, nothing is claimed', async () => {
    const world = await worldOf({ 'hello.yaml': recipe.replace('make', 'ninja') }, [
      artifactOf({ name: 'hello', version: '1.0-r0' }),
    ]);
    await createEditWatch(context)(world);
    expect(world.problems.size).toBe(0);
  });
});

test.each([
  ['1.5.0-r0', true],
  ['1.0-r1', true],
  ['1.0-r0', false],
  ['0.9-r7', false],
])('main at 1.0-r0 where %s is published: lowered is %s', async (version, isLowered) => {
  const world = await worldOf({ 'hello.yaml': recipe }, [
    artifactOf({ name: 'hello', version: '0.8-r0' }),
    artifactOf({ name: 'hello', version }),
  ]);
  const file = world.tree.recipes.get('hello');
  if (file === undefined) throw new Error('the recipe was not read');
  const problem = loweredProblem(world, file, target);
  expect(problem?.code).toBe(isLowered ? 'package.version-lowered' : undefined);
  expect(problem?.message.startsWith(`main asks for 1.0-r0, which is less than the ${version}`) ?? false).toBe(
    isLowered,
  );
});
