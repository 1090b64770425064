import { verify } from 'node:crypto';
import { RegrowError } from '../errors.ts';
import type { Signer } from '../ports/signer.ts';
import { gzipMember } from './gzip.ts';
import { type TarEntry, writeTar } from './tar.ts';
import type { TarContents } from './tar-reader.ts';

/** A key that signatures are checked with: its file name in `/etc/apk/keys`, and SubjectPublicKeyInfo PEM. */
export interface PublicKey {
  readonly name: string;
  readonly publicKey: string;
}

export interface Signature {
  readonly algorithm: 'DSA' | 'RSA' | 'RSA256' | 'RSA512';
  readonly keyName: string;
  readonly bytes: Uint8Array;
}

/** The names that apko looks for; apk-tools takes the part after the algorithm as a file name in `/etc/apk/keys`. */
const signatureName = /^\.SIGN\.(DSA|RSA|RSA256|RSA512)\.([^/]*\.rsa\.pub)$/;

/** Hashes that a signature may be over. SHA-1 (`RSA`) and DSA are read, but never trusted. */
const trusted: Partial<Record<Signature['algorithm'], string>> = { RSA256: 'sha256', RSA512: 'sha512' };

function signatureEntry(signed: Uint8Array, signer: Signer): TarEntry {
  const path = `.SIGN.RSA256.${signer.keyName}`;
  if (!signatureName.test(path)) {
    throw new RegrowError('config.invalid', `the key name ${signer.keyName} does not end in .rsa.pub`, {
      remedy: 'name the key NAME.rsa, its public half NAME.rsa.pub; other names are not found by apk clients',
    });
  }
  return { path, type: 'file', mode: 0o644, content: signer.sign(signed) };
}

/**
 * The member that goes in front of `signed`: a tar without end blocks with one file `.SIGN.RSA256.KEYNAME` of each signer, RSA
 * PKCS#1 v1.5 over the sha256 of `signed` as stored (compressed). apk takes the first whose key it has. `mtime` in seconds
 * since 1970.
 */
export function signatureMember(signed: Uint8Array, signers: readonly Signer[], mtime: number): Uint8Array {
  return gzipMember(
    writeTar(
      signers.map((signer) => signatureEntry(signed, signer)),
      { mtime, end: false },
    ),
  );
}

/** The signatures in a member's tar, or undefined when the member is something else. */
export function readSignatures(tar: TarContents): readonly Signature[] | undefined {
  const [first] = tar.entries;
  if (first === undefined || !first.path.startsWith('.SIGN.')) return undefined;
  return tar.entries.flatMap((entry): Signature[] => {
    const match = signatureName.exec(entry.path);
    if (match === null) return [];
    const [, algorithm = 'DSA', keyName = ''] = match;
    return [{ algorithm: algorithm as Signature['algorithm'], keyName, bytes: entry.content }];
  });
}

/**
 * The name of the first of `keys` that made one of `signatures` over `signed`. `what` names the file in the error.
 * Errors: package.signature-invalid.
 */
export function verifySignatures(
  what: string,
  signed: Uint8Array,
  signatures: readonly Signature[],
  keys: readonly PublicKey[],
): string {
  for (const signature of signatures) {
    const hash = trusted[signature.algorithm];
    const key = keys.find((candidate) => candidate.name === signature.keyName);
    if (hash !== undefined && key !== undefined && verify(hash, signed, key.publicKey, signature.bytes))
      return key.name;
  }
  const found = signatures.map((signature) => `${signature.algorithm} by ${signature.keyName}`).join(', ');
  throw new RegrowError(
    'package.signature-invalid',
    `${what} has no signature of a known key: ${found === '' ? 'it is not signed' : `it has ${found}`}; known: ${keys.map((key) => key.name).join(', ') || 'none'}`,
    { remedy: 'sign it with the repository key, or add the key that signed it' },
  );
}
