import { generateKeyPair, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { Signer } from '../../ports/signer.ts';

/** Bits: what apk and Node still take, and quick to make, as it is trusted by one build for its own time. */
const bits = 2048;

/**
 * A key that signs the index of one build's snapshot and is then forgotten. Its private half never leaves this process: no
 * builder holds the key of a repository.
 */
export async function createThrowAwayKey(): Promise<Signer> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits });
  return {
    keyName: 'snapshot.rsa.pub',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign('sha256', bytes, privateKey),
  };
}
