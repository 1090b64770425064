import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { demoKey } from '../../../src/demo/demo-key.ts';

test('the demo key is a 2048-bit RSA key that signs, and the same on every machine', () => {
  const pem = demoKey();
  expect(pem).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
  const key = createPrivateKey(pem);
  expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048, publicExponent: 65_537n });
  const text = Buffer.from('package');
  expect(verify('sha256', text, createPublicKey(key), sign('sha256', text, key))).toBe(true);
  expect(createHash('sha256').update(pem).digest('hex')).toBe(
    '259174f0ca87f62ad51f42c8f2a043a755c7a630d24c220d9c939b4c32414176',
  );
});
