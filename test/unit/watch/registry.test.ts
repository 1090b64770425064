import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { chooseSource } from '../../../src/watch/choice.ts';
import { releaseSources } from '../../../src/watch/registry.ts';

const folder = join(import.meta.dirname, '../../../src/watch/sources');
const recipe = (update: string) =>
  parseRecipe('r.yaml', `package:\n  name: r\n  version: "1"\n  epoch: 0\n${update}`).recipe;

describe('the registry of sources', () => {
  it('has exactly the kinds that the folder has', () => {
    const files = readdirSync(folder).map((name) => name.replace(/\.ts$/, ''));
    expect(releaseSources.map(({ kind }) => kind).toSorted()).toEqual(files.toSorted());
  });
});

const sourceOf = (one: ReturnType<typeof recipe>) => chooseSource(one)?.key;

describe('the source of a recipe', () => {
  it('is releases, or tags where the recipe says so', () => {
    const github = 'update:\n  enabled: true\n  github:\n    identifier: jqlang/jq\n';
    expect(sourceOf(recipe(github))).toBe('github:jqlang/jq/releases');
    expect(sourceOf(recipe(`${github}    use-tag: true\n`))).toBe('github:jqlang/jq/tags');
  });

  it('is nothing where no kind fits', () => {
    expect(sourceOf(recipe(''))).toBeUndefined();
    expect(sourceOf(recipe('update:\n  enabled: true\n  release-monitor:\n    identifier: five\n'))).toBeUndefined();
    expect(sourceOf(recipe('update:\n  enabled: true\n  github:\n    identifier: no-slash\n'))).toBeUndefined();
  });

  it.each([
    ['fetch', 'uri', 'https://github.com/jqlang/jq/archive/refs/tags/jq-${{package.version}}.tar.gz', 'jqlang/jq/tags'],
    ['fetch', 'uri', 'https://github.com/jqlang/jq/releases/download/jq-1.8/jq-1.8.tar.gz', 'jqlang/jq/releases'],
    ['fetch', 'uri', 'https://codeload.github.com/a/b/tar.gz/refs/tags/v1', 'a/b/tags'],
    ['git-checkout', 'repository', 'https://github.com/a/b.c.git', 'a/b.c/tags'],
    ['git-checkout', 'repository', 'https://github.com/a/b', 'a/b/tags'],
    ['fetch', 'uri', 'https://github.com/a/b/raw/main/file', undefined],
    ['fetch', 'uri', 'https://github.com/${{vars.owner}}/b/archive/v1.tar.gz', undefined],
    ['fetch', 'uri', 'https://raw.githubusercontent.com/a/b/v1/file', undefined],
    ['fetch', 'uri', 'https://codeload.github.com/a/b', undefined],
  ])('is read from the address of a %s: %s %s', (uses, input, address, place) => {
    const one = recipe(`pipeline:\n  - uses: ${uses}\n    with: {${input}: "${address}"}\nupdate:\n  enabled: true\n`);
    const key = place === undefined ? undefined : `github:${place}`;
    expect(sourceOf(one)).toBe(key);
  });
});
