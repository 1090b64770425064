import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execaSync } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
let tree: string;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'regrow-layers-'));
  copyFileSync(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'));
});
afterAll(() => rmSync(tree, { recursive: true }));

/** What the linter says of one line in one file; the file lies where it would in the project. */
function lint(file: string, line: string): string {
  const path = join(tree, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${line}\n`);
  try {
    return execaSync(join(root, 'node_modules/.bin/oxlint'), [file], { cwd: tree, reject: false }).stdout;
  } finally {
    rmSync(path);
  }
}

const steps = ['watch', 'decide', 'bump', 'propose', 'plan', 'build', 'verify', 'publish', 'report'];

test.each(steps)('%s imports neither another step nor anything that does I/O', (step) => {
  const other = step === 'plan' ? 'decide' : 'plan';
  const file = `src/${step}/thing.ts`;
  for (const from of [`../${other}/x.ts`, '../adapters/x.ts', '../jobs/x.ts', '../config/x.ts', '../roles/x.ts']) {
    expect(lint(file, `export { x } from '${from}';`), from).toContain(`src/${step} may not import this room`);
  }
  for (const from of ['node:fs', 'node:fs/promises', 'node:child_process', 'node:net', 'octokit', 'execa', 'kysely']) {
    expect(lint(file, `export { x } from '${from}';`), from).toContain(`src/${step} is pure`);
  }
  expect(lint(`src/${step}/deep/thing.ts`, `export { x } from '../../${other}/x.ts';`)).toContain('may not import');
  expect(lint(file, "export { x } from '../model/x.ts';")).toContain('Found 0 warnings and 0 errors');
});

test.each([
  ['src/model/thing.ts', '../plan/x.ts'],
  ['src/model/thing.ts', '../adapters/x.ts'],
  ['src/formats/thing.ts', '../build/x.ts'],
  ['src/ports/thing.ts', '../adapters/x.ts'],
  ['src/adapters/thing.ts', '../decide/x.ts'],
  ['src/jobs/thing.ts', '../roles/x.ts'],
  ['src/api/thing.ts', '../publish/x.ts'],
  ['src/config/thing.ts', '../jobs/x.ts'],
  ['src/roles/thing.ts', '../cli/x.ts'],
  ['src/web/thing.ts', '../adapters/x.ts'],
])('%s does not import %s', (file, from) => {
  expect(lint(file, `export { x } from '${from}';`)).toContain('may not import this room');
});

test('only jobs imports bullmq, only config reads the environment', () => {
  expect(lint('src/roles/thing.ts', "export { Queue } from 'bullmq';")).toContain('only src/jobs imports bullmq');
  expect(lint('src/jobs/thing.ts', "export { Queue } from 'bullmq';")).toContain('0 errors');
  expect(lint('src/cli/thing.ts', 'export const home = process.env;')).toContain('process.env');
  expect(lint('src/config/thing.ts', 'export const home = process.env;')).toContain('0 errors');
});

test('every folder of src has its rule', () => {
  const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) {
    if (name === 'cli' || name === 'demo') continue; // They may import anything; of bullmq they are kept by the test above.
    expect(lint(`src/${name}/thing.ts`, "export { x } from '../demo/x.ts';"), name).toContain(
      'may not import this room',
    );
  }
});
