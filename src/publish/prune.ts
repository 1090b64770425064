import type { Generation } from '../model/publication.ts';
import { blobKey, type Objects } from '../ports/objects.ts';
import { generationKey, generationsPrefix, readGeneration } from './manifest.ts';

/** The blobs that only manifests point to: indexes and package lists. Packages and image layers have other readers too. */
function ownBlobs(generation: Generation): string[] {
  return Object.values(generation.targets).flatMap((target) => [target.index, target.packages]);
}

function numberOf(key: string): number | undefined {
  const match = /^(\d+)\.json$/.exec(key.slice(generationsPrefix.length));
  return match === null ? undefined : Number(match[1]);
}

/**
 * Forgets generations older than the last `keep` before the current one, with the indexes and lists that no kept one has.
 * Package files stay: images and locked build environments name them by digest. A manifest goes before its blobs, so that
 * a stop in between leaves unused blobs, never a manifest that points to nothing.
 */
export async function pruneGenerations(objects: Objects, current: Generation, keep: number): Promise<void> {
  const numbers = (await objects.list(generationsPrefix)).flatMap((key) => numberOf(key) ?? []);
  const oldestKept = current.generation - Math.max(keep, 0);
  const forgotten = numbers.filter((number) => number < oldestKept);
  if (forgotten.length === 0) return;
  const used = new Set(ownBlobs(current));
  for (const number of numbers.filter((one) => one >= oldestKept && one !== current.generation)) {
    const kept = await readGeneration(objects, number);
    for (const blob of kept === undefined ? [] : ownBlobs(kept)) used.add(blob);
  }
  for (const number of forgotten) {
    const generation = await readGeneration(objects, number);
    await objects.remove(generationKey(number));
    for (const blob of generation === undefined ? [] : ownBlobs(generation)) {
      if (!used.has(blob)) await objects.remove(blobKey(blob));
    }
  }
}
