import { describe, expect, it } from 'vitest';
import { parseRecipe, type Recipe } from '../../../src/model/recipe/recipe.ts';
import type { GitRef } from '../../../src/ports/git.ts';
import { chooseSource } from '../../../src/watch/choice.ts';
import { pollSource } from '../../../src/watch/poll.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { watchPorts } from '../../support/watch-ports.ts';

function recipe(version: string, pipeline: string): Recipe {
  const text = [
    'package:',
    '  name: smokescreen',
    `  version: "${version}"`,
    '  epoch: 0',
    'vars:',
    '  host: git.example.org',
    'pipeline:',
    pipeline,
    'update:',
    '  enabled: true',
    '  git: {}',
  ].join('\n');
  return parseRecipe('smokescreen.yaml', text).recipe;
}

const checkout = (inputs: string) => `  - uses: git-checkout\n    with: {${inputs}}`;
const keyOf = (one: Recipe) => chooseSource(one)?.key;

describe('the repository that is watched', () => {
  it('is that of the first checkout, also inside another step, with variables put in', () => {
    const first = checkout('repository: "https://${{vars.host}}/a.git", tag: "v${{package.version}}"');
    const second = checkout('repository: "https://git.example.org/b.git", tag: "v1"');
    expect(keyOf(recipe('1.0', `${first}\n${second}`))).toBe('git:https://git.example.org/a.git');
    const nested = `  - runs: "true"\n    pipeline:\n${first.replaceAll(/^/gm, '    ')}`;
    expect(keyOf(recipe('1.0', `${nested}\n${second}`))).toBe('git:https://git.example.org/a.git');
  });

  it.each([
    ['a program', 'ext::sh -c id'],
    ['a file', 'file:///etc'],
    ['ssh', 'ssh://git@git.example.org/a'],
    ['a password', 'https://me:secret@git.example.org/a'],
    ['an option', '--upload-pack=id'],
    ['what nothing defines', 'https://${{vars.nobody}}/a'],
  ])('is none where the address is %s', (_, address) => {
    expect(keyOf(recipe('1.0', checkout(`repository: "${address}", tag: v1`)))).toBeUndefined();
  });

  it('is none where nothing is checked out', () => {
    expect(keyOf(recipe('1.0', '  - runs: "true"'))).toBeUndefined();
  });

  it('is the branch where the checkout follows one', () => {
    const branch = checkout('repository: "https://git.example.org/a", branch: main, expected-commit: abc');
    expect(keyOf(recipe('0_git20260819', branch))).toBe('git:https://git.example.org/a#main@0_git');
    const release = checkout('repository: "https://git.example.org/a", branch: "release/${{package.version}}/master"');
    expect(keyOf(recipe('2.43', release))).toBe('git:https://git.example.org/a#release/2.43/master@2.43');
  });
});

describe('a branch', () => {
  const clock = createManualClock('2026-11-25T23:00:00.000Z');
  const commit = (digit: string) => digit.repeat(40);
  const refs: GitRef[] = [
    { name: 'refs/heads/main', commit: commit('1') },
    { name: 'refs/tags/v1', commit: commit('2') },
  ];
  const git = { lsRemote: async () => refs };
  const poll = (source: string, cursor?: string) => pollSource({ source, cursor }, watchPorts({ git, clock }));

  it('is one snapshot, of the day on which its head was first seen', async () => {
    const source = 'git:https://git.example.org/a#main@0_git';
    const first = await poll(source);
    expect(first).toMatchObject({ observation: { tags: [{ tag: '0_git20261125', commit: commit('1') }] } });
    const cursor = first.kind === 'observed' ? first.cursor : undefined;
    clock.advance(86_400_000);
    expect(await poll(source, cursor)).toEqual({ kind: 'unchanged' });
    refs[0] = { name: 'refs/heads/main', commit: commit('3') };
    expect(await poll(source, cursor)).toMatchObject({
      observation: { tags: [{ tag: '0_git20261126', commit: commit('3') }] },
    });
  });

  it('of a version that is no snapshot is that version at the commit of its head', async () => {
    const answer = await poll('git:https://git.example.org/a#main@2.43');
    expect(answer).toMatchObject({ observation: { tags: [{ tag: '2.43', commit: commit('3') }] } });
  });

  it('that is gone is a failure of its own', async () => {
    const answer = await poll('git:https://git.example.org/a#stable@2.43');
    expect(answer).toMatchObject({ kind: 'failed', failure: { code: 'upstream.not-found' } });
  });

  it('of a repository that has nothing is no answer', async () => {
    const empty = watchPorts({ git: { lsRemote: async () => [] }, clock });
    const answer = await pollSource({ source: 'git:https://git.example.org/a' }, empty);
    expect(answer).toMatchObject({ kind: 'failed', failure: { code: 'upstream.answer-invalid' } });
  });
});
