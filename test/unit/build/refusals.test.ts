import { describe, expect, test } from 'vitest';
import { readPipelineDirectory } from '../../../src/adapters/pipeline-directory.ts';
import { createHostTools, hostCommands } from '../../../src/build/host/host-tools.ts';
import { findRefusals } from '../../../src/build/host/refusals.ts';
import { refuseUnless } from '../../../src/build/refusal.ts';
import { createPipelineLibrary, parsePipeline } from '../../../src/model/recipe/pipeline.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { resolveRecipe } from '../../../src/model/recipe/resolve.ts';

const head = 'package:\n  name: hello\n  version: "1"\n  epoch: 0\n';
const target = { arch: 'x86_64', libc: 'gnu' } as const;
const pipelines = createPipelineLibrary(new Map());

function refusals(text: string, hostArch: 'x86_64' | 'aarch64' = 'x86_64') {
  const { recipe } = parseRecipe('hello.yaml', head + text);
  return findRefusals({ recipe, resolved: resolveRecipe(recipe, { target, pipelines }), target, hostArch });
}

const environment = (text: string) => `environment:\n  ${text}\n`;

describe('refusals', () => {
  test.each([
    ['environment.contents.repositories', environment('contents: {repositories: [https://example.org]}')],
    ['environment.contents.build_repositories', environment('contents: {build_repositories: [https://example.org]}')],
    ['environment.contents.runtime_repositories', environment('contents: {runtime_repositories: [x]}')],
    ['environment.contents.keyring', environment('contents: {keyring: [https://example.org/key.rsa.pub]}')],
    ['environment.contents.baseimage', environment('contents: {baseimage: {image: x}}')],
    ['environment.accounts', environment('accounts: {run-as: nonroot}')],
    ['environment.accounts', environment('accounts: {users: [{username: x, uid: 5}]}')],
    ['environment.accounts', environment('accounts: {groups: [{groupname: x, gid: 5}]}')],
    ['environment.paths', environment('paths: [{path: /x, type: directory}]')],
    ['environment.volumes', environment('volumes: [/x]')],
    ['test.environment.accounts', 'test:\n  environment:\n    accounts: {run-as: root}\n  pipeline: []\n'],
    [
      'subpackages.0.test.environment.accounts',
      'subpackages:\n  - name: a\n    test:\n      environment:\n        accounts: {run-as: root}\n',
    ],
    ['capabilities.add', 'capabilities:\n  add: [CAP_NET_ADMIN]\n'],
    ['options', 'options:\n  tiny:\n    vars: {a: b}\n'],
    ['subpackages.0.setcap', 'subpackages:\n  - name: a\n    setcap: [{path: /x, add: {cap_net_raw: ep}}]\n'],
    [
      'pipeline of hello: fetch.expected-sha256',
      'pipeline:\n  - uses: fetch\n    with: {uri: "https://example.org/x"}\n',
    ],
    [
      'pipeline of hello: git-checkout.cherry-picks',
      'pipeline:\n  - uses: git-checkout\n    with: {repository: "https://example.org/x", cherry-picks: "main/abc: x"}\n',
    ],
    [
      'pipeline of hello: git-checkout.expected-commit-is-branch-tip',
      'pipeline:\n  - uses: git-checkout\n    with: {repository: "https://example.org/x", branch: b, expected-commit-is-branch-tip: "true"}\n',
    ],
    [
      'test of hello: git-checkout.sparse-paths',
      'test:\n  pipeline:\n    - uses: git-checkout\n      with: {repository: "https://example.org/x", sparse-paths: a}\n',
    ],
  ])('%s', (field, text) => {
    const found = refusals(text);
    expect(found.map((one) => one.field)).toEqual([field]);
    expect(found[0]?.remedy).not.toBe('');
    expect(() => refuseUnless(found, { package: 'hello', file: 'hello.yaml' })).toThrow(
      expect.objectContaining({
        code: 'build.refused',
        message: expect.stringContaining(`hello: ${field}: `),
        where: { package: 'hello', file: 'hello.yaml', field },
      }),
    );
  });

  test('another architecture', () => {
    expect(refusals('', 'aarch64').map((one) => one.field)).toEqual(['target']);
    const { recipe } = parseRecipe('hello.yaml', head.replace('  epoch', '  target-architecture: [aarch64]\n  epoch'));
    const found = findRefusals({
      recipe,
      resolved: resolveRecipe(recipe, { target, pipelines }),
      target,
      hostArch: 'x86_64',
    });
    expect(found.map((one) => one.field)).toEqual(['package.target-architecture']);
  });

  test('a package with file capabilities', () => {
    const text = head.replace('  epoch', '  setcap: [{path: /x, add: {cap_net_raw: ep}}]\n  epoch');
    const { recipe } = parseRecipe('hello.yaml', text);
    const found = findRefusals({
      recipe,
      resolved: resolveRecipe(recipe, { target, pipelines }),
      target,
      hostArch: 'x86_64',
    });
    expect(found.map((one) => one.field)).toEqual(['package.setcap']);
  });

  test('what the engine can do is not refused: scriptlets, switches, dropped capabilities', () => {
    const text = `capabilities:
  drop: [CAP_CHOWN]
subpackages:
  - name: a
    options: {no-depends: true}
    scriptlets: {post-install: "true"}
`;
    expect(refusals(text)).toEqual([]);
    expect(() => refuseUnless([], { package: 'hello', file: 'hello.yaml' })).not.toThrow();
  });
});

describe('host tools', () => {
  test('packages stand for commands; a configuration adds and replaces', () => {
    const tools = createHostTools({ rust: ['rustc', 'cargo'], make: ['gmake'] });
    expect(hostCommands(tools, ['rust', 'make', 'scanelf', 'unknown', 'constructor'], 'gnu')).toEqual([
      'cargo',
      'gmake',
      'rustc',
    ]);
    expect(hostCommands(tools, ['gcc'], 'musl')).toContain('musl-gcc');
    expect(hostCommands(tools, ['gcc'], 'gnu')).not.toContain('musl-gcc');
  });

  test('there is one for everything that the built-in pipelines need, but for what distributions alone have', async () => {
    const tools = createHostTools();
    const fromNowhere = new Set<string>();
    for (const [name, text] of await readPipelineDirectory()) {
      for (const need of parsePipeline(name, text).needs?.packages ?? []) {
        if (!need.includes('${{') && !Object.hasOwn(tools, need)) fromNowhere.add(`${name} ${need}`);
      }
    }
    expect([...fromNowhere]).toEqual([
      'R/build R',
      'R/build R-dev',
      'R/build R-doc',
      'cargo/build cargo-auditable',
      'cargo/build rust',
      'go/bump gobump',
      'go/covdata jq',
      'maven/pombump pombump',
      'npm/install nodejs',
      'npm/install npm',
      'python/build-wheel py3-build',
      'python/build-wheel py3-installer',
      'xcover/ensure jq',
    ]);
  });

  test('a folder of pipelines that is not there has none', async () => {
    expect(await readPipelineDirectory('/nonexistent')).toEqual(new Map());
  });
});
