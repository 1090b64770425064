import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { RepositoryKeys, Signer } from '../../ports/signer.ts';
import { createRing, type KeyKind, type KeyRing, type RingOptions } from './ring.ts';
import { createSignerFromPem } from './signer.ts';

const generate = promisify(generateKeyPair);
const defaultBits = 4096;

export interface KeyRingOptions extends RingOptions {
  /** Name of the first key; the later ones are `NAME-2`, `NAME-3`, … */
  readonly name: string;
  /** Of new keys. */
  readonly bits?: number;
}

/**
 * The apk keys of one repository in a folder: `NAME.rsa` each, PKCS#1 as `melange` and `abuild-sign` take it, with `NAME.rsa.pub`
 * beside it; `NAME.ring.json` says what each is for.
 */
export function createKeyRing({ name, bits = defaultBits, ...options }: KeyRingOptions): KeyRing<RepositoryKeys> {
  const kind: KeyKind<Signer> = {
    name,
    ringFile: `${name}.ring.json`,
    privateFile: (key) => `${key}.rsa`,
    publicFile: (key) => `${key}.rsa.pub`,
    async generate() {
      const { privateKey } = await generate('rsa', { modulusLength: bits });
      return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    },
    signer: (pem, key) => createSignerFromPem(pem, key),
  };
  const ring = createRing(kind, options);
  return {
    ...ring,
    async open() {
      const { signs, older, next, retired } = await ring.open();
      const signer: Signer = { ...signs, older };
      return { signer, trusted: [signer, ...next, ...older], retired: retired.map((key) => kind.publicFile(key)) };
    },
  };
}
