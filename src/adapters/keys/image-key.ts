import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ImageSigner } from '../../ports/signer.ts';
import { invalidKey } from './failure.ts';
import { makeKeyFile, readIfThere, readKeyFile, sealKeyFile, writeOver } from './key-file.ts';
import { isSealed, type Seal } from './sealed-key.ts';

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

function keyPath(folder: string): string {
  return join(folder, `${keyName}.key`);
}

/**
 * The signer whose key is `FOLDER/cosign.key`, with `cosign.pub` beside it; made on first use, sealed where there is a passphrase,
 * readable by its owner only. Publishers that start at once get one key. Errors: config.invalid, storage.full.
 */
export async function openImageSigner(folder: string, passphrase?: string): Promise<ImageSigner> {
  const path = keyPath(folder);
  let file = await readKeyFile(path, keyName, passphrase);
  if (file === undefined) {
    const { privateKey } = await generate('ec', { namedCurve: curve });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    await makeKeyFile(path, keyName, pem, passphrase === undefined ? undefined : { passphrase });
    file = await readKeyFile(path, keyName, passphrase);
  }
  if (file === undefined) throw invalidKey(path, 'was removed while it was made', 'start again');
  const signer = createImageSigner(file.pem, path);
  const publicPath = join(folder, `${keyName}.pub`);
  if ((await readIfThere(publicPath)) !== signer.publicKey) await writeOver(publicPath, signer.publicKey, 0o644);
  return signer;
}

/** The name of the image key where it lies open on the disk; undefined where it is sealed, or not there. */
export async function openImageKey(folder: string): Promise<string | undefined> {
  const text = await readIfThere(keyPath(folder));
  return text === undefined || isSealed(text) ? undefined : keyName;
}

/** Seals the image key where it lies open; gives its name then. Errors: config.invalid. */
export async function sealImageKey(folder: string, seal: Seal): Promise<string | undefined> {
  const file = await readKeyFile(keyPath(folder), keyName, seal.passphrase);
  if (file === undefined || file.sealed) return undefined;
  await sealKeyFile(keyPath(folder), keyName, file.pem, seal);
  return keyName;
}
