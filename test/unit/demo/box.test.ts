import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { candidatesOf } from '../../../src/decide/version-rules.ts';
import { componentsOf, findingsOf, indexAdvisories } from '../../../src/decide/vulnerability.ts';
import { type Box, boxEcosystem, boxOwner, createBox } from '../../../src/demo/box.ts';
import { recipes } from '../../../src/demo/distribution/recipes/recipes.ts';
import { advisoryId, events } from '../../../src/demo/events.ts';
import { projects } from '../../../src/demo/upstream/projects.ts';
import { parseImageDefinition } from '../../../src/model/image-definition.ts';
import { osvSchema } from '../../../src/model/osv.ts';
import { parseRecipe, type Recipe } from '../../../src/model/recipe/recipe.ts';

const run = promisify(execFile);

let directory: string;
let box: Box;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'regrow-box-'));
  box = await open('one', '2026-06-01T00:00:00Z');
});

afterEach(async () => {
  await box.close();
  await rm(directory, { recursive: true, force: true });
});

function open(name: string, time: string): Promise<Box> {
  return createBox({ directory: join(directory, name), clock: { now: () => new Date(time) }, libcVersion: '2.36' });
}

async function recipe(name: string): Promise<Recipe> {
  const parsed = parseRecipe(`${name}.yaml`, (await box.os.read(`${name}.yaml`)) ?? '');
  expect(parsed.problems).toEqual([]);
  return parsed.recipe;
}

test('two boxes made at two times are the same, commit by commit and byte by byte', async () => {
  const other = await open('two', '2031-01-01T00:00:00Z');
  try {
    expect(await other.os.resolve('main')).toBe(await box.os.resolve('main'));
    for (const event of events) for (const one of [box, other]) await event.apply(one);
    for (const { name, releases } of projects) {
      for (const { tag } of releases) {
        expect(await other.upstream(name).resolve(tag)).toBe(await box.upstream(name).resolve(tag));
        const archives = [await other.upstream(name).archive(tag), await box.upstream(name).archive(tag)];
        expect(archives[0]).toEqual(archives[1]);
      }
    }
  } finally {
    await other.close();
  }
});

test('every recipe and image definition reads without a problem, and pins what its upstream has', async () => {
  for (const { name, project } of recipes) {
    const { package: head, pipeline } = await recipe(name);
    expect(head.name).toBe(name);
    const first = projects.find((one) => one.name === project)?.releases[0];
    if (first === undefined) continue;
    expect(head.version).toBe(first.version);
    const { 'expected-commit': commit, 'expected-sha256': sha256 } = pipeline[0]?.with ?? {};
    const archive = createHash('sha256')
      .update(await box.upstream(name).archive(first.tag))
      .digest('hex');
    expect(commit ?? sha256).toBe(sha256 === undefined ? await box.upstream(name).resolve(first.tag) : archive);
  }
  for (const image of ['count', 'beacon']) {
    const text = (await box.os.read(`images/${image}.yaml`)) ?? '';
    expect(parseImageDefinition(`images/${image}.yaml`, text).problems).toEqual([]);
  }
});

test('what the events release is what the update blocks make versions of', async () => {
  for (const event of events) await event.apply(box);
  for (const { name, releases } of projects) {
    const { update } = await recipe(name);
    if (update === undefined) throw new Error(`${name} has no update block`);
    const tags = releases.map(({ tag }) => ({ tag, prerelease: false }));
    const { usable, rejected } = candidatesOf(tags, update, name);
    expect(rejected).toEqual([]);
    expect(usable.map(({ version }) => version).reverse()).toEqual(releases.map(({ version }) => version));
  }
});

test('the advisory matches beacon before its fix, not after', async () => {
  await events.find(({ id }) => id === 'advisory')?.apply(box);
  const record = await (await fetch(`${box.osv.url}/${boxEcosystem}/${advisoryId}.json`)).json();
  const index = indexAdvisories([osvSchema.parse(record)]);
  const components = componentsOf(await recipe('beacon'));
  const at = (version: string) => findingsOf({ package: 'beacon', version, components }, index);
  expect(at('1.2.0')).toMatchObject([{ advisory: advisoryId, fixedIn: ['1.2.1'] }]);
  expect(at('1.2.1')).toEqual([]);
});

test('the recipes clone, and sources named on github.com come from the box', async () => {
  await run('git', ['clone', '-q', box.cloneUrl, join(directory, 'clone')]);
  const log = await run('git', ['-C', join(directory, 'clone'), 'log', '--format=%s %ct']);
  expect(log.stdout).toBe('The recipes of the box 1777626000\n');
  const { pipeline } = await recipe('words');
  const uri = (pipeline[0]?.with['uri'] ?? '')
    .replace('${{package.version}}', '2026.03')
    .replace('${{vars.month}}', '2026_03');
  const [{ from, to }] = box.rewrite as [{ from: string; to: string }];
  const answer = await fetch(uri.replace(from, to));
  const digest = createHash('sha256')
    .update(Buffer.from(await answer.arrayBuffer()))
    .digest('hex');
  expect(digest).toBe(pipeline[0]?.with['expected-sha256']);
  expect(box.github.repository(boxOwner, 'words').name).toBe('words');
});
