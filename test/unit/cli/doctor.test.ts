import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/adapters/clock.ts';
import { createExec } from '../../../src/adapters/exec.ts';
import { doctorCommand } from '../../../src/cli/doctor.ts';
import { initCommand } from '../../../src/cli/init.ts';
import { checkNode, checkSecondBuilds, checkSpace, checkState, programPath } from '../../../src/cli/machine-checks.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { checkServices } from '../../../src/cli/service-checks.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createGitHubFake } from '../../../src/demo/fakes/github/github.ts';
import { createLogger } from '../../../src/log.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function doctor(file: string, path?: string) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  const command = doctorCommand({ output }, path === undefined ? {} : { path }).option('--config <file>');
  await command.parseAsync(['--json', '--config', file], { from: 'user' });
  const { checks, ok } = JSON.parse(out);
  const states = new Map<string, { state: string; text: string; remedy?: string }>();
  for (const { name, ...rest } of checks) states.set(name, rest);
  return { ok, states, exitCode: output.exitCode, err };
}

async function made(name: string): Promise<string> {
  const output = createOutput({ stdout: { write: () => {} }, stderr: { write: () => {} } });
  await initCommand({ output }).parseAsync([join(folder, name)], { from: 'user' });
  expect(output.exitCode).toBe(0);
  const file = join(folder, name, 'regrow.yaml');
  // Another regrow may run on this machine.
  appendFileSync(file, 'api: { port: 0 }\n');
  return file;
}

test('what init made is healthy', async () => {
  const { ok, states, exitCode } = await doctor(await made('healthy'));
  expect([...states].filter(([, { state }]) => state === 'fail')).toEqual([]);
  expect({ ok, exitCode }).toEqual({ ok: true, exitCode: 0 });
  expect(states.get('bubblewrap')?.text).toContain('a program ran in it');
});

test('without programs: each has its remedy, and the exit code is 3', async () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  const { ok, states, exitCode } = await doctor(await made('bare'), empty);
  expect({ ok, exitCode }).toEqual({ ok: false, exitCode: 3 });
  for (const name of ['git', 'cc', 'make', 'patch', 'bubblewrap', 'redis']) {
    expect(states.get(name), name).toMatchObject({ state: 'fail', remedy: expect.stringContaining('apt-get install') });
  }
  expect(states.get('node')?.state).toBe('ok');
});

test('a configuration that is wrong is said, and the machine is looked at all the same', async () => {
  const file = join(folder, 'wrong.yaml');
  writeFileSync(file, 'wacth: {}\n');
  const { states, exitCode } = await doctor(file);
  expect(states.get('configuration')).toMatchObject({ state: 'fail', text: expect.stringContaining('wacth') });
  expect(states.get('git')?.state).toBe('ok');
  expect(exitCode).toBe(3);
});

test('a repository, a Redis and a musl compiler that are not there', async () => {
  const file = join(folder, 'gone.yaml');
  const state = join(folder, 'gone');
  writeFileSync(
    file,
    `stateDirectory: ${state}\nredis: { url: 'unix://${folder}/no.sock' }\ntargets: [x86_64-musl, s390x-gnu]\n`,
  );
  const { states } = await doctor(file);
  expect(states.get('forge')).toMatchObject({ state: 'fail', remedy: expect.stringContaining('regrow init') });
  expect(states.get('redis')).toMatchObject({
    state: 'fail',
    text: expect.stringMatching(/no\.sock does not answer: .*ENOENT/),
  });
  expect(states.get('targets')).toMatchObject({
    state: 'warn',
    text: expect.stringContaining('does not build for s390x-gnu'),
  });
  expect(states.has('musl-gcc')).toBe(true);
  expect(states.get('object store')?.state).toBe('ok');
});

test('GitHub: no token, a wrong one, one that works; only reading', async () => {
  const github = await createGitHubFake({
    directory: join(folder, 'github'),
    clock: systemClock,
    tokens: { good: 'someone' },
  });
  try {
    await github.createRepository('octo', 'os', { description: '' });
    const file = join(folder, 'github.yaml');
    writeFileSync(file, `forge: { kind: github, repository: octo/os, baseUrl: '${github.apiUrl}' }\n`);
    const forge = async (token?: string) => {
      const environment = token === undefined ? {} : { REGROW_FORGE_TOKEN: token };
      const log = createLogger({ level: 'silent' });
      const loaded = loadConfig({ file, environment, cwd: folder });
      const checks = await checkServices({ ...loaded, exec: createExec(), log, path: programPath });
      return checks.find(({ name }) => name === 'forge');
    };
    expect(await forge()).toMatchObject({ state: 'fail', remedy: expect.stringContaining('REGROW_FORGE_TOKEN') });
    expect(await forge('bad')).toMatchObject({ state: 'fail', text: expect.stringContaining('401') });
    expect(await forge('good')).toMatchObject({ state: 'ok', text: expect.stringContaining('octo/os') });
  } finally {
    await github.close();
  }
});

test('Node, space and the state directory have their limits', async () => {
  expect(checkNode('20.18.3').state).toBe('fail');
  expect(checkNode('20.19.0').state).toBe('ok');
  expect(checkNode('24.0.0').state).toBe('ok');
  const gibibyte = 1024 ** 3;
  expect([0.1, 2, 50].map((size) => checkSpace(size * gibibyte, '/').state)).toEqual(['fail', 'warn', 'ok']);
  writeFileSync(join(folder, 'file'), '');
  expect(await checkState(join(folder, 'file', 'below'))).toMatchObject([{ state: 'fail' }]);
  expect(await checkState(join(folder, 'new', 'deep'))).toMatchObject([{ state: 'ok' }, { name: 'disk' }]);
});

test('where builds are made a second time, it says whether they can be on another clock', () => {
  const verify = (rebuild: 'never' | 'sample') => ({ verify: { rebuild, sample: 0.1, difference: 'fail' } }) as const;
  expect(checkSecondBuilds(verify('never'), undefined)).toEqual([]);
  expect(checkSecondBuilds(verify('sample'), '/usr/lib/faketime/libfaketimeMT.so.1')).toMatchObject([{ state: 'ok' }]);
  expect(checkSecondBuilds(verify('sample'), undefined)).toMatchObject([
    { state: 'warn', remedy: expect.stringContaining('apt-get install faketime') },
  ]);
});
