import { generateKeyPairSync } from 'node:crypto';
import { createSignerFromPem } from '../../src/adapters/keys/signer.ts';
import type { Signer } from '../../src/ports/signer.ts';

/** A signer with a new key of the smallest allowed size: quick to make, never to be trusted. */
export function createTestSigner(keyName = 'test'): Signer {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return createSignerFromPem(privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), keyName);
}
