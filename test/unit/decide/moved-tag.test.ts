import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { movedTag, pinnedTags } from '../../../src/decide/moved-tag.ts';
import { streamOf } from '../../../src/decide/streams.ts';
import type { ReleaseObservation } from '../../../src/model/observation.ts';
import { parseRecipe, type Recipe } from '../../../src/model/recipe/recipe.ts';
import { chooseSource } from '../../../src/watch/choice.ts';
import { sharedData } from '../../support/shared-data.ts';

const [a, b] = ['a'.repeat(40), 'b'.repeat(40)];

const seen = (source: string, tags: ReleaseObservation['tags']): ReleaseObservation => ({
  kind: 'release',
  source,
  tags,
  observedAt: '2026-11-10T11:00:00Z',
});

describe('movedTag', () => {
  const same: readonly [string, string, boolean][] = [
    ['github:o/tool/tags', 'https://github.com/o/tool', true],
    ['github:O/Tool/releases', 'git://www.github.com/o/tool.git/', true],
    ['git:https://git.test/o/tool.git', 'https://user@git.test/o/tool', true],
    ['gitlab:gitlab.test/group/sub/tool', 'https://gitlab.test/group/sub/tool.git', true],
    ['gitea:codeberg.org/o/tool', 'https://codeberg.org/o/tool', true],
    ['github:o/tool/tags', 'https://github.com/o/tool-fork', false],
    ['github:o/tool/tags', 'https://git.test/o/tool', false],
    ['git:https://git.test/o/tool#main@0_git', 'https://git.test/o/tool', false],
    ['npm:tool', 'https://github.com/o/tool', false],
  ];
  for (const [source, repository, isSame] of same) {
    it(`${isSame ? 'compares' : 'does not compare'} ${source} with ${repository}`, () => {
      const moved = movedTag(
        [{ repository, tag: 'v1', commit: a }],
        seen(source, [{ tag: 'v1', commit: b, prerelease: false }]),
      );
      expect(moved?.now).toBe(isSame ? b : undefined);
    });
  }
});

const wolfi = sharedData('wolfi-os');

describe.skipIf(wolfi === undefined)('on the recipes of Wolfi', () => {
  let recipes: readonly Recipe[] = [];
  beforeAll(() => {
    const folder = wolfi ?? '';
    recipes = readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => parseRecipe(name, readFileSync(join(folder, name), 'utf8')).recipe);
  }, 180_000);

  /** What each source would say if upstream were as the recipes pin it, or had moved every tag. */
  function count(commitOf: (pin: string) => string) {
    return recipes.filter((recipe) => {
      const pins = pinnedTags(recipe);
      const source = recipe.update?.enabled === true ? chooseSource(recipe) : undefined;
      if (source === undefined) return false;
      const tags = pins.map(({ tag, commit }) => ({ tag, commit: commitOf(commit), prerelease: false }));
      return movedTag(pins, seen(source.key, tags)) !== undefined;
    }).length;
  }

  it('raises no alarm where upstream is as pinned, and sees nearly every tag that moves', () => {
    expect(recipes).toHaveLength(3401);
    expect(count((commit) => commit)).toBe(0);
    expect(count(() => 'f'.repeat(40))).toBeGreaterThan(2800);
  });

  it('finds the streams that there are', () => {
    const streams = recipes.filter(({ package: { name, version } }) => streamOf(name, version) !== undefined);
    expect(streams).toHaveLength(172);
  });
});
