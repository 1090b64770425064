import { describe, expect, test } from 'vitest';
import { findMelangeRefusals, type MelangeRefusalFacts } from '../../../../src/build/melange/refusals.ts';
import { createPipelineLibrary } from '../../../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../../../src/model/recipe/recipe.ts';
import { resolveRecipe } from '../../../../src/model/recipe/resolve.ts';

const head = 'package:\n  name: hello\n  version: "1"\n  epoch: 0\n';
const target = { arch: 'x86_64', libc: 'gnu' } as const;

function refusals(
  text: string,
  { network = false, arches = ['x86_64'], runner = 'bubblewrap' }: Partial<MelangeRefusalFacts> = {},
) {
  const { recipe } = parseRecipe('hello.yaml', head + text);
  const resolved = resolveRecipe(recipe, { target, pipelines: createPipelineLibrary(new Map()) });
  return findMelangeRefusals({ recipe, resolved, target, arches, network, runner });
}

const checkout = (more: string) =>
  `pipeline:\n  - uses: git-checkout\n    with: {repository: "https://example.org/x", ${more}}\n`;

describe('what melange is not asked to do', () => {
  test.each([
    ['environment.contents.repositories', 'environment:\n  contents: {repositories: [https://example.org]}\n'],
    ['environment.contents.keyring', 'environment:\n  contents: {keyring: [https://example.org/k.rsa.pub]}\n'],
    ['environment.contents.baseimage', 'environment:\n  contents: {baseimage: {image: x}}\n'],
    [
      'test.environment.contents.repositories',
      'test:\n  environment:\n    contents: {repositories: [x]}\n  pipeline: []\n',
    ],
    ['setcap of hello', 'pipeline: []\n'],
    ['setcap of more', 'subpackages:\n  - name: more\n    setcap: [{path: /x, add: {cap_net_raw: ep}}]\n'],
    [
      'pipeline of hello: fetch.expected-sha256',
      'pipeline:\n  - uses: fetch\n    with: {uri: "https://example.org/x"}\n',
    ],
    ['pipeline of hello: git-checkout.cherry-picks', checkout('cherry-picks: "main/abc: x"')],
    ['pipeline of hello: git-checkout.recurse-submodules', checkout('recurse-submodules: "true"')],
    ['pipeline of hello: git-checkout.sparse-paths', checkout('sparse-paths: src')],
  ])('%s', (field, text) => {
    const own = field === 'setcap of hello' ? '  setcap: [{path: /x, add: {cap_net_raw: ep}}]\n' : '';
    const found = refusals(own + text);
    expect(found.map((one) => one.field)).toEqual([field]);
    expect(found[0]?.remedy).not.toBe('');
  });

  test('another architecture, unless programs of it can be run here', () => {
    expect(refusals('', { arches: [] }).map(({ field }) => field)).toEqual(['target']);
    expect(refusals('  target-architecture: [aarch64]\n').map(({ field }) => field)).toEqual([
      'package.target-architecture',
    ]);
  });
});

test('capabilities in a container whose root is that of the machine', () => {
  const found = refusals('capabilities:\n  add: [CAP_SYS_ADMIN]\n', { runner: 'docker' });
  expect(found.map(({ field }) => field)).toEqual(['capabilities.add']);
});

describe('what melange does and the host engine does not', () => {
  test.each([
    ['accounts', 'environment:\n  accounts: {users: [{username: x, uid: 5}], run-as: x}\n'],
    ['paths', 'environment:\n  paths: [{path: /x, type: directory}]\n'],
    ['capabilities', 'capabilities:\n  add: [CAP_NET_ADMIN]\n'],
    ['build options, none of which is on', 'options:\n  tiny:\n    vars: {a: b}\n'],
    ['a pinned source', checkout(`tag: v1, expected-commit: ${'a'.repeat(40)}`)],
  ])('%s', (_what, text) => {
    expect(refusals(text)).toEqual([]);
  });

  test('with the network, whatever of upstream a checkout leads to', () => {
    expect(refusals(checkout('cherry-picks: "main/abc: x", recurse-submodules: "true"'), { network: true })).toEqual(
      [],
    );
  });
});
