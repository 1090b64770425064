import { systemClock } from '../adapters/clock.ts';
import { openImageKey } from '../adapters/keys/image-key.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { reportError } from '../errors.ts';
import { keyRingOf } from '../roles/keys.ts';
import { statePaths } from '../roles/parts.ts';
import { type Check, fail, ok, warn } from './doctor-check.ts';

const name = 'signing keys';

/** Whether the signing keys can be opened, and whether they lie sealed. None is made. */
export async function checkKeys(config: Config, secrets: Secrets): Promise<Check> {
  try {
    const keys = await keyRingOf(config, secrets, systemClock).list();
    const signing = keys.find(({ state }) => state === 'signs');
    if (signing === undefined) return ok(name, 'none here; the publisher makes the first one');
    const others = keys.filter(({ state }) => state === 'next' || state === 'trusted');
    const text = `${signing.name}.rsa.pub signs${others.length === 0 ? '' : `; ${others.map((key) => `${key.name} is ${key.state}`).join(', ')}`}`;
    const image = await openImageKey(statePaths(config).keys);
    const open = [...keys.flatMap((key) => (key.sealed ? [] : [key.name])), ...(image === undefined ? [] : [image])];
    if (open.length === 0) return ok(name, `${text}; all are sealed`);
    const remedy =
      'give a passphrase in REGROW_KEY_PASSPHRASE or publish.keyPassphraseFile, and run `regrow keys seal`';
    return warn(name, `${text}; not sealed: ${open.join(', ')}`, remedy);
  } catch (thrown) {
    const { message, remedy } = reportError(thrown);
    return fail(name, message, remedy);
  }
}
