import { generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createImageSigner, openImageSigner } from '../../../src/adapters/keys/image-key.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-image-key-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the key is made once, for its owner alone, and its public half verifies', async () => {
  const [signer, other] = await Promise.all([openImageSigner(folder), openImageSigner(folder)]);
  expect(other.publicKey).toBe(signer.publicKey);
  expect((await openImageSigner(folder)).publicKey).toBe(signer.publicKey);
  expect(statSync(join(folder, 'cosign.key')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, 'cosign.pub'), 'utf8')).toBe(signer.publicKey);
  const bytes = Buffer.from('payload');
  expect(verify('sha256', bytes, signer.publicKey, other.sign(bytes))).toBe(true);
});

test('with a passphrase it lies sealed, and opens with that passphrase only', async () => {
  const signer = await openImageSigner(folder, 'open sesame');
  expect(readFileSync(join(folder, 'cosign.key'), 'utf8')).not.toContain('PRIVATE KEY');
  expect((await openImageSigner(folder, 'open sesame')).publicKey).toBe(signer.publicKey);
  await expect(openImageSigner(folder, 'other')).rejects.toMatchObject({ code: 'config.invalid' });
  await expect(openImageSigner(folder)).rejects.toThrow(/there is no passphrase/);
});

test('a key that others may read, and one of another kind, are refused', async () => {
  await openImageSigner(folder);
  chmodSync(join(folder, 'cosign.key'), 0o644);
  await expect(openImageSigner(folder)).rejects.toMatchObject({ code: 'config.invalid' });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsa = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  expect(() => createImageSigner(rsa)).toThrow(/no ECDSA P-256 key/);
  expect(() => createImageSigner('nothing')).toThrow(/cannot be read/);
});
