import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { openDsse } from '../formats/dsse.ts';
import { inTotoPayloadType } from '../formats/provenance.ts';
import type { PublicKey } from '../formats/signature-member.ts';
import { readSigstoreBundle } from '../formats/sigstore-bundle.ts';
import type { Artifact } from '../model/artifact.ts';
import type { TargetName } from '../model/target.ts';
import { blobKey, bundleKey, bundlesPrefix, type Objects } from '../ports/objects.ts';
import type { Keyless } from '../ports/sigstore.ts';
import { readCurrent, readPackages } from './manifest.ts';

const statementSchema = z.object({ subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })) });

/** So many packages, one after the other, may be refused for what they are; with one more, whoever signs is. */
const mostRefused = 4;

export interface PackageSigning {
  readonly objects: Objects;
  readonly keyless: Keyless;
  /** Of the repository: what none of them has signed is not signed a second time. */
  readonly keys: readonly PublicKey[];
}

/** What became of the packages of a generation. */
export interface SignedPackages {
  readonly signed: number;
  /** Names of files whose provenance no key of now has signed. */
  readonly skipped: readonly string[];
}

/**
 * Signs by an identity where the packages of the newest generation came from, each once: the statement that a key of the repository
 * has signed becomes a Sigstore bundle as well. What has been done is kept when it stops. What is refused of one package is thrown when the
 * others are through. Errors: those of `Keyless`, repository.corrupt.
 */
export async function signPackages(
  { objects, keyless, keys }: PackageSigning,
  signal: AbortSignal | undefined,
): Promise<SignedPackages> {
  const current = await readCurrent(objects);
  if (current === undefined) return { signed: 0, skipped: [] };
  const there = new Set(await objects.list(bundlesPrefix));
  const skipped: string[] = [];
  let signed = 0;
  const refused: RegrowError[] = [];
  let inRow = 0;
  for (const target of Object.keys(current.generation.targets)) {
    for (const artifact of await readPackages(objects, current.generation, target as TargetName)) {
      const key = bundleKey(artifact.digest);
      if (there.has(key) || artifact.provenance === undefined) continue;
      const statement = await statementOf(objects, artifact, keys);
      if (statement === undefined) {
        skipped.push(`${artifact.info.name}-${artifact.info.version}.apk`);
        continue;
      }
      let bundle: string;
      try {
        bundle = await keyless.attest(inTotoPayloadType, statement, signal);
        // Nothing is laid out that nobody could read.
        readSigstoreBundle(bundle);
      } catch (thrown) {
        inRow += 1;
        if (!(thrown instanceof RegrowError) || thrown.code !== 'sigstore.refused' || inRow > mostRefused) throw thrown;
        refused.push(thrown);
        continue;
      }
      inRow = 0;
      await objects.put(key, Buffer.from(`${bundle}\n`, 'utf8'));
      there.add(key);
      signed += 1;
    }
  }
  const [first] = refused;
  if (first !== undefined) throw first;
  return { signed, skipped };
}

/** The statement about this very package that one of the keys has signed. */
async function statementOf(
  objects: Objects,
  { provenance, digest }: Artifact,
  keys: readonly PublicKey[],
): Promise<Uint8Array | undefined> {
  const object = provenance === undefined ? undefined : await objects.get(blobKey(provenance));
  if (object === undefined) return undefined;
  try {
    const { payload, payloadType } = openDsse(JSON.parse(Buffer.from(object.bytes).toString('utf8')), keys);
    const { subject } = statementSchema.parse(JSON.parse(payload.toString('utf8')));
    const isOwn = payloadType === inTotoPayloadType && subject.some((one) => one.digest['sha256'] === digest);
    return isOwn ? payload : undefined;
  } catch (thrown) {
    if (thrown instanceof RegrowError && thrown.code.startsWith('storage.')) throw thrown;
    return undefined;
  }
}
