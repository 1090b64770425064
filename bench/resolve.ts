/**
 * Compares how we resolve recipes with `melange compile`: `npm run bench:resolve -- [--recipes DIR] [--arch A] [NAME…]`.
 * The environments are compared with melange's own pipelines, the steps with the distribution's and ours, so that both read
 * the same text; melange prints scripts without comments, in a layout of its own, and does the same with ours. The last line
 * is `{ recipes, same, different }`, or `{ skipped }` where melange is not on the PATH.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createExec } from '../src/adapters/exec.ts';
import { readPipelineDirectory } from '../src/adapters/pipeline-directory.ts';
import { readRecipeDirectory } from '../src/adapters/recipe-directory.ts';
import { RegrowError } from '../src/errors.ts';
import { createPipelineLibrary } from '../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../src/model/recipe/recipe.ts';
import { resolveRecipe } from '../src/model/recipe/resolve.ts';
import { type Arch, arches } from '../src/model/target.ts';
import { compiledSchema, type RecipeView, type StepView, viewCompiled, viewResolved } from './resolve/view.ts';

const root = resolve(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  options: {
    recipes: { type: 'string', default: resolve(root, '../shared/data/wolfi-os') },
    arch: { type: 'string', default: 'x86_64' },
  },
  allowPositionals: true,
});
const arch: Arch = arches.find((one) => one === values.arch) ?? 'x86_64';
const exec = createExec();
const path = process.env['PATH'] ?? '';

function skip(reason: string): never {
  process.stdout.write(`${JSON.stringify({ skipped: reason })}\n`);
  process.exit(0);
}

const melange = await exec.run({ argv: ['melange', 'version'], env: { PATH: path } }).catch((thrown: unknown) => {
  if (thrown instanceof RegrowError && thrown.code === 'tool.missing') {
    return skip('melange is not on the PATH: scripts/setup --engines brings it where Go is there');
  }
  throw thrown;
});
const version = /GitVersion:\s*(\S+)/.exec(Buffer.from(melange.stdout).toString('utf8'))?.[1] ?? 'unknown';
const directory = readRecipeDirectory(values.recipes);
const pipelines = createPipelineLibrary(new Map([...(await readPipelineDirectory()), ...directory.pipelines]));
const work = mkdtempSync(join(tmpdir(), 'regrow-resolve-'));
const merged = join(work, 'pipelines');
cpSync(join(root, 'config/pipelines'), merged, { recursive: true });
cpSync(join(values.recipes, 'pipelines'), merged, { recursive: true, force: true });

/** What melange makes of a recipe file; the error's last line where it refuses. */
async function compile(file: string, pipelineDirectory: string) {
  const argv = ['melange', 'compile', '--arch', arch, '--pipeline-dir', pipelineDirectory, file] as const;
  const { exitCode, stdout, stderr } = await exec.run({ argv: [...argv], cwd: work, env: { PATH: path, HOME: work } });
  if (exitCode !== 0) return stderr.split(' ERRO ').at(-1)?.trim() ?? `exit code ${exitCode}`;
  return compiledSchema.parse(JSON.parse(Buffer.from(stdout).toString('utf8')));
}

/** Our scripts as melange prints them: it compiles a recipe whose steps they are. */
async function printed(view: RecipeView, name: string): Promise<RecipeView | string> {
  const steps = (pick: (step: StepView) => StepView): RecipeView => ({
    ...view,
    packages: view.packages.map((one) => ({
      ...one,
      steps: one.steps.map(pick),
      test: one.test === undefined ? undefined : { ...one.test, steps: one.test.steps.map(pick) },
    })),
  });
  const scripts: string[] = [];
  steps((step) => {
    if (step.runs !== undefined) scripts.push(step.runs);
    return step;
  });
  const file = join(work, `${name}.json`);
  const about = { name: 'x', version: '1', epoch: 0 };
  writeFileSync(file, JSON.stringify({ package: about, pipeline: scripts.map((runs) => ({ runs })) }));
  const compiled = await compile(file, merged);
  rmSync(file);
  if (typeof compiled === 'string') return compiled;
  const texts = (compiled.pipeline ?? []).map(({ runs = '' }) => runs);
  return withoutEmpty(steps((step) => (step.runs === undefined ? step : { ...step, runs: texts.shift() ?? '' })));
}

/** Scripts of comments alone are no steps. */
function withoutEmpty(view: RecipeView): RecipeView {
  const keep = (steps: readonly StepView[]) => steps.filter(({ runs }) => runs !== '');
  return {
    ...view,
    packages: view.packages.map((one) => ({
      ...one,
      steps: keep(one.steps),
      test: one.test === undefined ? undefined : { ...one.test, steps: keep(one.test.steps) },
    })),
  };
}

/** Where two values differ first, and how; undefined where they are equal. */
function difference(ours: unknown, theirs: unknown, at: string): string | undefined {
  if (Object.is(ours, theirs)) return undefined;
  if (typeof ours === 'object' && ours !== null && typeof theirs === 'object' && theirs !== null) {
    const [a, b] = [new Map(Object.entries(ours)), new Map(Object.entries(theirs))];
    for (const key of new Set([...a.keys(), ...b.keys()])) {
      const found = difference(a.get(key), b.get(key), at === '' ? key : `${at}.${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const text = (value: unknown) => (JSON.stringify(value) ?? 'nothing').slice(0, 300);
  return `${at}: ours ${text(ours)}, melange ${text(theirs)}`;
}

async function compare(recipePath: string, text: string): Promise<string | undefined> {
  const { recipe } = parseRecipe(recipePath, text);
  const file = join(values.recipes, recipePath);
  const [own, shared] = [await compile(file, join(values.recipes, 'pipelines')), await compile(file, merged)];
  let view: RecipeView;
  try {
    const resolved = resolveRecipe(recipe, { target: { arch, libc: 'gnu' }, pipelines, file: recipePath });
    if (!resolved.forThisArch && own === 'error: skip this arch') return undefined;
    view = viewResolved(resolved);
  } catch (thrown) {
    if (!(thrown instanceof RegrowError)) throw thrown;
    return typeof own === 'string' ? undefined : `ours: ${thrown.message}`;
  }
  if (typeof own === 'string') return `melange: ${own}`;
  if (typeof shared === 'string') return `melange with our pipelines: ${shared}`;
  const ours = await printed(view, recipe.package.name);
  if (typeof ours === 'string') return `melange with our scripts: ${ours}`;
  const withOurs = withoutEmpty(viewCompiled(shared, arch, ours));
  return (
    difference(ours, withOurs, '') ??
    // Text and `needs` of our pipelines are our own; what they need has to be what melange's need.
    difference(packagesOf(ours), packagesOf(viewCompiled(own, arch, ours)), 'with the pipelines of melange')
  );
}

function packagesOf(view: RecipeView) {
  return {
    build: view.environment.packages,
    tests: view.packages.map(({ name, test }) => ({ name, packages: test?.packages })),
  };
}

const wanted = new Set(positionals.map((name) => `${name}.yaml`));
const queue = directory.recipes.filter((one) => wanted.size === 0 || wanted.has(one.path));
const recipes = queue.length;
const different: { recipe: string; difference: string }[] = [];
let next = 0;
async function worker(): Promise<void> {
  for (let one = queue[next++]; one !== undefined; one = queue[next++]) {
    const found = await compare(one.path, one.text);
    if (found !== undefined) different.push({ recipe: one.path.replace(/\.yaml$/, ''), difference: found });
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, worker));
rmSync(work, { recursive: true, force: true });
different.sort((a, b) => (a.recipe < b.recipe ? -1 : 1));
for (const one of different) process.stderr.write(`${one.recipe}: ${one.difference}\n`);
process.stdout.write(
  `${JSON.stringify({ recipes, same: recipes - different.length, different, arch, melange: version })}\n`,
);
