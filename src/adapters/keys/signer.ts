import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import type { Signer } from '../../ports/signer.ts';
import { invalidKey } from './failure.ts';

/** Below this nobody should trust a signature (NIST SP 800-131A). */
const leastBits = 2048;
export const keyNamePattern = /^[A-Za-z0-9][A-Za-z0-9@._-]*$/;

function readKey(pem: string, file: string): KeyObject {
  if (!pem.includes('-----BEGIN RSA PRIVATE KEY-----')) {
    throw invalidKey(
      file,
      'is not in PKCS#1 form (BEGIN RSA PRIVATE KEY)',
      'convert it: openssl rsa -traditional -in KEY -out KEY.rsa',
    );
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw invalidKey(file, 'cannot be read', 'give an RSA key without a passphrase', error);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < leastBits)
    throw invalidKey(file, `has ${bits} bits`, `make one with at least ${leastBits} bits, better 4096`);
  return key;
}

/**
 * A signer from a private key in PKCS#1 PEM. `keyName` is the name of the key pair without `.rsa`; the public half is known
 * to apk clients as `KEYNAME.rsa.pub`. Errors: config.invalid.
 */
export function createSignerFromPem(pem: string, keyName: string): Signer {
  const file = `${keyName}.rsa`;
  if (!keyNamePattern.test(keyName))
    throw invalidKey(file, 'has a name that is no file name', 'use letters, digits and . _ - @');
  const key = readKey(pem, file);
  return {
    keyName: `${file}.pub`,
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign('sha256', bytes, key),
  };
}
