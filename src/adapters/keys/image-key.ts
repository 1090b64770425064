import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageSigner } from '../../ports/signer.ts';
import { invalidKey } from './failure.ts';
import { readIfThere, writeNew, writeOver } from './key-file.ts';
import { isSealed, openKey, sealKey } from './sealed-key.ts';

const generate = promisify(generateKeyPair);
const keyName = 'cosign';
/** P-256, the curve of cosign's keys, as OpenSSL names it. */
const curve = 'prime256v1';

/** A signer from an ECDSA P-256 private key in PKCS#8 PEM. `file` is for messages. Errors: config.invalid. */
export function createImageSigner(pem: string, file = `${keyName}.key`): ImageSigner {
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
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign('sha256', bytes, key),
  };
}

/**
 * The signer whose key is `FOLDER/cosign.key`, with `cosign.pub` beside it; made on first use, sealed where there is a passphrase,
 * readable by its owner only. Publishers that start at once get one key. Errors: config.invalid, storage.full.
 */
export async function openImageSigner(folder: string, passphrase?: string): Promise<ImageSigner> {
  const path = join(folder, `${keyName}.key`);
  if ((await readIfThere(path)) === undefined) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { privateKey } = await generate('ec', { namedCurve: curve });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await writeNew(path, passphrase === undefined ? pem : await sealKey(pem, keyName, { passphrase }), 0o600);
  }
  const text = (await readIfThere(path)) ?? '';
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) throw invalidKey(path, 'may be read by others', `chmod 600 ${path}`);
  if (isSealed(text) && passphrase === undefined) {
    const remedy = 'give its passphrase to the publisher: REGROW_KEY_PASSPHRASE or publish.keyPassphraseFile';
    throw invalidKey(path, 'is sealed, and there is no passphrase', remedy);
  }
  const signer = createImageSigner(isSealed(text) ? await openKey(text, keyName, path, passphrase ?? '') : text, path);
  const publicPath = join(folder, `${keyName}.pub`);
  if ((await readIfThere(publicPath)) !== signer.publicKey) await writeOver(publicPath, signer.publicKey, 0o644);
  return signer;
}
