import { expect, test } from 'vitest';
import { isOfGitHubRepository } from '../../../src/watch/repository.ts';

test.each([
  ['github:jqlang/jq/tags', true],
  ['github:JQlang/jq/releases', true],
  ['github:jqlang/jq-extra/tags', false],
  ['git:https://github.com/jqlang/jq.git', true],
  ['git:https://github.com/jqlang/jq#main', true],
  ['git:git://www.github.com/jqlang/jq', true],
  ['git:https://github.com/jqlang/jqplay', false],
  ['git:https://notgithub.com/jqlang/jq', false],
  ['git:https://mirror.example.org/github.com/jqlang/jq', false],
  ['npm:jq', false],
])('%s is of jqlang/jq: %s', (source, expected) => {
  expect(isOfGitHubRepository(source, 'jqlang/JQ')).toBe(expected);
});
