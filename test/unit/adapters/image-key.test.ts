import { generateKeyPairSync, verify } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createImageKeyRing, createImageSigner } from '../../../src/adapters/keys/image-key.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';

const clock = createManualClock('2026-06-01T09:00:00Z');
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'regrow-image-key-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function ring(passphrase?: string) {
  return createImageKeyRing({ folder, passphrase, clock, cost: 2 ** 10 });
}

test('the key is made once, for its owner alone, and its public half verifies', async () => {
  const [one, other] = await Promise.all([ring().open(), ring().open()]);
  expect(other.signer.publicKey).toBe(one.signer.publicKey);
  expect((await ring().open()).signer.publicKey).toBe(one.signer.publicKey);
  expect(readdirSync(folder)).toEqual(['cosign.key', 'cosign.keys.json', 'cosign.pub']);
  expect(statSync(join(folder, 'cosign.key')).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(folder, 'cosign.pub'), 'utf8')).toBe(one.signer.publicKey);
  const bytes = Buffer.from('payload');
  expect(verify('sha256', bytes, one.signer.publicKey, other.signer.sign(bytes))).toBe(true);
});

test('with a passphrase it lies sealed, and opens with that passphrase only', async () => {
  const { signer } = await ring('open sesame').open();
  expect(readFileSync(join(folder, 'cosign.key'), 'utf8')).not.toContain('PRIVATE KEY');
  expect((await ring('open sesame').open()).signer.publicKey).toBe(signer.publicKey);
  await expect(ring('other').open()).rejects.toMatchObject({ code: 'config.invalid' });
  await expect(ring().open()).rejects.toThrow(/there is no passphrase/);
});

test('a key that others may read, and one of another kind, are refused', async () => {
  await ring().open();
  chmodSync(join(folder, 'cosign.key'), 0o644);
  await expect(ring().open()).rejects.toMatchObject({ code: 'config.invalid' });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsa = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  expect(() => createImageSigner(rsa)).toThrow(/no ECDSA P-256 key/);
  expect(() => createImageSigner('nothing')).toThrow(/cannot be read/);
});

test('the key of a folder from before there were rings goes on, and is rotated as the apk keys are', async () => {
  const { signer: first } = await ring().open();
  rmSync(join(folder, 'cosign.keys.json'));
  expect((await ring().open()).signer.publicKey).toBe(first.publicKey);
  expect(await ring().list()).toMatchObject([{ name: 'cosign', state: 'signs', bits: 256, sealed: false }]);
  expect(await ring().add()).toBe('cosign-2');
  const waiting = await ring().open();
  expect(waiting.signer).toMatchObject({ keyName: 'cosign.pub', older: [] });
  expect(waiting.trusted.map(({ keyName }) => keyName)).toEqual(['cosign.pub', 'cosign-2.pub']);
  expect(await ring().rotate()).toEqual({ signs: 'cosign-2', before: 'cosign' });
  const rotated = await ring().open();
  expect(rotated.signer.keyName).toBe('cosign-2.pub');
  expect(rotated.signer.older?.map(({ publicKey }) => publicKey)).toEqual([first.publicKey]);
  await ring().retire('cosign');
  expect(await ring().open()).toMatchObject({ signer: { older: [] }, retired: ['cosign.pub'] });
  expect(await ring('sesame').seal()).toEqual(['cosign', 'cosign-2']);
  expect((await ring('sesame').open()).signer.publicKey).toBe(rotated.signer.publicKey);
  expect(await ring('sesame').export('cosign-2')).toMatch(/^-----BEGIN PRIVATE KEY-----/);
});
