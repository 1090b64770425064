import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomUUID, sign } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Signer } from '../ports/signer.ts';

const generate = promisify(generateKeyPair);
const defaultBits = 4096;
/** Below this nobody should trust a signature (NIST SP 800-131A). */
const leastBits = 2048;
const keyNamePattern = /^[A-Za-z0-9][A-Za-z0-9@._-]*$/;

function invalid(file: string, what: string, remedy: string, cause?: unknown): RegrowError {
  return new RegrowError('config.invalid', `signing key ${file}: ${what}`, { file, remedy, cause });
}

function readKey(pem: string, file: string): KeyObject {
  if (!pem.includes('-----BEGIN RSA PRIVATE KEY-----')) {
    throw invalid(
      file,
      'is not in PKCS#1 form (BEGIN RSA PRIVATE KEY)',
      'convert it: openssl rsa -traditional -in KEY -out KEY.rsa',
    );
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw invalid(file, 'cannot be read', 'give an RSA key without a passphrase', error);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < leastBits)
    throw invalid(file, `has ${bits} bits`, `make one with at least ${leastBits} bits, better ${defaultBits}`);
  return key;
}

/**
 * A signer from a private key in PKCS#1 PEM. `keyName` is the name of the key pair without `.rsa`; the public half is known
 * to apk clients as `KEYNAME.rsa.pub`. Errors: config.invalid.
 */
export function createSignerFromPem(pem: string, keyName: string): Signer {
  const file = `${keyName}.rsa`;
  if (!keyNamePattern.test(keyName))
    throw invalid(file, 'has a name that is no file name', 'use letters, digits and . _ - @');
  const key = readKey(pem, file);
  return {
    keyName: `${file}.pub`,
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString(),
    sign: (bytes) => sign('sha256', bytes, key),
  };
}

/** Writes a file that is not there yet, whole or not at all; another writer's file is left as it is. */
async function writeNew(path: string, content: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST'))
      throw toRegrowError(error, { file: path });
  } finally {
    await rm(temporary, { force: true });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw invalid(path, 'cannot be read', 'let the publisher read it', error);
  }
}

/**
 * The signer whose key is `FOLDER/KEYNAME.rsa`; made on first use, RSA of `bits` bits, readable by its owner only, with
 * `KEYNAME.rsa.pub` beside it. Publishers that start at the same time end up with the same key. Errors: config.invalid for
 * a key that others may read or that is none; storage.full.
 */
export async function openSigner(folder: string, keyName: string, bits: number = defaultBits): Promise<Signer> {
  const path = join(folder, `${keyName}.rsa`);
  if (!keyNamePattern.test(keyName))
    throw invalid(path, 'has a name that is no file name', 'use letters, digits and . _ - @');
  let pem = await readIfThere(path);
  if (pem === undefined) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const pair = await generate('rsa', { modulusLength: bits });
    await writeNew(path, pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(), 0o600);
    pem = await readIfThere(path);
    if (pem === undefined) throw invalid(path, 'was removed while it was made', 'start again');
  }
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) throw invalid(path, 'may be read by others', `chmod 600 ${path}`);
  const signer = createSignerFromPem(pem, keyName);
  const publicPath = `${path}.pub`;
  if ((await readIfThere(publicPath)) !== signer.publicKey) {
    const temporary = `${publicPath}.${randomUUID()}.tmp`;
    await writeNew(temporary, signer.publicKey, 0o644);
    await rename(temporary, publicPath);
  }
  return signer;
}
