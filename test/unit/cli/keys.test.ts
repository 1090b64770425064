import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createImageKeyRing } from '../../../src/adapters/keys/image-key.ts';
import { createKeyRing } from '../../../src/adapters/keys/key-ring.ts';
import { checkKeys } from '../../../src/cli/key-check.ts';
import { keysCommand } from '../../../src/cli/keys.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-keys-command-'));
const keys = join(folder, 'keys');
const open = join(folder, 'open.yaml');
const sealed = join(folder, 'sealed.yaml');
const clock = createManualClock('2026-06-01T09:00:00Z');

beforeAll(async () => {
  const config = `stateDirectory: ${folder}\npublish: {keyName: box`;
  writeFileSync(open, `${config}}\n`);
  writeFileSync(sealed, `${config}, keyPassphraseFile: ${join(folder, 'passphrase')}}\n`);
  writeFileSync(join(folder, 'passphrase'), 'correct horse\n');
  // Small keys: the command's own take long to make.
  const ring = createKeyRing({ folder: keys, name: 'box', clock, bits: 2048 });
  await ring.add();
  await ring.add();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run(config: string, ...args: string[]) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  const command = keysCommand({ output }).option('--config <file>');
  await command.parseAsync(['--config', config, ...args], { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

function doctor(file: string) {
  const { config, secrets } = loadConfig({ file, environment: {} });
  return checkKeys(config, secrets);
}

test('keys are listed, rotated and retired, and doctor says what each is for', async () => {
  const listed = await run(open, 'list');
  expect(listed.out).toMatch(
    /KEY +FOR +STATE +SINCE +BITS +SEALED +FINGERPRINT\nbox +packages +signs +2026-06-01 +2048 +no +[0-9a-f]{16}/,
  );
  expect(listed.out).toMatch(/\nbox-2 +packages +next /);
  expect((await run(open, 'new')).err).toContain('request.refused: the key box-2 is next already');
  expect(await doctor(open)).toMatchObject({
    state: 'warn',
    text: 'box.rsa.pub signs; box-2 is next; not sealed: box, box-2',
    remedy: expect.stringContaining('regrow keys seal') as string,
  });

  const rotated = await run(open, 'rotate');
  expect(rotated.out).toContain('box-2.rsa.pub signs from now on, box.rsa.pub stays trusted');
  expect((await doctor(open)).text).toContain('box-2.rsa.pub signs; box is trusted');
  expect(await run(open, 'retire', 'box-2')).toMatchObject({ exitCode: 1 });
  expect((await run(open, 'retire', 'box', '--json')).out).toBe('{"retired":"box"}\n');
  const { keys: after } = JSON.parse((await run(open, 'list', '--json')).out);
  expect(after).toMatchObject([
    { name: 'box', state: 'retired', bits: 2048, sealed: false },
    { name: 'box-2', state: 'signs', bits: 2048, sealed: false },
  ]);
});

test('keys are sealed; without the passphrase the command and doctor say what to do', async () => {
  expect(await run(open, 'seal')).toMatchObject({ exitCode: 3, err: expect.stringContaining('REGROW_KEY_PASSPHRASE') });
  const { signer } = await createImageKeyRing({ folder: keys, clock }).open();
  expect((await doctor(open)).text).toContain('not sealed: box, box-2, cosign');
  expect((await run(sealed, 'seal')).out).toBe('Sealed: box, box-2, cosign.\n');
  const opened = await createImageKeyRing({ folder: keys, clock, passphrase: 'correct horse' }).open();
  expect(opened.signer.publicKey).toBe(signer.publicKey);
  expect(readFileSync(join(keys, 'box-2.rsa'), 'utf8')).not.toContain('PRIVATE KEY');
  expect(await doctor(sealed)).toEqual({
    name: 'signing keys',
    state: 'ok',
    text: 'box-2.rsa.pub signs; of images cosign.pub signs; all are sealed',
  });
  expect(await doctor(open)).toMatchObject({ state: 'fail', text: expect.stringContaining('is sealed') as string });
  // Who they are is no secret.
  expect((await run(open, 'list')).out).toMatch(/\nbox-2 +packages +signs +\S+ +2048 +yes /);
  expect(await run(open, 'export', 'box-2')).toMatchObject({ exitCode: 3 });
  expect((await run(sealed, 'export', 'box-2')).out).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
});

test('keys of images are made, rotated and retired beside those of packages', async () => {
  const file = join(folder, 'images.yaml');
  writeFileSync(file, `stateDirectory: ${join(folder, 'images')}\npublish: {keyName: box}\n`);
  await createKeyRing({ folder: join(folder, 'images/keys'), name: 'box', clock, bits: 2048 }).add();
  expect((await run(file, 'rotate', '--images')).err).toContain('request.refused: there is no key yet');
  expect((await run(file, 'new', '--images')).out).toContain('cosign.pub is made');
  expect((await run(file, 'new', '--images')).out).toContain('cosign-2.pub is made');
  expect((await run(file, 'list')).out).toMatch(/\ncosign +images +signs .* 256 +no .*\ncosign-2 +images +next /);
  const rotated = await run(file, 'rotate', '--images');
  expect(rotated.out).toContain('cosign-2.pub signs from now on, cosign.pub stays trusted');
  expect((await doctor(file)).text).toContain('box.rsa.pub signs; of images cosign-2.pub signs; cosign is trusted;');
  expect(await run(file, 'retire', 'cosign-2')).toMatchObject({ exitCode: 1 });
  expect((await run(file, 'retire', 'cosign')).out).toContain('cosign.pub is trusted no more');
  expect((await run(file, 'export', 'cosign-2')).out).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  for (const command of ['export', 'retire']) {
    const unknown = await run(file, command, 'nobody');
    expect(unknown).toMatchObject({ out: '', exitCode: 1 });
    expect(unknown.err).toContain('request.not-found: there is no key nobody\n  `regrow keys list`');
  }
  expect(JSON.parse((await run(file, 'list', '--json')).out).keys).toMatchObject([
    { name: 'box', use: 'packages', state: 'signs' },
    { name: 'cosign', use: 'images', state: 'retired' },
    { name: 'cosign-2', use: 'images', state: 'signs' },
  ]);
});

test('the first key is made by the command as well as by the publisher', async () => {
  const file = join(folder, 'new.yaml');
  writeFileSync(file, `stateDirectory: ${join(folder, 'new')}\npublish: {keyName: fresh}\n`);
  expect((await doctor(file)).text).toBe('none here; the publisher makes the first one');
  expect((await run(file, 'list')).out).toBe('There is no key yet: the publisher makes the first one.\n');
  expect((await run(file, 'new', '--json')).out).toBe('{"made":"fresh"}\n');
  expect(JSON.parse((await run(file, 'list', '--json')).out).keys).toMatchObject([{ state: 'signs', bits: 4096 }]);
});
