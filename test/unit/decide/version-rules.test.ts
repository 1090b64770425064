import { describe, expect, it } from 'vitest';
import { candidatesOf } from '../../../src/decide/version-rules.ts';
import type { UpstreamTag } from '../../../src/model/observation.ts';
import { parseRecipe, type UpdateBlock } from '../../../src/model/recipe/recipe.ts';

function block(yaml: string): UpdateBlock {
  const indented = yaml
    .trim()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
  const text = `package:\n  name: jq\n  version: "1.0"\n  epoch: 0\nupdate:\n  enabled: true\n${indented}\n`;
  const { update } = parseRecipe('jq.yaml', text).recipe;
  if (update === undefined) throw new Error('no update block');
  return update;
}

const tags = (...names: readonly string[]): UpstreamTag[] => names.map((tag) => ({ tag, prerelease: false }));
const versions = (update: UpdateBlock, ...names: readonly string[]): string[] =>
  candidatesOf(tags(...names), update, 'jq').usable.map(({ version }) => version);

describe('candidatesOf', () => {
  const table: readonly [string, string, readonly string[], readonly string[]][] = [
    ['takes tags as they are', 'github:\n  identifier: a/b', ['1.9', '1.10', '1.2'], ['1.10', '1.9', '1.2']],
    ['strips a prefix', 'github:\n  identifier: a/b\n  strip-prefix: jq-', ['jq-1.8.2', '1.8.1'], ['1.8.2', '1.8.1']],
    ['strips a suffix', 'github:\n  identifier: a/b\n  strip-suffix: -release', ['1.1-release', '1.2'], ['1.2', '1.1']],
    [
      'strips the prefix before the suffix',
      'github:\n  identifier: a/b\n  strip-prefix: v\n  strip-suffix: v',
      ['v1.1v', 'v'],
      ['1.1'],
    ],
    [
      'filters by the old name of the prefix',
      'github:\n  identifier: a/b\n  strip-prefix: v\n  tag-filter: v1.',
      ['v1.2', 'v2.0'],
      ['1.2'],
    ],
    [
      'filters by prefix',
      'github:\n  identifier: a/b\n  strip-prefix: v\n  tag-filter-prefix: v1.',
      ['v1.2', 'v2.0'],
      ['1.2'],
    ],
    [
      'filters by a part',
      'github:\n  identifier: a/b\n  strip-suffix: .LTS\n  tag-filter-contains: LTS',
      ['1.2.LTS', '2.0'],
      ['1.2'],
    ],
    [
      'ignores by the stripped version',
      'github:\n  identifier: a/b\n  strip-prefix: v\nignore-regex-patterns:\n  - ^2\\.',
      ['v1.2', 'v2.0'],
      ['1.2'],
    ],
    [
      'does not ignore by the tag',
      'github:\n  identifier: a/b\n  strip-prefix: v\nignore-regex-patterns:\n  - ^v',
      ['v1.2'],
      ['1.2'],
    ],
    [
      'reads patterns as RE2',
      'github:\n  identifier: a/b\nignore-regex-patterns:\n  - (?i)[a-z]',
      ['1.2', '2.0B'],
      ['1.2'],
    ],
    [
      'puts dots for the separator, after the ignore patterns',
      'github:\n  identifier: a/b\n  strip-prefix: R_\nversion-separator: _\nignore-regex-patterns:\n  - \\.',
      ['R_2_6_4'],
      ['2.6.4'],
    ],
    [
      'leaves pre-releases out',
      'github:\n  identifier: a/b',
      ['1.2', '1.3-rc1', '1.3alpha', '1.3_beta2', '1.3.pre1'],
      ['1.2'],
    ],
    [
      'keeps them where the recipe wants them',
      'github:\n  identifier: a/b\nenable-prerelease-tags: true',
      ['1.2', '1.3_rc1'],
      ['1.3_rc1', '1.2'],
    ],
    [
      'transforms in order, with Go groups',
      'github:\n  identifier: a/b\nversion-transform:\n  - match: (\\d+)-(\\d+)\n    replace: $1.${2}\n  - match: ^\n    replace: "0."',
      ['5-6'],
      ['0.5.6'],
    ],
    [
      'drops pre-releases before the transforms',
      'github:\n  identifier: a/b\nversion-transform:\n  - match: -rc\n    replace: _rc',
      ['1.2-rc1'],
      [],
    ],
    [
      'takes only what apk can read',
      'github:\n  identifier: a/b',
      ['1.2', 'latest', 'v1.3', '1.1.0-r1', '2024-01-01'],
      ['1.2'],
    ],
    [
      'keeps one of several tags of a version',
      'github:\n  identifier: a/b\n  strip-prefix: v',
      ['v1.2', '1.2'],
      ['1.2'],
    ],
    [
      'has the same rules for git',
      'git:\n  strip-prefix: v\n  tag-filter-prefix: v1',
      ['v1.2', 'v2.0', 'v1.3-rc1'],
      ['1.2'],
    ],
    [
      'looks at the raw version for release-monitor, and keeps pre-releases',
      'release-monitor:\n  identifier: "1"\n  strip-prefix: v\n  version-filter-prefix: v\nignore-regex-patterns:\n  - ^v2',
      ['v1.2', 'v2.0', '3', 'v1.3_rc1'],
      ['1.3_rc1', '1.2'],
    ],
  ];

  for (const [what, yaml, names, expected] of table) {
    it(`${what}`, () => {
      expect(versions(block(yaml), ...names)).toEqual(expected);
    });
  }

  it('says why each tag is left out, and which tag a version came from', () => {
    const update = block(
      'github:\n  identifier: a/b\n  strip-prefix: v\n  tag-filter-contains: "."\nignore-regex-patterns:\n  - ^9',
    );
    const marked: UpstreamTag[] = [
      ...tags('v1.2', 'latest', 'v9.1', 'v2.0-rc1', 'v2.x'),
      { tag: 'v3.0', prerelease: true },
    ];
    const { usable, rejected } = candidatesOf(marked, update, 'jq');
    expect(usable).toEqual([{ version: '1.2', tag: { tag: 'v1.2', prerelease: false } }]);
    expect(rejected.map(({ tag, reason, detail }) => `${tag} ${reason} ${detail}`)).toEqual([
      'latest filtered contains .',
      'v9.1 ignored ^9',
      'v2.0-rc1 pre-release rc',
      'v2.x invalid-version 2.x',
      'v3.0 pre-release marked by upstream',
    ]);
  });

  it('names package and field of a pattern that is not RE2', () => {
    const update = block('github:\n  identifier: a/b\nignore-regex-patterns:\n  - "*ignore_me"');
    expect(() => candidatesOf([], update, 'jq')).toThrow(
      expect.objectContaining({
        code: 'recipe.pattern-invalid',
        where: { package: 'jq', field: 'update.ignore-regex-patterns' },
      }),
    );
  });
});
