import { compareArtifacts, signIndex, unpackIndex, verifyIndexSignature, writeIndex } from '../formats/apk-index.ts';
import type { Artifact } from '../model/artifact.ts';
import { sha256 } from '../model/canonical.ts';
import type { Generation } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import { blobKey, type Objects } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import { corrupt } from './manifest.ts';
import type { RepositoryMemory } from './memory.ts';

export interface Removal {
  readonly name: string;
  readonly version: string;
  readonly target: TargetName;
}

/** Stores content by its digest, which it gives; what is there already stays, unless the disk has changed it. */
export async function putBlob(objects: Objects, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  const there = (await objects.has(blobKey(digest))) ? await objects.get(blobKey(digest)) : undefined;
  if (there === undefined || sha256(there.bytes) !== digest) await objects.put(blobKey(digest), bytes);
  return digest;
}

/** Of each name the newest versions. `packages` are sorted by name, then version. */
function newestVersions(packages: readonly Artifact[], keep: number): readonly Artifact[] {
  return packages.filter((artifact, i) => packages[i + keep]?.info.name !== artifact.info.name);
}

/** The target's packages after the transaction, sorted by name, then version. */
export function nextPackages(
  before: readonly Artifact[],
  added: readonly Artifact[],
  removals: readonly Removal[],
  keepVersions: number | undefined,
): readonly Artifact[] {
  const gone = new Set(removals.map(({ name, version }) => `${name}-${version}`));
  const kept = [...before, ...added].filter(({ info }) => !gone.has(`${info.name}-${info.version}`));
  const sorted = kept.toSorted(compareArtifacts);
  return keepVersions === undefined ? sorted : newestVersions(sorted, Math.max(keepVersions, 1));
}

/**
 * Writes index and package list of one target, and reads the index back before anything points to it. `packages` are sorted by
 * name, then version. Errors: repository.corrupt, storage.full, storage.failed.
 */
export async function writeListing(
  { objects, signer, memory }: { objects: Objects; signer: Signer; memory: RepositoryMemory },
  target: TargetName,
  packages: readonly Artifact[],
  description: string,
): Promise<NonNullable<Generation['targets'][TargetName]>> {
  const texts = packages.map((artifact) => memory.textsOf(artifact));
  // The index is compressed beside the main thread, meanwhile the list goes to the disk.
  const unsigned = writeIndex(packages, description, (artifact) => memory.textsOf(artifact).entry);
  const list = putBlob(objects, Buffer.from(`[${texts.map(({ json }) => json).join(',')}]\n`, 'utf8'));
  const [index, digest] = await Promise.all([unsigned.then((bytes) => signIndex(bytes, signer, 0)), list]);
  verifyIndexSignature(index, [{ name: signer.keyName, publicKey: signer.publicKey }]);
  if (unpackIndex(index).text !== texts.map(({ entry }) => entry).join(''))
    throw corrupt('APKINDEX.tar.gz', 'does not list what is published');
  memory.keep(target, digest, packages);
  return { index: await putBlob(objects, index), packages: digest, count: packages.length };
}
