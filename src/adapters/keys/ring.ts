import { createHash, createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { invalidKey } from './failure.ts';
import {
  isKeyFileSealed,
  makeKeyFile,
  readIfThere,
  readKeyFile,
  sealKeyFile,
  writeNew,
  writeOver,
} from './key-file.ts';
import { keyNamePattern } from './signer.ts';

/**
 * What a key is for. `next`: is trusted already and does not sign yet. `signs`: signs whatever is new. `trusted`: signed before;
 * what is made now carries its signature too, for who knows no newer key. `retired`: nothing any more.
 */
const keyStates = ['next', 'signs', 'trusted', 'retired'] as const;
export type KeyState = (typeof keyStates)[number];

const ringSchema = z.strictObject({
  schema: z.literal(1),
  keys: z.array(
    z.strictObject({ name: z.string().regex(keyNamePattern), state: z.enum(keyStates), since: z.iso.datetime() }),
  ),
});
type Ring = z.infer<typeof ringSchema>;

/** A key of the ring, as `regrow keys list` shows it. */
export interface RingKey {
  readonly name: string;
  readonly state: KeyState;
  /** ISO 8601: since when it has that state; undefined for a key that was made before there were rings. */
  readonly since: string | undefined;
  readonly bits: number;
  /** sha256 of the public key (SubjectPublicKeyInfo, DER), hex. */
  readonly fingerprint: string;
  readonly sealed: boolean;
}

export interface RingOptions {
  readonly folder: string;
  readonly passphrase?: string | undefined;
  readonly clock: Clock;
  /** Of scrypt, for new seals. */
  readonly cost?: number;
}

/** Keys of one kind in a folder. Errors of all: config.invalid for what cannot be read or opened; storage.full. */
export interface KeyRing<O> {
  /** Opens the keys for signing; the first one is made where there is none. */
  open(): Promise<O>;
  /** Needs no passphrase. */
  list(): Promise<readonly RingKey[]>;
  /** Makes a key: the one that signs where there is none yet, else one that signs after the next `rotate`. Gives its name. */
  add(): Promise<string>;
  /** The key that is next signs from now on; one is made where none is. */
  rotate(): Promise<{ readonly signs: string; readonly before: string }>;
  /** Takes a key that signs nothing new out of trust. */
  retire(name: string): Promise<void>;
  /** Seals the keys that lie open on the disk; gives their names. */
  seal(): Promise<readonly string[]>;
  /** The PEM of a private key, as it was made. */
  export(name: string): Promise<string>;
  /** The file of a key's public half, `NAME.rsa.pub`. */
  publicFile(name: string): string;
}

/** What makes keys of one kind. */
export interface KeyKind<S> {
  /** Name of the first key; the later ones are `NAME-2`, `NAME-3`, … */
  readonly name: string;
  /** What says which key is for what; a folder without that file, as it was before there were rings, has the one key NAME. */
  readonly ringFile: string;
  privateFile(name: string): string;
  publicFile(name: string): string;
  /** The PEM of a new private key. */
  generate(): Promise<string>;
  /** Reads a PEM of `generate`; `file` is for messages. Errors: config.invalid. */
  signer(pem: string, name: string, file: string): S;
}

/** The keys of a ring, opened. */
export interface OpenedRing<S> {
  readonly signs: S;
  readonly next: readonly S[];
  /** Those that are trusted still, the newest first. */
  readonly older: readonly S[];
  /** Names of those that are not trusted any more. */
  readonly retired: readonly string[];
}

function refused(message: string, remedy: string): RegrowError {
  return new RegrowError('request.refused', message, { remedy });
}

function noSuchKey(key: string): RegrowError {
  return new RegrowError('request.not-found', `there is no key ${key}`, {
    remedy: '`regrow keys list` says which there are',
  });
}

/**
 * The keys of one kind in a folder: a private file each, readable by its owner only and sealed where there is a passphrase, with
 * its public half beside it.
 */
export function createRing<S extends { readonly publicKey: string }>(
  kind: KeyKind<S>,
  { folder, passphrase, clock, cost }: RingOptions,
): KeyRing<OpenedRing<S>> {
  const { name } = kind;
  const seal = passphrase === undefined ? undefined : { passphrase, cost };
  const ringPath = join(folder, kind.ringFile);
  const keyPath = (key: string) => join(folder, kind.privateFile(key));
  if (!keyNamePattern.test(name)) {
    throw invalidKey(keyPath(name), 'has a name that is no file name', 'use letters, digits and . _ - @');
  }

  async function readRing(): Promise<Ring | undefined> {
    const text = await readIfThere(ringPath);
    if (text === undefined) return undefined;
    try {
      return ringSchema.parse(JSON.parse(text));
    } catch (error) {
      throw invalidKey(ringPath, 'is damaged', 'restore it from a backup', error);
    }
  }

  /** What is in the ring; of a folder without one the key of old, where it is there. */
  async function known(): Promise<readonly { name: string; state: KeyState; since?: string }[]> {
    const ring = await readRing();
    if (ring !== undefined) return ring.keys;
    return (await readIfThere(keyPath(name))) === undefined ? [] : [{ name, state: 'signs' }];
  }

  async function write(keys: readonly { name: string; state: KeyState; since?: string }[]): Promise<void> {
    const now = clock.now().toISOString();
    const ring: Ring = { schema: 1, keys: keys.map((key) => ({ ...key, since: key.since ?? now })) };
    await writeOver(ringPath, `${JSON.stringify(ring, null, 2)}\n`, 0o600);
  }

  async function privateKey(key: string): Promise<{ readonly pem: string; readonly sealed: boolean }> {
    const read = await readKeyFile(keyPath(key), key, passphrase);
    if (read !== undefined) return read;
    throw invalidKey(keyPath(key), 'is not there', 'restore it from a backup');
  }

  /** What says who a key is: its public half, for one that is sealed and cannot be opened here. */
  async function publicFacts(key: string) {
    const publicPath = join(folder, kind.publicFile(key));
    const isShut = passphrase === undefined && (await isKeyFileSealed(keyPath(key))) === true;
    const half = isShut ? await readIfThere(publicPath) : undefined;
    const { pem, sealed } = half === undefined ? await privateKey(key) : { pem: half, sealed: true };
    try {
      return { publicKey: createPublicKey(pem), sealed };
    } catch (error) {
      const path = half === undefined ? keyPath(key) : publicPath;
      throw invalidKey(path, 'holds no key', 'restore it from a backup', error);
    }
  }

  async function signerOf(key: string): Promise<S> {
    const signer = kind.signer((await privateKey(key)).pem, key, keyPath(key));
    const publicPath = join(folder, kind.publicFile(key));
    if ((await readIfThere(publicPath)) !== signer.publicKey) await writeOver(publicPath, signer.publicKey, 0o644);
    return signer;
  }

  async function make(key: string): Promise<void> {
    await makeKeyFile(keyPath(key), key, await kind.generate(), seal);
    await signerOf(key);
  }

  /** A key of the next free name. */
  async function makeFurther(keys: readonly { readonly name: string }[]): Promise<string> {
    let number = keys.length + 1;
    while (keys.some((key) => key.name === `${name}-${number}`)) number += 1;
    const further = `${name}-${number}`;
    await make(further);
    return further;
  }

  return {
    publicFile: (key) => kind.publicFile(key),

    async open() {
      if ((await known()).length === 0) {
        await make(name);
        const ring: Ring = { schema: 1, keys: [{ name, state: 'signs', since: clock.now().toISOString() }] };
        await writeNew(ringPath, `${JSON.stringify(ring, null, 2)}\n`, 0o600);
      }
      const keys = await known();
      const signing = keys.find(({ state }) => state === 'signs');
      if (signing === undefined) throw invalidKey(ringPath, 'has no key that signs', '`regrow keys rotate` makes one');
      const older: S[] = [];
      const next: S[] = [];
      for (const key of keys) {
        if (key.state === 'trusted') older.unshift(await signerOf(key.name));
        if (key.state === 'next') next.push(await signerOf(key.name));
      }
      const retired = keys.flatMap((key) => (key.state === 'retired' ? [key.name] : []));
      return { signs: await signerOf(signing.name), next, older, retired };
    },

    async list() {
      const rows: RingKey[] = [];
      for (const { name: key, state, since } of await known()) {
        const { publicKey, sealed } = await publicFacts(key);
        const fingerprint = createHash('sha256')
          .update(publicKey.export({ type: 'spki', format: 'der' }))
          .digest('hex');
        // Those without a modulus are on P-256.
        const { modulusLength = 256 } = publicKey.asymmetricKeyDetails ?? {};
        rows.push({ name: key, state, since, bits: modulusLength, fingerprint, sealed });
      }
      return rows;
    },

    async add() {
      const keys = await known();
      if (keys.length === 0) {
        await make(name);
        await write([{ name, state: 'signs' }]);
        return name;
      }
      const next = keys.find(({ state }) => state === 'next');
      if (next !== undefined) {
        throw refused(`the key ${next.name} is next already`, '`regrow keys rotate` makes it the one that signs');
      }
      const made = await makeFurther(keys);
      await write([...keys, { name: made, state: 'next' }]);
      return made;
    },

    async rotate() {
      const keys = await known();
      const before = keys.find(({ state }) => state === 'signs')?.name;
      if (before === undefined) throw refused('there is no key yet', '`regrow keys new` makes the first one');
      const signs = keys.find(({ state }) => state === 'next')?.name ?? (await makeFurther(keys));
      const others = keys.filter((key) => key.name !== signs && key.name !== before);
      await write([...others, { name: before, state: 'trusted' }, { name: signs, state: 'signs' }]);
      return { signs, before };
    },

    async retire(retired) {
      const keys = await known();
      const key = keys.find((one) => one.name === retired);
      if (key === undefined) throw noSuchKey(retired);
      if (key.state === 'signs')
        throw refused(`the key ${retired} signs`, '`regrow keys rotate` puts another in its place');
      await write(keys.map((one) => (one === key ? { name: retired, state: 'retired' } : one)));
    },

    async seal() {
      if (seal === undefined) {
        const remedy = 'give one: REGROW_KEY_PASSPHRASE or publish.keyPassphraseFile';
        throw invalidKey(folder, 'cannot be sealed without a passphrase', remedy);
      }
      const sealed: string[] = [];
      for (const key of await known()) {
        const read = await privateKey(key.name);
        if (read.sealed) continue;
        await sealKeyFile(keyPath(key.name), key.name, read.pem, seal);
        sealed.push(key.name);
      }
      return sealed;
    },

    async export(key) {
      if (!(await known()).some((one) => one.name === key)) throw noSuchKey(key);
      return (await privateKey(key)).pem;
    },
  };
}
