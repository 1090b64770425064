import { expect, it } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import type { ResolvedRecipe } from '../../../src/model/recipe/resolved.ts';
import type { BuildNeed } from '../../../src/plan/build-need.ts';
import { takenNames } from '../../../src/roles/conductor/taken.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { artifactOf, resolvedPackageOf, resolvedRecipeOf } from '../../support/packages.ts';

const target = 'x86_64-gnu';
type Makes = Readonly<Record<string, readonly string[] | 'unreadable'>>;

function resolvedOf(name: string, makes: readonly string[]): ResolvedRecipe {
  return resolvedRecipeOf(name, {
    packages: [resolvedPackageOf(name), ...makes.map((one) => resolvedPackageOf(one))],
  });
}

/** What is said of recipes that make packages besides the one of their name; `published`: origins by package. */
function said(main: Makes, published: Readonly<Record<string, string>>, needs: readonly string[] = Object.keys(main)) {
  const artifacts = Object.entries(published).map(([name, origin]) => artifactOf({ name, version: '1.0-r0', origin }));
  const world = {
    published: new Map([[target, artifacts]]),
    tree: {
      recipes: new Map(Object.keys(main).map((name) => [name, { path: `${name}.yaml`, name }])),
      problems: new Map([['broken', {}]]),
      resolve({ name }: { readonly name: string }) {
        const makes = main[name] ?? [];
        if (makes === 'unreadable') throw new RegrowError('recipe.malformed', 'it is none');
        return resolvedOf(name, makes);
      },
    },
  } as unknown as World;
  const wanted = needs.map((name): BuildNeed => {
    const makes = main[name] ?? [];
    return {
      purpose: 'main',
      target,
      resolved: resolvedOf(name, makes === 'unreadable' ? [] : makes),
      recipe: { path: `${name}.yaml`, text: '' },
      pipelines: {},
      files: {},
      commit: '',
      sourceDateEpoch: 0,
      urgency: 'normal',
      why: '',
    };
  });
  return Object.fromEntries([...takenNames(world, wanted)].map(([name, { code, message }]) => [name, [code, message]]));
}

const taken = (text: string) => ['package.name-taken', expect.stringContaining(text)];

it('nothing is wrong with packages of different names', () => {
  expect(said({ a: ['a-doc'], b: ['b-doc'] }, { a: 'a', 'a-doc': 'a' })).toEqual({});
});

it('a name belongs to the recipe that is called so, published or not', () => {
  const text = 'evil.yaml makes the package good, and so does the recipe good';
  expect(said({ evil: ['good'], good: [] }, {})).toEqual({ evil: taken(text) });
  expect(said({ evil: ['good'], good: [] }, { good: 'good' }, ['evil'])).toEqual({ evil: taken(text) });
});

it('a name belongs to the recipe that has published it, also where another is called so', () => {
  expect(said({ kit: ['tool'], tool: [] }, { tool: 'kit' })).toEqual({ tool: taken('and so does the recipe kit') });
  expect(said({ kit: ['tool-x'], other: ['tool-x'] }, { 'tool-x': 'other' }, ['kit'])).toEqual({
    kit: taken('and so does the recipe other'),
  });
});

it('of two that nobody has published the first by name keeps it', () => {
  expect(said({ z: ['both'], a: ['both'] }, {})).toEqual({ z: taken('and so does the recipe a') });
});

it('a package can move to another recipe, once the one does not make it any more', () => {
  expect(said({ old: [], new: ['part'] }, { part: 'old' })).toEqual({});
  expect(said({ new: ['part'] }, { part: 'gone' })).toEqual({});
});

it('a recipe that cannot be read keeps what it has published', () => {
  expect(said({ old: 'unreadable', new: ['part'] }, { part: 'old' }, ['new'])).toEqual({
    new: taken('and so does the recipe old'),
  });
  expect(said({ new: ['part'] }, { part: 'broken' })).toEqual({ new: taken('and so does the recipe broken') });
});
