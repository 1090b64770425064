import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toRegrowError } from '../../errors.ts';
import { invalidKey } from './failure.ts';
import { isSealed, openKey, type Seal, sealKey } from './sealed-key.ts';

async function writeDraft(path: string, content: string, mode: number): Promise<string> {
  const draft = `${path}.${randomUUID()}.tmp`;
  const handle = await open(draft, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return draft;
}

/** Writes a file that is not there yet, whole or not at all; another writer's file is left as it is. */
export async function writeNew(path: string, content: string, mode: number): Promise<void> {
  let draft: string | undefined;
  try {
    draft = await writeDraft(path, content, mode);
    await link(draft, path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw toRegrowError(error, { file: path });
  } finally {
    if (draft !== undefined) await rm(draft, { force: true });
  }
}

/** Puts a file in the place of another, whole or not at all. */
export async function writeOver(path: string, content: string, mode: number): Promise<void> {
  let draft: string | undefined;
  try {
    draft = await writeDraft(path, content, mode);
    await rename(draft, path);
  } catch (error) {
    if (draft !== undefined) await rm(draft, { force: true });
    throw toRegrowError(error, { file: path });
  }
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw invalidKey(path, 'cannot be read', 'let the publisher read it', error);
  }
}

export interface KeyFile {
  readonly pem: string;
  /** Whether it lies sealed on the disk. */
  readonly sealed: boolean;
}

/** Lays a private key down where none is, for its owner alone; sealed where there is a seal. Who comes second leaves the first one's. */
export async function makeKeyFile(path: string, name: string, pem: string, seal: Seal | undefined): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeNew(path, seal === undefined ? pem : await sealKey(pem, name, seal), 0o600);
}

/** The private key in a file; undefined where there is none. Errors: config.invalid, for one that others may read or that cannot be opened. */
export async function readKeyFile(
  path: string,
  name: string,
  passphrase: string | undefined,
): Promise<KeyFile | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) throw invalidKey(path, 'may be read by others', `chmod 600 ${path}`);
  if (!isSealed(text)) return { pem: text, sealed: false };
  if (passphrase === undefined) {
    const remedy = 'give its passphrase to the publisher: REGROW_KEY_PASSPHRASE or publish.keyPassphraseFile';
    throw invalidKey(path, 'is sealed, and there is no passphrase', remedy);
  }
  return { pem: await openKey(text, name, path, passphrase), sealed: true };
}

/** Whether the private key in a file lies sealed; undefined where there is none. Errors: config.invalid for what cannot be read. */
export async function isKeyFileSealed(path: string): Promise<boolean | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : isSealed(text);
}

/** Seals a key that lies open on the disk. */
export async function sealKeyFile(path: string, name: string, pem: string, seal: Seal): Promise<void> {
  await writeOver(path, await sealKey(pem, name, seal), 0o600);
}
