import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pinSteps } from '../../../src/bump/dependency-pins.ts';
import { pinnedProjects } from '../../../src/bump/pin-sources.ts';
import { readRecipeDocument } from '../../../src/bump/recipe-document.ts';
import { sharedData } from '../../support/shared-data.ts';

const target = { arch: 'x86_64', libc: 'gnu' } as const;
const commit = (digit: string) => digit.repeat(40);
const wolfi = sharedData('wolfi-os');

function projects(pipeline: readonly object[]) {
  const text = `package:\n  name: p\n  version: "1.2.3"\n  epoch: 0\nvars:\n  main: ${commit('1')}\n  sub: sub\npipeline: ${JSON.stringify(pipeline)}\n`;
  const { sources, absent } = pinnedProjects('p.yaml', text, target);
  return {
    sources: sources.map(({ paths, ...source }) => ({ ...source, paths: Object.fromEntries(paths) })),
    absent: Object.fromEntries(absent),
  };
}

const bump = (inputs: object, rest: object = {}) => ({
  uses: 'bump',
  with: { deps: 'rand@1.0.0', ...inputs },
  ...rest,
});
const checkout = (inputs: object) => ({
  uses: 'git-checkout',
  with: { repository: 'https://example.test/${{package.name}}', ...inputs },
});

test('files are looked for in the source that lies deepest, at the commit that is pinned of it', () => {
  const found = projects([
    checkout({ tag: 'v${{package.version}}', 'expected-commit': '${{vars.main}}' }),
    checkout({ branch: 'main', 'expected-commit': commit('2'), destination: './in/side' }),
    bump({ modroot: '.\n${{vars.sub}}\nin/side\nin/side/deep\nin/sides' }),
    bump({}, { 'working-directory': 'in' }),
  ]);
  expect(found.sources).toEqual([
    {
      repository: 'https://example.test/p',
      commit: commit('2'),
      branch: 'main',
      paths: { 'Cargo.lock': 'in/side/Cargo.lock', 'deep/Cargo.lock': 'in/side/deep/Cargo.lock' },
    },
    {
      repository: 'https://example.test/p',
      commit: commit('1'),
      tag: 'v1.2.3',
      paths: {
        'Cargo.lock': 'Cargo.lock',
        'sub/Cargo.lock': 'sub/Cargo.lock',
        'in/sides/Cargo.lock': 'in/sides/Cargo.lock',
        'in/Cargo.lock': 'in/Cargo.lock',
      },
    },
  ]);
  expect(found.absent).toEqual({});
});

test('says why a file cannot be had', () => {
  const found = projects([
    checkout({ tag: 'x', destination: 'loose' }),
    { uses: 'fetch', with: { uri: 'https://example.test/x.tar.gz', directory: 'archive' } },
    bump({ modroot: 'loose\narchive/x\nnone\n../out' }),
  ]);
  expect(found).toEqual({
    sources: [],
    absent: {
      'loose/Cargo.lock': 'is in a source that no commit is pinned of',
      'archive/x/Cargo.lock': 'is in an archive, which is not looked into',
      'none/Cargo.lock': 'is in none of the sources',
      '../out/Cargo.lock': 'is in none of the sources',
    },
  });
});

test('a recipe without pins asks for nothing', () => {
  expect(projects([checkout({ tag: 'x' }), { uses: 'go/build' }])).toEqual({ sources: [], absent: {} });
});

test.skipIf(wolfi === undefined)('of nearly every real recipe with pins it is known where its manifests are', () => {
  const folder = wolfi ?? '';
  let pinned = 0;
  let placed = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    if (!/uses: bump$/m.test(text) || pinSteps(readRecipeDocument(text)).length === 0) continue;
    pinned += 1;
    const { sources, absent } = pinnedProjects(file, text, target);
    placed += Number(sources.length > 0 && absent.size === 0);
  }
  expect(pinned).toBeGreaterThan(200);
  expect(placed / pinned).toBeGreaterThan(0.97);
});
