import { createImageKeyRing } from '../adapters/keys/image-key.ts';
import { createKeyRing } from '../adapters/keys/key-ring.ts';
import type { KeyRing } from '../adapters/keys/ring.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { type ImageSigners, imageKeyKey, imageKeysPrefix, imageSignersKey } from '../model/attachment.ts';
import { sha256 } from '../model/canonical.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { ImageKeys, ImageSigner, RepositoryKeys } from '../ports/signer.ts';
import { statePaths } from './parts.ts';

/** Where the public keys lie that machines are to trust. */
export const publicKeysPrefix = 'repository/keys/';

/** The ring of the configured apk keys; only the publisher, and who looks after its keys, opens them. */
export function keyRingOf(
  config: Config,
  { keyPassphrase }: Pick<Secrets, 'keyPassphrase'>,
  clock: Clock,
): KeyRing<RepositoryKeys> {
  return createKeyRing({
    folder: statePaths(config).keys,
    name: config.publish.keyName,
    passphrase: keyPassphrase,
    clock,
  });
}

/** The ring of the keys of images, in the same folder. */
export function imageKeyRingOf(
  config: Config,
  { keyPassphrase }: Pick<Secrets, 'keyPassphrase'>,
  clock: Clock,
): KeyRing<ImageKeys> {
  return createImageKeyRing({ folder: statePaths(config).keys, passphrase: keyPassphrase, clock });
}

/** Lays the trusted public keys where they are served and images take them from, and takes the retired ones away. */
export async function announceKeys(objects: Objects, { trusted, retired }: RepositoryKeys): Promise<void> {
  for (const { keyName, publicKey } of trusted) {
    await objects.put(`${publicKeysPrefix}${keyName}`, Buffer.from(publicKey, 'utf8'));
  }
  for (const keyName of retired) await objects.remove(`${publicKeysPrefix}${keyName}`);
}

/** The keys that an image is to be signed with, the newest first. */
export function imageSigners(signer: ImageSigner): readonly ImageSigner[] {
  return [signer, ...(signer.older ?? [])];
}

/**
 * Lays the public keys of images where they are served, takes the retired ones away, and says which keys every image is to be
 * signed with: the conductor has those signed again that are not.
 */
export async function announceImageKeys(
  objects: Objects,
  signer: ImageSigner,
  { trusted, retired }: Pick<ImageKeys, 'trusted' | 'retired'>,
): Promise<void> {
  for (const { keyName, publicKey } of trusted) {
    await objects.put(`${imageKeysPrefix}${keyName}`, Buffer.from(publicKey, 'utf8'));
  }
  for (const keyName of retired) await objects.remove(`${imageKeysPrefix}${keyName}`);
  await objects.put(imageKeyKey, Buffer.from(signer.publicKey, 'utf8'));
  const signers: ImageSigners = { schema: 1, keys: imageSigners(signer).map(({ publicKey }) => sha256(publicKey)) };
  await objects.put(imageSignersKey, Buffer.from(JSON.stringify(signers), 'utf8'));
}
