import {
  type Amounts,
  type Collection,
  candidatesKey,
  candidatesSchema,
  collectionKey,
  dryCollectionKey,
} from '../../model/collection.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ObjectReader, Objects } from '../../ports/objects.ts';
import { encodeJson, readCurrent } from '../manifest.ts';
import { pruneGenerations } from '../prune.ts';
import { forEachOf } from './batches.ts';
import { classOf, collectedPrefixes, isOver, type Patience, planCollection } from './plan.ts';
import { findRoots, type Wanted } from './roots.ts';

export interface CollectOptions {
  readonly patience: Patience;
  readonly keepGenerations: number;
  /** Only look. */
  readonly dry?: boolean;
  readonly signal?: AbortSignal;
  /** Most objects that go at a time; the rest goes the next time. */
  readonly most?: number;
}

/** A publication waits for as long as this takes. */
const mostRemoved = 20_000;
/** Most names that are said of what is missing. */
const mostNamed = 20;

/**
 * Removes what nothing uses: what was unused when it was looked the last time as well, for its class's patience. To be called by the
 * publisher, with nothing else changing the repository meanwhile; `objects` are its own. What others write at the same time is
 * not known from the last time. Stopped anywhere, nothing is lost but time: what was noted is noted again.
 *
 * Errors: repository.corrupt, when what says what is used cannot be read, and nothing is removed then; repository.moved, when
 * another publisher took over; aborted, storage.full, storage.failed.
 */
export async function collectUnused(
  { objects, clock }: { readonly objects: Objects; readonly clock: Clock },
  wanted: Wanted & { readonly at: string },
  options: CollectOptions,
): Promise<Collection> {
  const { patience, keepGenerations, dry = false, signal, most = mostRemoved } = options;
  const now = clock.now();
  const at = now.toISOString();
  const current = await readCurrent(objects);
  // A publisher that was stopped after a publication may have left some.
  if (!dry && current !== undefined) await pruneGenerations(objects, current.generation, keepGenerations);
  const listing = await listCollected(objects);
  const known = await readCandidates(objects);
  const times = { known, patience, now };
  const roots = await findRoots(objects, listing, wanted, (key) => isOver(key, times));
  signal?.throwIfAborted();
  const { due, waiting } = planCollection(listing, roots, times);
  const going = due.slice(0, most);
  const later = due.slice(most);
  const since = Object.fromEntries([...waiting, ...later.map((key) => [key, known[key] ?? at] as const)]);
  // Before anything goes: what comes back under the same key is new.
  if (!dry) await objects.put(candidatesKey, encodeJson({ schema: 1, at, since }));
  const removed = tally();
  for (const key of going) {
    signal?.throwIfAborted();
    const size = await sizeOf(objects, key);
    if (!dry) await objects.remove(key);
    removed.add(key, size);
  }
  const left = tally();
  await forEachOf([...waiting.keys(), ...later], async (key) => {
    signal?.throwIfAborted();
    left.add(key, await sizeOf(objects, key));
  });
  const kept: Collection['kept'] = {};
  for (const why of roots.kept.values()) kept[why] = (kept[why] ?? 0) + 1;
  const collection: Collection = {
    schema: 1,
    at,
    asked: wanted.at,
    dry,
    removed: removed.amounts,
    waiting: left.amounts,
    kept,
    missing: roots.missing.slice(0, mostNamed),
  };
  await objects.put(dry ? dryCollectionKey : collectionKey, encodeJson(collection));
  return collection;
}

async function listCollected(objects: ObjectReader): Promise<ReadonlySet<string>> {
  const listing = new Set<string>();
  for (const prefix of collectedPrefixes) for (const key of await objects.list(prefix)) listing.add(key);
  return listing;
}

/** What cannot be read counts as nothing known: everything is seen for the first time then. */
async function readCandidates(objects: ObjectReader): Promise<Readonly<Record<string, string>>> {
  const object = await objects.get(candidatesKey);
  if (object === undefined) return {};
  try {
    return candidatesSchema.parse(JSON.parse(Buffer.from(object.bytes).toString('utf8'))).since;
  } catch {
    return {};
  }
}

async function sizeOf(objects: ObjectReader, key: string): Promise<number> {
  return (await objects.stream(key))?.size ?? 0;
}

function tally() {
  const amounts: Amounts = {};
  return {
    amounts,
    add(key: string, bytes: number): void {
      const { objects, bytes: before } = amounts[classOf(key)] ?? { objects: 0, bytes: 0 };
      amounts[classOf(key)] = { objects: objects + 1, bytes: before + bytes };
    },
  };
}
