import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createGit } from '../../../src/adapters/git.ts';
import { RegrowError } from '../../../src/errors.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import type { Git } from '../../../src/ports/git.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { pinVersion } from '../../../src/roles/conductor/pinning.ts';

const address = 'https://git.example.test/tool';
let directory: string;
let git: Git;
let old = '';
let head = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-pins-'));
  const upstream = join(directory, 'upstream');
  const run = (...args: string[]) =>
    execFileSync('git', ['-C', directory, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      encoding: 'utf8',
    }).trim();
  run('init', '-q', '-b', 'main', upstream);
  mkdirSync(join(upstream, 'tools'));
  mkdirSync(join(upstream, 'linked'));
  writeFileSync(join(upstream, 'go.mod'), 'module m\nrequire golang.org/x/crypto v0.40.0\nrequire b.test/b v1.3.0\n');
  run('-C', upstream, 'add', '.');
  run('-C', upstream, 'commit', '-qm', 'former release');
  run('-C', upstream, 'tag', 'v1.0.0');
  old = run('-C', upstream, 'rev-parse', 'HEAD');
  writeFileSync(
    join(upstream, 'go.mod'),
    'module m\nrequire golang.org/x/crypto v0.46.0\nrequire a.test/a v1.0.0\nrequire b.test/b v1.3.0\n',
  );
  writeFileSync(join(upstream, 'tools/go.mod'), 'module t\nrequire golang.org/x/crypto v0.45.0\n');
  symlinkSync('../go.mod', join(upstream, 'linked/go.mod'));
  run('-C', upstream, 'add', '.');
  run('-C', upstream, 'commit', '-qm', 'release');
  run('-C', upstream, 'tag', '-am', 'annotated', 'v1.1.0');
  run('-C', upstream, 'config', 'uploadpack.allowFilter', 'true');
  head = run('-C', upstream, 'rev-parse', 'HEAD');
  const rewrite = [{ from: address, to: `file://${upstream}` }];
  git = createGit({ exec: createExec(), protocols: ['file'], rewrite });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const recipe = (version: string, commit: string, steps: string) => `package:
  name: tool
  version: "${version}"
  epoch: 0

pipeline:
  - uses: git-checkout
    with:
      repository: ${address}
      tag: v\${{package.version}}
      expected-commit: ${commit}
${steps}
  - runs: make
`;
const bump = (pins: string, modroot?: string) =>
  `\n  - uses: bump\n    with:\n      deps: |-\n${pins}${modroot === undefined ? '' : `      modroot: ${modroot}\n`}`;
const crypto = '        golang.org/x/crypto@v0.45.0\n';

function update(steps: string, ports: Git = git) {
  const text = recipe('1.0.0', old, steps);
  const file = { path: 'tool.yaml', blob: 'b', text, recipe: parseRecipe('tool.yaml', text).recipe };
  const context = { git: ports, settings: { targets: ['x86_64-gnu'] } } as unknown as ConductorContext;
  return pinVersion(context, file, '1.1.0', new AbortController().signal);
}

test('an update takes out the pins that the new release has by itself, and keeps the rest', async () => {
  const needed = '        a.test/a@v1.5.0\n';
  const { text, pins } = await update(`${bump(crypto, 'tools')}${bump(`${crypto}${needed}`)}`);
  expect(text).toBe(recipe('1.1.0', head, bump(needed)));
  expect(pins).toEqual([
    'Dropped golang.org/x/crypto@v0.45.0: tools/go.mod requires v0.45.0',
    'Dropped golang.org/x/crypto@v0.45.0: go.mod requires v0.46.0',
  ]);
});

test('a replacement that was made to raise goes, one that held back before stays', async () => {
  const replaces = (text: string) => `\n  - uses: bump\n    with:\n      replaces: |-\n${text}`;
  const back = '        b.test/b=b.test/b@v1.2.0\n';
  const { text, pins } = await update(replaces(`        golang.org/x/crypto=${crypto.trim()}\n${back}`));
  expect(text).toBe(recipe('1.1.0', head, replaces(back)));
  expect(pins).toEqual([
    'Dropped golang.org/x/crypto=golang.org/x/crypto@v0.45.0: go.mod requires v0.46.0',
    'Kept b.test/b=b.test/b@v1.2.0: go.mod requires v1.3.0, which it may hold back on purpose',
  ]);
});

test('a manifest that is not there, or is a link, leaves its pins and says so', async () => {
  const steps = `${bump(crypto, 'gone')}${bump(crypto, 'linked')}`;
  const { text, pins } = await update(steps);
  expect(text).toBe(recipe('1.1.0', head, steps));
  expect(pins).toEqual([
    'Kept golang.org/x/crypto@v0.45.0: gone/go.mod is not in the release',
    'Kept golang.org/x/crypto@v0.45.0: linked/go.mod is not in the release',
  ]);
});

test('an upstream that gives no files leaves every pin; one that is stopped stops', async () => {
  const failing = (error: RegrowError): Git => ({ ...git, files: () => Promise.reject(error) });
  const { text, pins } = await update(bump(crypto), failing(new RegrowError('upstream.unreachable', 'no')));
  expect(text).toBe(recipe('1.1.0', head, bump(crypto)));
  expect(pins).toEqual(['Kept golang.org/x/crypto@v0.45.0: go.mod could not be read (upstream.unreachable)']);
  await expect(update(bump(crypto), failing(new RegrowError('aborted', 'stop')))).rejects.toMatchObject({
    code: 'aborted',
  });
});

test('a recipe without pins reads no files', async () => {
  const never: Git = { ...git, files: () => Promise.reject(new Error('asked for files')) };
  expect(await update('', never)).toMatchObject({ text: recipe('1.1.0', head, ''), pins: [] });
});
