import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { releaseSources } from '../../../src/watch/registry.ts';

const text = readFileSync(new URL('../../../docs/watching.md', import.meta.url), 'utf8');
/** Some kinds want a pattern. */
const pattern = 'package:\n  name: r\n  version: "1"\n  epoch: 0\n  annotations:\n    dev.regrow.pattern: v([0-9.]+)\n';
const { recipe } = parseRecipe('r.yaml', pattern);
const rows = Array.from(text.matchAll(/^\| `([a-z-]+)` \| .*? \| `([^`]+)` \|/gm), ([, kind, example]) => ({
  kind,
  example,
}));

test('every kind of source has a row, with an example that is one', () => {
  expect(rows.map(({ kind }) => kind).toSorted()).toEqual(releaseSources.map(({ kind }) => kind).toSorted());
  for (const { kind, example = '' } of rows) {
    const source = releaseSources.find((one) => one.kind === kind);
    const [, identifier = ''] = /^[a-z-]+:(\S+)$/.exec(example) ?? [];
    expect([example, source?.annotated(identifier, recipe)]).toEqual([example, expect.stringMatching(`^${kind}:`)]);
  }
});
