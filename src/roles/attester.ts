import type { Config } from '../config/schema.ts';
import type { Objects } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import type { Attest } from '../publish/additions.ts';
import { createAttester } from '../publish/attest.ts';
import { recipeAddress } from './recipe-address.ts';

/** Attests packages for the configured distribution: the builder is the daemon at its public address, else it by the name of its key. */
export function attesterOf(config: Config, objects: Objects, signer: Signer): Attest {
  const { api, publish } = config;
  return createAttester({
    objects,
    signer,
    repository: recipeAddress(config),
    distribution: { namespace: publish.keyName, name: api.title },
    builderId: api.publicUrl === undefined ? `urn:regrow:${publish.keyName}` : new URL('/#builder', api.publicUrl).href,
  });
}
