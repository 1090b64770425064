import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createSignerFromPem, openSigner } from '../../../src/adapters/signer.ts';

const folder = mkdtempSync(join(tmpdir(), 'regrow-signer-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the signing key of a folder', () => {
  it('is made once, in PKCS#1, readable by its owner only, with its public half beside it', async () => {
    const keys = join(folder, 'keys');
    const first = await openSigner(keys, 'box', 2048);
    const second = await openSigner(keys, 'box', 2048);
    expect(second.publicKey).toBe(first.publicKey);
    expect(first.keyName).toBe('box.rsa.pub');
    expect(readdirSync(keys)).toEqual(['box.rsa', 'box.rsa.pub']);
    expect(statSync(join(keys, 'box.rsa')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(keys, 'box.rsa'), 'utf8')).toMatch(/^-----BEGIN RSA PRIVATE KEY-----/);
    expect(readFileSync(join(keys, 'box.rsa.pub'), 'utf8')).toBe(first.publicKey);
  });

  it('is one key for publishers that start at the same time', async () => {
    const keys = join(folder, 'race');
    const signers = await Promise.all([1, 2, 3].map(() => openSigner(keys, 'box', 2048)));
    expect(new Set(signers.map((signer) => signer.publicKey)).size).toBe(1);
    expect(readdirSync(keys)).toEqual(['box.rsa', 'box.rsa.pub']);
  });

  it('makes signatures that openssl verifies', async () => {
    const keys = join(folder, 'openssl');
    const signer = await openSigner(keys, 'box', 2048);
    writeFileSync(join(keys, 'data'), 'regrow');
    writeFileSync(join(keys, 'signature'), signer.sign(Buffer.from('regrow')));
    const said = execFileSync(
      'openssl',
      ['dgst', '-sha256', '-verify', 'box.rsa.pub', '-signature', 'signature', 'data'],
      { cwd: keys },
    );
    expect(said.toString()).toBe('Verified OK\n');
  });

  it('is refused when others may read it', async () => {
    const keys = join(folder, 'open');
    await openSigner(keys, 'box', 2048);
    chmodSync(join(keys, 'box.rsa'), 0o644);
    await expect(openSigner(keys, 'box')).rejects.toMatchObject({
      code: 'config.invalid',
      remedy: expect.stringContaining('chmod 600') as string,
    });
  });

  it('is refused in another form, too short, or with a name that is a path', async () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const invalid = expect.objectContaining({ code: 'config.invalid' });
    expect(() =>
      createSignerFromPem(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'box'),
    ).toThrow(invalid);
    expect(() =>
      createSignerFromPem(short.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), 'box'),
    ).toThrow(invalid);
    expect(() => createSignerFromPem('-----BEGIN RSA PRIVATE KEY-----\nhello\n', 'box')).toThrow(invalid);
    await expect(openSigner(folder, '../box')).rejects.toMatchObject({ code: 'config.invalid' });
  });
});
