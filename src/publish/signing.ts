import { isDeepStrictEqual } from 'node:util';
import { RegrowError } from '../errors.ts';
import { readApk, signApk, verifyApkSignature } from '../formats/apk.ts';
import { entryProblem } from '../formats/apk-index.ts';
import type { Artifact } from '../model/artifact.ts';
import { canonicalJson, sha256 } from '../model/canonical.ts';
import { parseTarget } from '../model/target.ts';
import type { Signer } from '../ports/signer.ts';

export interface SignedPackage {
  /** As it is published: digest and size are those of the signed file. */
  readonly artifact: Artifact;
  readonly bytes: Uint8Array;
}

function refuse({ info }: Artifact, what: string): RegrowError {
  return new RegrowError('package.malformed', `package ${info.name} ${info.version} ${what}`, {
    package: info.name,
    remedy: 'build it again; nothing of this package was published',
  });
}

/** Throws unless `bytes` are the very package that was verified: its digest, its own description, its architecture. */
export function checkStaged(artifact: Artifact, bytes: Uint8Array): void {
  if (sha256(bytes) !== artifact.digest) throw refuse(artifact, 'in staging is not the one that was verified');
  const apk = readApk(bytes);
  if (!isDeepStrictEqual(JSON.parse(canonicalJson(apk.info)), JSON.parse(canonicalJson(artifact.info)))) {
    throw refuse(artifact, 'does not say of itself what its builder says of it');
  }
  if (apk.checksum !== artifact.checksum) throw refuse(artifact, 'has another checksum than its builder says');
  if (apk.info.arch !== parseTarget(artifact.target).arch) throw refuse(artifact, `is not for ${artifact.target}`);
  const problem = entryProblem(artifact);
  if (problem !== undefined) throw refuse(artifact, `cannot be in an index: ${problem}`);
}

/**
 * Signs a staged package and reads the result back: it must be the same package, with a signature of this very key.
 * Same package and key, same bytes. Errors: package.malformed, package.signature-invalid.
 */
export function signStaged(staged: Artifact, unsigned: Uint8Array, signer: Signer): SignedPackage {
  const bytes = signApk(unsigned, signer, staged.info.buildDate);
  const apk = readApk(bytes);
  verifyApkSignature(bytes, [{ name: signer.keyName, publicKey: signer.publicKey }]);
  if (apk.checksum !== staged.checksum) throw refuse(staged, 'changed its checksum when it was signed');
  return { artifact: { ...staged, digest: sha256(bytes), bytes: bytes.length }, bytes };
}
