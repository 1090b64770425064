import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { ImageKeys, ImageSigner } from '../../ports/signer.ts';
import { invalidKey } from './failure.ts';
import { createRing, type KeyKind, type KeyRing, type RingOptions } from './ring.ts';

const generate = promisify(generateKeyPair);
/** P-256, the curve of cosign's keys, as OpenSSL names it. */
const curve = 'prime256v1';

/** A signer from an ECDSA P-256 private key in PKCS#8 PEM. `file` is for messages. Errors: config.invalid. */
export function createImageSigner(pem: string, name = 'cosign', file = `${name}.key`): ImageSigner {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw invalidKey(file, 'cannot be read', 'give an ECDSA P-256 key in PKCS#8 form', error);
  }
  if (key.asymmetricKeyDetails?.namedCurve !== curve) {
    const remedy = 'make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256';
    throw invalidKey(file, 'is no ECDSA P-256 key', remedy);
  }
  return {
    keyName: `${name}.pub`,
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign('sha256', bytes, key),
  };
}

const kind: KeyKind<ImageSigner> = {
  name: 'cosign',
  // No ring of apk keys has this name, whatever they are called.
  ringFile: 'cosign.keys.json',
  privateFile: (key) => `${key}.key`,
  publicFile: (key) => `${key}.pub`,
  async generate() {
    const { privateKey } = await generate('ec', { namedCurve: curve });
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  },
  signer: createImageSigner,
};

/**
 * The keys of images in a folder: `cosign.key`, `cosign-2.key`, …, PKCS#8 each, with `cosign.pub` beside it; `cosign.keys.json` says
 * what each is for.
 */
export function createImageKeyRing(options: RingOptions): KeyRing<ImageKeys> {
  const ring = createRing(kind, options);
  return {
    ...ring,
    async open() {
      const { signs, older, next, retired } = await ring.open();
      const signer: ImageSigner = { ...signs, older };
      return { signer, trusted: [signer, ...next, ...older], retired: retired.map((key) => kind.publicFile(key)) };
    },
  };
}
