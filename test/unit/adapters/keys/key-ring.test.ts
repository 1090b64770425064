import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createKeyRing } from '../../../../src/adapters/keys/key-ring.ts';
import { openKey, sealKey } from '../../../../src/adapters/keys/sealed-key.ts';
import { createSignerFromPem } from '../../../../src/adapters/keys/signer.ts';
import { createManualClock } from '../../../fakes/manual-clock.ts';
import { opensslVerifies } from '../../../support/independent/signature.ts';

const root = mkdtempSync(join(tmpdir(), 'regrow-keys-'));
afterAll(() => rmSync(root, { recursive: true }));
const clock = createManualClock('2026-06-01T09:00:00Z');
const invalid = (text: string) => ({ code: 'config.invalid', message: expect.stringContaining(text) as string });

function ring(folder: string, passphrase?: string, name = 'box') {
  return createKeyRing({ folder: join(root, folder), name, passphrase, clock, bits: 2048, cost: 2 ** 10 });
}

async function states(folder: string, passphrase?: string): Promise<Record<string, string>> {
  return Object.fromEntries((await ring(folder, passphrase).list()).map(({ name, state }) => [name, state]));
}

describe('the first key of a folder', () => {
  it('is made once, in PKCS#1, readable by its owner only, with its public half beside it', async () => {
    const first = await ring('first').open();
    const second = await ring('first').open();
    expect(second.signer.publicKey).toBe(first.signer.publicKey);
    expect(first.signer.keyName).toBe('box.rsa.pub');
    const folder = join(root, 'first');
    expect(readdirSync(folder)).toEqual(['box.ring.json', 'box.rsa', 'box.rsa.pub']);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'box.rsa')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'box.rsa'), 'utf8')).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    expect(readFileSync(join(folder, 'box.rsa.pub'), 'utf8')).toBe(first.signer.publicKey);
  });

  it('is one key for publishers that start at the same time', async () => {
    const opened = await Promise.all([1, 2, 3].map(() => ring('race').open()));
    expect(new Set(opened.map(({ signer }) => signer.publicKey)).size).toBe(1);
    expect(readdirSync(join(root, 'race'))).toEqual(['box.ring.json', 'box.rsa', 'box.rsa.pub']);
  });

  it('makes signatures that openssl verifies', async () => {
    const { signer } = await ring('openssl').open();
    const signed = Buffer.from('regrow');
    expect(opensslVerifies({ bytes: Buffer.from(signer.sign(signed)), signed }, signer.publicKey)).toBe(true);
  });

  it('is the key that was there before there were rings', async () => {
    const { signer } = await ring('old').open();
    rmSync(join(root, 'old/box.ring.json'));
    expect((await ring('old').open()).signer.publicKey).toBe(signer.publicKey);
    expect(await ring('old').list()).toMatchObject([{ name: 'box', state: 'signs', since: undefined, bits: 2048 }]);
  });

  it('is refused when others may read it, and with a name that is a path', async () => {
    await ring('open').open();
    chmodSync(join(root, 'open/box.rsa'), 0o644);
    await expect(ring('open').open()).rejects.toMatchObject({
      code: 'config.invalid',
      remedy: expect.stringContaining('chmod 600') as string,
    });
    expect(() => ring('open', undefined, '../box')).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });

  it('is refused in another form, too short, or damaged', () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const other = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const small = short.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    for (const pem of [other, small, '-----BEGIN RSA PRIVATE KEY-----\nhello\n'])
      expect(() => createSignerFromPem(pem, 'box')).toThrow(expect.objectContaining({ code: 'config.invalid' }));
  });
});

describe('rotation', () => {
  it('lets a key be trusted before it signs, and the old one stay trusted and sign indexes', async () => {
    const keys = ring('rotation');
    expect(await keys.add()).toBe('box');
    expect(await keys.add()).toBe('box-2');
    expect(await states('rotation')).toEqual({ box: 'signs', 'box-2': 'next' });
    const before = await keys.open();
    expect(before.signer).toMatchObject({ keyName: 'box.rsa.pub', older: [] });
    expect(before.trusted.map(({ keyName }) => keyName)).toEqual(['box.rsa.pub', 'box-2.rsa.pub']);
    await expect(keys.add()).rejects.toMatchObject({ code: 'request.refused' });

    expect(await keys.rotate()).toEqual({ signs: 'box-2', before: 'box' });
    const after = await keys.open();
    expect(after.signer.keyName).toBe('box-2.rsa.pub');
    expect(after.signer.older?.map(({ keyName }) => keyName)).toEqual(['box.rsa.pub']);
    expect(after.signer.older?.[0]?.publicKey).toBe(before.signer.publicKey);
    expect(after.retired).toEqual([]);
  });

  it('makes the key that it needs, and the newest of the old ones signs first', async () => {
    const keys = ring('often');
    await expect(keys.rotate()).rejects.toMatchObject({ code: 'request.refused' });
    await keys.open();
    for (const signs of ['box-2', 'box-3']) expect(await keys.rotate()).toMatchObject({ signs });
    const { signer } = await keys.open();
    expect(signer.older?.map(({ keyName }) => keyName)).toEqual(['box-2.rsa.pub', 'box.rsa.pub']);
  });

  it('ends with the old key out of trust; the one that signs cannot be retired', async () => {
    const keys = ring('retired');
    await keys.open();
    await keys.rotate();
    await expect(keys.retire('box-2')).rejects.toMatchObject({ code: 'request.refused' });
    await expect(keys.retire('nobody')).rejects.toMatchObject({ code: 'request.not-found' });
    await keys.retire('box');
    const { signer, trusted, retired } = await keys.open();
    expect([signer.older, trusted.map(({ keyName }) => keyName), retired]).toEqual([
      [],
      ['box-2.rsa.pub'],
      ['box.rsa.pub'],
    ]);
    expect(await keys.rotate()).toMatchObject({ signs: 'box-3' });
  });
});

describe('a passphrase', () => {
  it('seals new keys: without it, or with another one, they are not opened', async () => {
    const { signer } = await ring('sealed', 'correct horse').open();
    const text = readFileSync(join(root, 'sealed/box.rsa'), 'utf8');
    expect(text).not.toContain('PRIVATE KEY');
    expect((await ring('sealed', 'correct horse').open()).signer.publicKey).toBe(signer.publicKey);
    expect(await ring('sealed', 'correct horse').list()).toMatchObject([{ sealed: true }]);
    await expect(ring('sealed').open()).rejects.toMatchObject(invalid('is sealed, and there is no passphrase'));
    await expect(ring('sealed', 'wrong').open()).rejects.toMatchObject(invalid('is not opened by this passphrase'));
  });

  it('seals keys that lay open, in place, and they are the same keys', async () => {
    const { signer } = await ring('later').open();
    await expect(ring('later').seal()).rejects.toMatchObject(invalid('without a passphrase'));
    expect(await ring('later', 'secret').seal()).toEqual(['box']);
    expect(await ring('later', 'secret').seal()).toEqual([]);
    expect(statSync(join(root, 'later/box.rsa')).mode & 0o777).toBe(0o600);
    expect((await ring('later', 'secret').open()).signer.publicKey).toBe(signer.publicKey);
  });

  it('is not what opens another key, a changed one, or what is no key', async () => {
    const sealed = await sealKey('the key', 'box', { passphrase: 'secret' });
    expect(await openKey(sealed, 'box', 'box.rsa', 'secret')).toBe('the key');
    await expect(openKey(sealed, 'other', 'other.rsa', 'secret')).rejects.toMatchObject(invalid('other.rsa'));
    const value = JSON.parse(sealed) as { data: string; scrypt: object };
    const changed = JSON.stringify({ ...value, data: Buffer.from('other text').toString('base64') });
    await expect(openKey(changed, 'box', 'box.rsa', 'secret')).rejects.toMatchObject(invalid('box.rsa'));
    const greedy = JSON.stringify({ ...value, scrypt: { ...value.scrypt, cost: 2 ** 30 } });
    for (const text of [greedy, '{}', '{'])
      await expect(openKey(text, 'box', 'box.rsa', 'secret')).rejects.toMatchObject(invalid('damaged'));
  });

  it('does not keep a key from being taken out, as openssl and melange read it', async () => {
    const keys = ring('export', 'secret');
    const { signer } = await keys.open();
    const file = join(root, 'exported.rsa');
    writeFileSync(file, await keys.export('box'), { mode: 0o600 });
    expect(execFileSync('openssl', ['rsa', '-in', file, '-pubout'], { stdio: 'pipe' }).toString()).toBe(
      signer.publicKey,
    );
  });
});
