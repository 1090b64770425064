import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { type Starter, starterConfig } from '../../../src/config/starter.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-starter-'));
afterAll(() => rmSync(folder, { recursive: true }));
const defaults = readFileSync(new URL('../../../config/default.yaml', import.meta.url), 'utf8');
const file = join(folder, 'regrow.yaml');

function load(starter: Starter) {
  writeFileSync(file, starterConfig(defaults, starter));
  return loadConfig({ file, environment: {}, cwd: '/elsewhere' }).config;
}

test('says the state directory and the targets; everything else has its default', () => {
  const config = load({ stateDirectory: '/srv/it: "x"', targets: ['x86_64-musl'] });
  const plain = loadConfig({ environment: {}, cwd: '/elsewhere' }).config;
  expect(config).toEqual({
    ...plain,
    stateDirectory: '/srv/it: "x"',
    targets: ['x86_64-musl'],
    forge: { ...plain.forge, repository: '/srv/it: "x"/recipes.git' },
  });
});

test('with GitHub, people merge', () => {
  const config = load({ stateDirectory: '/srv', targets: ['x86_64-gnu'], github: 'octo/os' });
  expect(config.forge).toMatchObject({ kind: 'github', repository: 'octo/os', mergeGreen: false });
});

test('every other default stands there as a comment', () => {
  const text = starterConfig(defaults, { stateDirectory: '/srv', targets: ['x86_64-gnu'] });
  for (const line of ['# logLevel: info', '# watch:', '#   interval: 30 # minutes', '#   port: 7420']) {
    expect(text.split('\n')).toContain(line);
  }
});
