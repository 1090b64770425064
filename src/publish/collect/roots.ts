import { z } from 'zod';
import type { RegrowError } from '../../errors.ts';
import { attachmentsKey } from '../../model/attachment.ts';
import { sha256 } from '../../model/canonical.ts';
import type { KeepReason } from '../../model/collection.ts';
import { type Generation, type ImageCatalogue, imageCatalogueSchema } from '../../model/publication.ts';
import { blobKey, bundlesPrefix, type ObjectReader, stagingKey } from '../../ports/objects.ts';
import { corrupt, currentKey, generationsPrefix, readCurrent, readGeneration } from '../manifest.ts';
import { forEachOf } from './batches.ts';
import { digestsIn, listedDigests, stagedKeysIn } from './digests.ts';

const indexSchema = z.object({ manifests: z.array(z.object({ digest: z.string() })).min(1) });

/** What the ledger knows is still needed. */
export interface Wanted {
  /** Build keys. */
  readonly builds: readonly string[];
  /** Digests of build requests. */
  readonly inputs: readonly string[];
  /** Build keys whose logs are shown. */
  readonly logs: readonly string[];
}

export interface Roots {
  /** What is used, and by what. */
  readonly kept: ReadonlyMap<string, KeepReason>;
  readonly missing: readonly string[];
}

const catalogueKey = 'images/current';
const attachedPrefix = 'images/attached/';
const inputsKey = (digest: string): string => `inputs/${digest}.json`;
/** Largest document that is looked into; a larger blob of an image is a layer. */
const documentLimit = 16 * 1024 * 1024;

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

/**
 * Looks for everything that something still uses. `listing`: every key there is, listed before. What is looked into is searched
 * for whatever it names by digest, not for what is known today: too much is kept rather than too little. `isOver`: whether the time of
 * something that is unused is over. Errors: repository.corrupt, where what says what is used cannot be read; then nobody knows.
 */
export async function findRoots(
  objects: ObjectReader,
  listing: ReadonlySet<string>,
  wanted: Wanted,
  isOver: (key: string) => boolean,
): Promise<Roots> {
  const kept = new Map<string, KeepReason>();
  const missing = new Set<string>();
  let areInputsKnown = true;
  const looked = new Set<string>();
  const keep = (key: string, why: KeepReason): boolean => {
    if (!listing.has(key)) return false;
    if (!kept.has(key)) kept.set(key, why);
    return true;
  };
  const keepOrMiss = (hex: string): void => {
    if (!keep(blobKey(hex), 'generation')) missing.add(blobKey(hex));
  };
  /** True once for each name. */
  const isNew = (name: string): boolean => {
    if (looked.has(name)) return false;
    looked.add(name);
    return true;
  };

  async function textOf(key: string): Promise<string> {
    return text((await objects.get(key))?.bytes ?? new Uint8Array());
  }

  /** The text of a blob, where it is what its digest says. */
  async function read(hex: string): Promise<string | undefined> {
    const object = await objects.get(blobKey(hex));
    return object === undefined || sha256(object.bytes) !== hex ? undefined : text(object.bytes);
  }

  async function keepGeneration(generation: Generation): Promise<void> {
    for (const { index, packages } of Object.values(generation.targets)) {
      keepOrMiss(index);
      if (!isNew(`list ${packages}`)) continue;
      const list = await read(packages);
      if (list === undefined)
        throw corrupt(blobKey(packages), `is gone or damaged: a list of generation ${generation.generation}`);
      keep(blobKey(packages), 'generation');
      const { files, accounts, others } = listedDigests(list);
      for (const file of files) keepOrMiss(file);
      await forEachOf(accounts, async (one) => {
        keepOrMiss(one);
        if (!(await keepAccount(one))) areInputsKnown = false;
      });
      for (const one of others) if (listing.has(blobKey(one))) await keepAccount(one);
    }
  }

  /** Where a package came from: what it says that it was built from stays, so that it can be built again. Says whether it can be read. */
  async function keepAccount(hex: string): Promise<boolean> {
    if (!isNew(`account ${hex}`)) return true;
    keep(blobKey(hex), 'generation');
    const account = await read(hex);
    for (const named of digestsIn(account ?? '')) {
      keep(blobKey(named), 'inputs');
      await keepInputs(named, 'inputs');
    }
    return account !== undefined;
  }

  async function keepInputs(digest: string, why: KeepReason): Promise<void> {
    const key = inputsKey(digest);
    if (!keep(key, why) || !isNew(key)) return;
    const inputs = await textOf(key);
    for (const named of digestsIn(inputs)) keep(blobKey(named), why);
    for (const staged of stagedKeysIn(inputs)) keep(staged, why);
  }

  const builds = new Map<string, string[]>();
  for (const key of listing) {
    const [folder, build = ''] = key.split('/');
    if (folder === 'staging') builds.set(build, [...(builds.get(build) ?? []), key]);
  }

  /** What a builder left, and what it was given. */
  async function keepBuild(build: string, why: KeepReason): Promise<void> {
    for (const key of builds.get(build) ?? []) keep(key, why);
    const result = await textOf(stagingKey(build, 'result.json'));
    for (const named of digestsIn(result)) await keepInputs(named, why);
  }

  /** A manifest with all that hangs on it; what is attached to it is kept by a tag alone. */
  async function keepImage(hex: string, why: KeepReason): Promise<void> {
    if (!isNew(`image ${hex} ${why}`)) return;
    keep(blobKey(hex), why);
    const attached = attachmentsKey(hex);
    if (why === 'image') keep(attached, why);
    const said = listing.has(attached) ? await textOf(attached) : '';
    for (const named of digestsIn(`${said}${await documentText(hex)}`))
      if (listing.has(blobKey(named))) await keepImage(named, why);
  }

  /** Empty for what is none: of a layer only the beginning is read. */
  async function documentText(hex: string): Promise<string> {
    const blob = await objects.stream(blobKey(hex));
    if (blob === undefined || blob.size > documentLimit) return '';
    let start = '';
    for await (const chunk of blob.body) {
      start = text(chunk).trimStart();
      break;
    }
    return start.startsWith('{') ? ((await read(hex)) ?? '') : '';
  }

  async function keepTagged(index: string): Promise<void> {
    const { data } = indexSchema.safeParse(parsed(await documentText(index)));
    for (const { digest } of data?.manifests ?? [])
      if ((await documentText(digest.replace('sha256:', ''))) === '') throw damagedImage(digest.replace('sha256:', ''));
    if (data === undefined) throw damagedImage(index);
    await keepImage(index, 'image');
  }

  const current = await readCurrent(objects);
  const older = await objects.list(generationsPrefix);
  if (current !== undefined) await keepGeneration(current.generation);
  else if (older.length > 0) throw corrupt(currentKey, 'is gone, and older generations are not');
  for (const key of older) {
    const number = /^(\d+)\.json$/.exec(key.slice(generationsPrefix.length))?.[1];
    const generation = number === undefined ? undefined : await readGeneration(objects, Number(number));
    if (generation !== undefined) await keepGeneration(generation);
  }

  const { images } = await readCatalogue(objects);
  const tagged = new Set(images.map(({ digest }) => digest.replace('sha256:', '')));
  for (const hex of tagged) await keepTagged(hex);
  // What says that an image was signed is unused with it, and keeps all of it for as long as it stays itself.
  for (const key of listing) {
    if (!key.startsWith(attachedPrefix) || kept.has(key) || isOver(key)) continue;
    await keepImage(key.slice(attachedPrefix.length, -'.json'.length), 'former-image');
  }

  // Listed again: one that has come since may be of blobs that were there before.
  for (const key of await objects.list('results/image-')) {
    const effect = /^results\/image-([0-9a-f]{64})\.json$/.exec(key)?.[1];
    if (effect === undefined) continue;
    const named = digestsIn(await textOf(key));
    for (const hex of named) keep(blobKey(hex), 'built-image');
    if (![...named].some((hex) => tagged.has(hex))) continue;
    keep(key, 'image');
    keep(`requests/${effect}.json`, 'image');
  }

  const isWanted = new Set(wanted.builds);
  for (const build of isWanted) await keepBuild(build, 'build');
  for (const digest of wanted.inputs) await keepInputs(digest, 'build');
  for (const key of listing) {
    const build = /^results\/build-(.+)\.\d+\.json$/.exec(key)?.[1];
    if (build !== undefined && isWanted.has(build)) keep(key, 'build');
  }
  for (const { origin, version, rolledBackTo } of current?.generation.withdrawn ?? []) {
    if (rolledBackTo === undefined) continue;
    for (const [build, keys] of builds)
      if (keys.includes(stagingKey(build, `${origin}-${version}.apk`))) await keepBuild(build, 'held-back');
  }
  for (const build of wanted.logs) keep(stagingKey(build, 'log'), 'newest-log');
  if (!areInputsKnown) {
    for (const key of listing)
      if (key.startsWith('inputs/')) await keepInputs(key.slice('inputs/'.length, -'.json'.length), 'inputs');
  }
  for (const key of listing) {
    // What Sigstore certified of a package's file, by its digest, is of use as long as the file is.
    if (!key.startsWith(bundlesPrefix)) continue;
    const [hex = ''] = digestsIn(key);
    const why = kept.get(blobKey(hex));
    if (why !== undefined) keep(key, why);
  }
  return { kept, missing: [...missing] };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function damagedImage(hex: string): RegrowError {
  return corrupt(blobKey(hex), 'is gone or damaged: an image with a tag consists of it');
}

async function readCatalogue(objects: ObjectReader): Promise<ImageCatalogue> {
  const object = await objects.get(catalogueKey);
  if (object === undefined) return { schema: 1, images: [] };
  try {
    return imageCatalogueSchema.parse(JSON.parse(text(object.bytes)));
  } catch (cause) {
    throw corrupt(catalogueKey, 'is not what was written there', cause);
  }
}
