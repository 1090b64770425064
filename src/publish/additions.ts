import { RegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import type { Withdrawn } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import { withdrawnError } from '../model/withdrawal.ts';
import type { Objects } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import { publishedChecksum } from './former.ts';
import { putBlob } from './listing.ts';
import { checkStaged, signStaged } from './signing.ts';

export interface Addition {
  /** Where the unsigned package lies, `staging/BUILDKEY/NAME-VERSION.apk`. */
  readonly key: string;
  /** As it was verified: digest and size of the unsigned file. */
  readonly artifact: Artifact;
  /** Digest of the build request that it was built by; absent: whichever its builder names. */
  readonly request?: string | undefined;
}

/**
 * Writes down where a package came from, signed, and gives the digest of that; undefined where its build left no account of
 * itself. `signed` is the addition's package as it is published. Errors: package.malformed, storage.full, storage.failed.
 */
export type Attest = (addition: Addition, signed: Artifact) => Promise<string | undefined>;

/** An addition that can never be published as it is, and why: package.conflict, package.malformed or package.withdrawn. */
export interface RefusedAddition {
  readonly addition: Addition;
  readonly error: RegrowError;
}

/** What a generation's manifest calls a package. */
export function label({ info, target }: Artifact): string {
  return `${info.name}-${info.version} ${target}`;
}

function isSame(a: Artifact, name: string, version: string): boolean {
  return a.info.name === name && a.info.version === version;
}

/**
 * What is to be added and is not there yet. The same name, version and content is there already: nothing to do. The same
 * name and version with other content: package.conflict, as machines that have the index would refuse the file; also when it
 * has left the index since. A version that was withdrawn: package.withdrawn.
 */
export async function missingAdditions(
  objects: Objects,
  add: readonly Addition[],
  published: ReadonlyMap<TargetName, readonly Artifact[]>,
  withdrawn: readonly Withdrawn[],
  refused: RefusedAddition[],
): Promise<readonly Addition[]> {
  const wanted = new Map<string, Addition>();
  const conflict = (artifact: Artifact, known: string, when: string): RegrowError =>
    new RegrowError(
      'package.conflict',
      `${label(artifact)} ${when} published with other content (${known}, not ${artifact.checksum})`,
      { package: artifact.info.name, remedy: 'raise the epoch of the recipe: a published version never changes' },
    );
  for (const addition of add) {
    const { artifact } = addition;
    const { name, version } = artifact.info;
    const out = withdrawn.find((one) => one.origin === artifact.info.origin && one.version === version);
    if (out !== undefined) {
      refused.push({ addition, error: withdrawnError(out) });
      continue;
    }
    const there = published.get(artifact.target)?.find((other) => isSame(other, name, version));
    const present = there ?? wanted.get(label(artifact))?.artifact;
    const known = present?.checksum ?? (await publishedChecksum(objects, artifact));
    if (known !== undefined && known !== artifact.checksum) {
      refused.push({ addition, error: conflict(artifact, known, present === undefined ? 'was once' : 'is') });
      continue;
    }
    if (there === undefined) wanted.set(label(artifact), addition);
  }
  return [...wanted.values()];
}

/** Signs and stores one staged package, and where it came from. Idempotent: the same package has the same blobs. */
export async function publishPackage(
  { objects, signer, attest }: { readonly objects: Objects; readonly signer: Signer; readonly attest?: Attest },
  addition: Addition,
): Promise<Artifact> {
  const { key, artifact } = addition;
  const staged = await objects.get(key);
  if (staged === undefined) {
    throw new RegrowError('package.malformed', `${label(artifact)} is not in staging (${key})`, {
      package: artifact.info.name,
      file: key,
      remedy: 'build it again',
    });
  }
  checkStaged(artifact, staged.bytes);
  const signed = signStaged(artifact, staged.bytes, signer);
  await putBlob(objects, signed.bytes);
  const provenance = await attest?.(addition, signed.artifact);
  return provenance === undefined ? signed.artifact : { ...signed.artifact, provenance };
}
