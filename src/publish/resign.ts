import { RegrowError } from '../errors.ts';
import { indexSigners, signIndex, splitIndex, verifyIndexSignature } from '../formats/apk-index.ts';
import type { Generation } from '../model/publication.ts';
import type { TargetName } from '../model/target.ts';
import { blobKey } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import { checkToken, movePointer, type PublishPorts } from './generation.ts';
import { putBlob } from './listing.ts';
import { corrupt, readCurrent } from './manifest.ts';

/**
 * After the keys have changed: a generation with the same packages whose indexes are signed by the keys of now. Nothing happens
 * where they are already. Gives the generation that it made. Errors: repository.corrupt, storage.full, storage.failed;
 * repository.moved when another publisher was faster, or has a higher token.
 */
export async function resignIndexes(
  { objects, signer, clock }: PublishPorts,
  token: number,
): Promise<Generation | undefined> {
  const current = await readCurrent(objects);
  checkToken(token, current);
  if (current === undefined) return undefined;
  const wanted = indexSigners(signer);
  const targets: Generation['targets'] = { ...current.generation.targets };
  let changed = false;
  for (const [name, listing] of Object.entries(targets)) {
    const key = blobKey(listing.index);
    const object = await objects.get(key);
    if (object === undefined) throw corrupt(key, `is gone: the index of ${name}`);
    const { index, signatures } = splitIndex(object.bytes);
    // By the keys themselves too: one that was lost and made anew has its old name.
    const isSame =
      signatures.map(({ keyName }) => keyName).join(' ') === wanted.map(({ keyName }) => keyName).join(' ');
    if (isSame && wanted.every((one) => isSignedBy(object.bytes, one))) continue;
    const signed = signIndex(index, signer, 0);
    verifyIndexSignature(signed, [{ name: signer.keyName, publicKey: signer.publicKey }]);
    targets[name as TargetName] = { ...listing, index: await putBlob(objects, signed) };
    changed = true;
  }
  if (!changed) return undefined;
  // Whatever was withdrawn stays so; which generation was gone back to is said of that one alone.
  const { generation, rolledBackTo: _, ...carried } = current.generation;
  const next: Generation = {
    ...carried,
    generation: generation + 1,
    parent: generation,
    token,
    at: clock.now().toISOString(),
    targets,
    added: [],
    removed: [],
  };
  await movePointer(objects, current, next);
  return next;
}

function isSignedBy(index: Uint8Array, { keyName, publicKey }: Pick<Signer, 'keyName' | 'publicKey'>): boolean {
  try {
    return verifyIndexSignature(index, [{ name: keyName, publicKey }]) === keyName;
  } catch (thrown) {
    if (thrown instanceof RegrowError && thrown.code === 'package.signature-invalid') return false;
    throw thrown;
  }
}
