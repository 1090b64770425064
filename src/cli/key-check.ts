import { systemClock } from '../adapters/clock.ts';
import type { RingKey } from '../adapters/keys/ring.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { reportError } from '../errors.ts';
import { imageKeyRingOf, keyRingOf } from '../roles/keys.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

const name = 'signing keys';

/** What each key of a ring is for: `box-2.rsa.pub signs; box is trusted`. */
function textOf(signing: string, keys: readonly RingKey[]): string {
  const others = keys.filter(({ state }) => state === 'next' || state === 'trusted');
  return `${signing} signs${others.length === 0 ? '' : `; ${others.map((key) => `${key.name} is ${key.state}`).join(', ')}`}`;
}

/** Whether the signing keys can be opened, and whether they lie sealed. None is made. */
export async function checkKeys(config: Config, secrets: Secrets): Promise<Check> {
  try {
    const ring = keyRingOf(config, secrets, systemClock);
    const keys = await ring.list();
    const signing = keys.find(({ state }) => state === 'signs');
    if (signing === undefined) return ok(name, 'none here; the publisher makes the first one');
    const imageRing = imageKeyRingOf(config, secrets, systemClock);
    const imageKeys = await imageRing.list();
    const imageSigning = imageKeys.find(({ state }) => state === 'signs');
    const text = [
      textOf(ring.publicFile(signing.name), keys),
      ...(imageSigning === undefined
        ? []
        : [`of images ${textOf(imageRing.publicFile(imageSigning.name), imageKeys)}`]),
    ].join('; ');
    const shut = [...keys, ...imageKeys].find(({ sealed, state }) => sealed && state !== 'retired');
    if (shut !== undefined && secrets.keyPassphrase === undefined) {
      const remedy = 'give its passphrase to the publisher: REGROW_KEY_PASSPHRASE or publish.keyPassphraseFile';
      return fail(name, `${shut.name} is sealed, and there is no passphrase`, remedy);
    }
    const open = [...keys, ...imageKeys].flatMap((key) => (key.sealed ? [] : [key.name]));
    if (open.length === 0) return ok(name, `${text}; all are sealed`);
    const remedy =
      'give a passphrase in REGROW_KEY_PASSPHRASE or publish.keyPassphraseFile, and run `regrow keys seal`';
    return warn(name, `${text}; not sealed: ${open.join(', ')}`, remedy);
  } catch (thrown) {
    const { message, remedy } = reportError(thrown);
    return fail(name, message, remedy);
  }
}
