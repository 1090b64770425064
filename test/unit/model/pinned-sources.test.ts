import { expect, test } from 'vitest';
import { pinnedSources } from '../../../src/model/recipe/pinned-sources.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';

const [a, b, sha256, sha512] = ['a'.repeat(40), 'b'.repeat(40), 'c'.repeat(64), 'd'.repeat(128)];

function read(more: string) {
  const head = 'package:\n  name: tool\n  version: "1.2.3"\n  epoch: 0\n';
  return pinnedSources(parseRecipe('tool.yaml', `${head}${more}`).recipe);
}

test('tags and downloads of the main pipeline, with variables, transforms and nested steps', () => {
  const sources = read(`vars:
  sha: ${a}
var-transforms:
  - {from: '\${{package.version}}', match: '\\.', replace: _, to: under}
pipeline:
  - uses: git-checkout
    with: {repository: https://git.test/tool, tag: 'v\${{vars.under}}', expected-commit: '\${{vars.sha}}'}
  - if: \${{build.arch}} == 'x86_64'
    pipeline:
      - uses: fetch
        with: {uri: 'https://files.test/\${{package.name}}-\${{package.version}}.tar.gz', expected-sha256: ${sha256}}
  - uses: fetch
    with: {uri: https://files.test/data, expected-sha512: ${sha512}}
`);
  expect(sources).toEqual([
    { address: 'https://git.test/tool', tag: 'v1_2_3', pin: a },
    { address: 'https://files.test/tool-1.2.3.tar.gz', pin: sha256 },
    { address: 'https://files.test/data', pin: sha512 },
  ]);
});

test('not what may change by itself, is not pinned, or is only known when it is built', () => {
  const sources = read(`pipeline:
  - uses: git-checkout
    with: {repository: https://git.test/tool, branch: main, expected-commit: ${a}}
  - uses: git-checkout
    with: {repository: https://git.test/tool, tag: v1}
  - uses: git-checkout
    with: {repository: https://git.test/tool, tag: v1, expected-commit: '\${{vars.none}}'}
  - uses: fetch
    with: {uri: 'https://files.test/\${{build.arch}}.tar.gz', expected-sha256: ${sha256}}
  - uses: fetch
    with: {uri: https://files.test/data, expected-none: 'true'}
  - runs: make
subpackages:
  - name: docs
    pipeline:
      - uses: git-checkout
        with: {repository: https://git.test/docs, tag: v1, expected-commit: ${b}}
`);
  expect(sources).toEqual([]);
});

test('nothing of a recipe whose transforms cannot be read', () => {
  const sources = read(`var-transforms:
  - {from: '\${{package.version}}', match: '(', replace: _, to: under}
pipeline:
  - uses: git-checkout
    with: {repository: https://git.test/tool, tag: v1, expected-commit: ${a}}
`);
  expect(sources).toEqual([]);
});
