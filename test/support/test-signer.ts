import { generateKeyPairSync } from 'node:crypto';
import { createImageSigner } from '../../src/adapters/keys/image-key.ts';
import { createSignerFromPem } from '../../src/adapters/keys/signer.ts';
import type { ImageSigner, Signer } from '../../src/ports/signer.ts';

/** A signer of images with a new key. */
export function createTestImageSigner(): ImageSigner {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return createImageSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

/** A signer with a new key of the smallest allowed size: quick to make, never to be trusted. */
export function createTestSigner(keyName = 'test'): Signer {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return createSignerFromPem(privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), keyName);
}
