import { createKeyRing, type KeyRing } from '../adapters/keys/key-ring.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { RepositoryKeys } from '../ports/signer.ts';
import { statePaths } from './parts.ts';

/** Where the public keys lie that machines are to trust. */
export const publicKeysPrefix = 'repository/keys/';

/** The ring of the configured keys; only the publisher, and who looks after its keys, opens them. */
export function keyRingOf(config: Config, { keyPassphrase }: Pick<Secrets, 'keyPassphrase'>, clock: Clock): KeyRing {
  return createKeyRing({
    folder: statePaths(config).keys,
    name: config.publish.keyName,
    passphrase: keyPassphrase,
    clock,
  });
}

/** Lays the trusted public keys where they are served and images take them from, and takes the retired ones away. */
export async function announceKeys(objects: Objects, { trusted, retired }: RepositoryKeys): Promise<void> {
  for (const { keyName, publicKey } of trusted) {
    await objects.put(`${publicKeysPrefix}${keyName}`, Buffer.from(publicKey, 'utf8'));
  }
  for (const keyName of retired) await objects.remove(`${publicKeysPrefix}${keyName}`);
}
