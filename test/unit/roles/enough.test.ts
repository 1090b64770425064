import { describe, expect, test } from 'vitest';
import { updateBlockSchema } from '../../../src/model/recipe/update-block.ts';
import type { Watcher } from '../../../src/model/watch.ts';
import { enoughFor, saysSomething } from '../../../src/roles/enough.ts';

const source = 'github:grpc/grpc/tags';
const watcher = (version: string | undefined, more: object = {}): Watcher => ({
  package: 'grpc',
  ...(version === undefined ? {} : { version }),
  update: updateBlockSchema.parse({ enabled: true, github: { identifier: 'grpc/grpc', 'strip-prefix': 'v' }, ...more }),
  chosenBy: 'update',
});
const tags = (...names: string[]) => names.map((tag) => ({ tag, prerelease: false }));

describe('tags are enough', () => {
  test('when the version that a recipe is at is among them: what is newer was released after it', () => {
    const enough = enoughFor(source, [watcher('1.80.0')]);
    // Fixes of old branches may be newer than the newest version.
    expect(enough(tags('v1.66.9', 'v1.67.9'))).toBe(false);
    expect(enough(tags('v1.66.9', 'v1.67.9', 'v1.83.0', 'v1.80.0'))).toBe(true);
    expect(saysSomething(source, [watcher('1.80.0')], tags('v1.66.9'))).toBe(true);
  });

  test('when every recipe finds its own', () => {
    const other = watcher('1.66.9');
    expect(enoughFor(source, [watcher('1.80.0'), other])(tags('v1.80.0'))).toBe(false);
    expect(enoughFor(source, [watcher('1.80.0'), other])(tags('v1.80.0', 'v1.66.9'))).toBe(true);
    expect(saysSomething(source, [other], [])).toBe(false);
  });

  test('with any version where nobody knows what the recipe is at, and at once where its pattern is none', () => {
    expect(enoughFor(source, [watcher(undefined)])(tags('v1.0'))).toBe(true);
    expect(enoughFor(source, [watcher('not a version')])(tags('v1.0'))).toBe(true);
    expect(enoughFor(source, [watcher('1.0', { 'ignore-regex-patterns': ['('] })])([])).toBe(true);
  });
});
