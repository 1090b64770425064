import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createOpenReader } from '../../../src/cli/open-reader.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { checkServices } from '../../../src/cli/service-checks.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createLogger } from '../../../src/log.ts';
import { ensureInstance } from '../../../src/roles/instance.ts';
import { startTestApi, type TestApi } from '../../support/api-server.ts';
import { createWorld } from '../../support/report-world.ts';

let folder: string;
let api: TestApi;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-open-'));
  api = await startTestApi(createWorld(), {
    title: 'theirs',
    instance: ensureInstance(join(folder, 'theirs/instance')),
  });
});
afterEach(async () => {
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A configuration whose api is at the address of the one that runs. */
function configured(state: string): string {
  const file = join(folder, `${state}.yaml`);
  writeFileSync(file, `stateDirectory: ${join(folder, state)}\napi: { port: ${new URL(api.base).port} }\n`);
  return file;
}

async function open(file: string, server?: string): Promise<{ where: string; notes: string }> {
  let notes = '';
  const output = createOutput({ stdout: { write: () => {} }, stderr: { write: (text: string) => (notes += text) } });
  const reader = await createOpenReader(output, file)(server);
  await reader.close();
  return { where: reader.where, notes };
}

async function addressCheck(file: string) {
  const loaded = loadConfig({ file, environment: {} });
  const checks = await checkServices({
    ...loaded,
    exec: createExec(),
    log: createLogger({ level: 'silent' }),
    path: '',
  });
  return checks.find(({ name }) => name === 'api address');
}

test('the daemon of this very state directory answers without a word', async () => {
  expect(await open(configured('theirs'))).toEqual({ where: api.base, notes: '' });
  expect(await addressCheck(configured('theirs'))).toMatchObject({ state: 'ok', text: `the daemon runs: ${api.base}` });
});

test('a daemon of another state directory is refused, whether this one ran before or not', async () => {
  const refusal = { code: 'daemon.other', remedy: expect.stringContaining(`--server ${api.base}`) };
  mkdirSync(join(folder, 'mine'));
  await expect(open(configured('mine'))).rejects.toMatchObject(refusal);
  ensureInstance(join(folder, 'mine/instance'));
  await expect(open(configured('mine'))).rejects.toMatchObject(refusal);
  await expect(open(configured('mine'))).rejects.toThrow('that of "theirs"');
  expect(await open(configured('mine'), api.base)).toEqual({ where: api.base, notes: '' });
  expect(await addressCheck(configured('mine'))).toMatchObject({
    state: 'fail',
    remedy: expect.stringContaining('api.port'),
  });
});

test('where there is no state directory to compare with, the distribution is named', async () => {
  expect(await open(configured('nowhere'))).toEqual({
    where: api.base,
    notes: `the daemon of "theirs" answers at ${api.base}\n`,
  });
});

test('a state directory keeps its name', () => {
  const file = join(folder, 'kept/instance');
  expect(ensureInstance(file)).toBe(ensureInstance(file));
  expect(ensureInstance(file)).not.toBe(ensureInstance(join(folder, 'another/instance')));
});

test('an address that is taken is said with the option to change, not with the words of the system', async () => {
  const port = Number(new URL(api.base).port);
  await expect(startTestApi(createWorld(), {}, {}, port)).rejects.toMatchObject({
    code: 'daemon.address-taken',
    message: `the api cannot listen at 127.0.0.1:${port}: another program listens there, perhaps another regrow`,
    remedy: expect.stringContaining('api.port'),
  });
});

test('doctor: an address that is free', async () => {
  const file = configured('mine');
  await api.close();
  expect(await addressCheck(file)).toMatchObject({ state: 'ok' });
});
