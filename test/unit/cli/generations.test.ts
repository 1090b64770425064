import type { Command } from 'commander';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CliContext } from '../../../src/cli/context.ts';
import { generationsCommand, rollbackCommand, withdrawCommand } from '../../../src/cli/generations.ts';
import { createHttpReader } from '../../../src/cli/http-reader.ts';
import { createLocalReader } from '../../../src/cli/local-reader.ts';
import { createOutput } from '../../../src/cli/output.ts';
import type { OpenReader } from '../../../src/cli/reader.ts';
import { startTestApi, type TestApi } from '../../support/api-server.ts';
import { before, createWorld, publish, settings, type World } from '../../support/report-world.ts';

let world: World;
let api: TestApi;
beforeEach(async () => {
  world = createWorld();
  api = await startTestApi(world);
  await publish(world, 1, settings.targets, { zlib: '1.0-r0' });
  const second = await publish(world, 2, settings.targets, { zlib: '1.1-r0' });
  const withdrawn = [{ origin: 'zlib', version: '1.1-r0', reason: 'it eats files', at: before(1) }];
  const third = { ...second, generation: 3, parent: 2, at: before(1), added: [], withdrawn };
  await world.ledger.put('publication', '3', { ...third, removed: ['zlib-1.1-r0 x86_64-gnu'] }, before(1));
  const counted = Object.entries(second.targets).map(([target, one]) => [target, { ...one, count: 4 }]);
  const fourth = { ...third, generation: 4, at: before(0), targets: Object.fromEntries(counted), rolledBackTo: 1 };
  await world.ledger.put('publication', '4', fourth, before(0));
});
afterEach(() => api.close());

const daemon: OpenReader = async () => createHttpReader({ server: api.base });
const stopped: OpenReader = async () =>
  createLocalReader({ ...world, where: '.regrow', settings, close: async () => undefined });

async function run(make: (context: CliContext) => Command, argv: readonly string[], openReader = daemon) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  const command = make({ output, openReader, pause: async () => undefined });
  await command.exitOverride().parseAsync(argv, { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

test.each([
  ['a daemon', daemon],
  ['what a stopped one left', stopped],
])('generations are listed, newest first, from %s', async (_, reader) => {
  const { out } = await run(generationsCommand, [], reader);
  expect(out.split('\n').map((line) => line.trimEnd())).toEqual([
    'GENERATION  WHEN                 PACKAGES  CAME         WENT         NOTE',
    '4           2026-11-24 12:00:00  8         -            -            rolled back to 1',
    '3           2026-11-24 11:59:00  -         -            zlib-1.1-r0  zlib 1.1-r0 withdrawn: it eats files',
    '2           2026-11-24 11:57:00  -         zlib-1.1-r0  -',
    '1           2026-11-24 11:57:00  -         zlib-1.0-r0  -',
    '',
  ]);
});

test('a generation that brings no package says what it is for', async () => {
  const published = (await world.ledger.list('publication')).map(({ value }) => value);
  const fourth = published.find(({ generation }) => generation === 4);
  if (fourth === undefined) throw new Error('generation 4 is not there');
  const { rolledBackTo: _, withdrawn = [], ...plain } = fourth;
  const held = { origin: 'zlib', version: '1.2-r0', reason: 'rolled back to 1', at: before(0), rolledBackTo: 1 };
  const back = { ...fourth, withdrawn: [...withdrawn, held] };
  const undone = { ...plain, generation: 5, parent: 4, withdrawn, removed: [] };
  const targets = Object.entries(plain.targets).map(([target, one]) => [target, { ...one, index: 'f'.repeat(64) }]);
  const signed = {
    ...undone,
    generation: 6,
    parent: 5,
    at: '2026-11-24T12:01:00.000Z',
    targets: Object.fromEntries(targets),
  };
  const at = '2026-11-24T12:01:00.000Z';
  await world.ledger.put('publication', '4', back, before(0));
  await world.ledger.put('publication', '5', { ...undone, at }, at);
  await world.ledger.put('publication', '6', signed, at);
  const { out } = await run(generationsCommand, []);
  const lines = out.split('\n').slice(1, 4);
  expect(lines.map((line) => line.trimEnd().split(/ {2,}/).at(-1))).toEqual([
    'indexes signed by other keys',
    'rollback undone',
    'rolled back to 1',
  ]);
  expect((await run(generationsCommand, ['--limit', '1'])).out).toContain('indexes signed by other keys');
  const { generations } = JSON.parse((await run(generationsCommand, ['--limit', '1', '--json'])).out);
  expect(generations).toMatchObject([{ generation: 6 }]);
});

test('withdraw asks for one version by the name of its file, and wants a reason', async () => {
  const { out } = await run(withdrawCommand, ['zlib-dev-1.1-r0', '--reason', 'it eats files', '--force']);
  expect(out).toBe(
    'asked for: withdraw zlib 1.1-r0 (zlib, zlib-dev) from x86_64-gnu, x86_64-musl, publish zlib 1.0-r0 again\n',
  );
  expect(world.queue.asked).toEqual(['withdraw zlib-dev 1.1-r0 by force: it eats files']);
  expect(await run(withdrawCommand, ['zlib', '--reason', 'x'])).toMatchObject({
    err: expect.stringContaining('write NAME-VERSION-rN'),
    exitCode: 2,
  });
  await expect(run(withdrawCommand, ['zlib-1.1-r0'])).rejects.toMatchObject({
    code: 'commander.missingMandatoryOptionValue',
  });
});

test('rollback asks for a generation, the one before, or that it be undone', async () => {
  expect((await run(rollbackCommand, ['1'])).out).toBe('asked for: roll back to generation 1\n');
  await run(rollbackCommand, []);
  expect(world.queue.asked).toEqual(['rollback 1', 'rollback 1']);
  expect((await run(rollbackCommand, ['--undo'])).err).toContain('no rollback holds anything back');
  expect((await run(rollbackCommand, ['1', '--undo'])).err).toContain('--undo takes no generation');
  await expect(run(rollbackCommand, ['one'])).rejects.toMatchObject({ code: 'commander.invalidArgument' });
});

test('both need a daemon', async () => {
  expect((await run(withdrawCommand, ['zlib-1.1-r0', '--reason', 'x'], stopped)).err).toContain('regrow run');
  expect((await run(rollbackCommand, [], stopped)).err).toContain('regrow run');
});
