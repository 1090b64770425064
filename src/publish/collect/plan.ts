import type { CollectedClass } from '../../model/collection.ts';
import type { Roots } from './roots.ts';

/** Milliseconds that something of a class stays once nothing uses it. */
export type Patience = Readonly<Record<CollectedClass, number>>;

export interface CollectionPlan {
  /** To be removed now, in this order. */
  readonly due: readonly string[];
  /** Unused, and since when; without those that are due. */
  readonly waiting: ReadonlyMap<string, string>;
  readonly classOf: (key: string) => CollectedClass;
}

/** The parts of the store in which things become unused; whatever lies elsewhere stays. */
export const collectedPrefixes = [
  'blobs/sha256/',
  'staging/',
  'inputs/',
  'requests/',
  'results/',
  'images/attached/',
] as const;

/** What is removed before what: a build's result says that its packages are there, an image's signature what it signs. */
const order: readonly CollectedClass[] = [
  'result',
  'request',
  'image',
  'attachment',
  'package',
  'log',
  'input',
  'blob',
];

function classOf(key: string, { formerImages }: Roots): CollectedClass {
  if (key.startsWith('blobs/')) return 'blob';
  if (key.startsWith('staging/')) return key.endsWith('/log') ? 'log' : 'package';
  if (key.startsWith('inputs/')) return 'input';
  if (key.startsWith('requests/')) return 'request';
  if (key.startsWith('results/')) return 'result';
  return formerImages.has(key) ? 'image' : 'attachment';
}

function isResult(key: string): boolean {
  return key.endsWith('/result.json');
}

/**
 * What is to go. Something goes when nothing uses it now, nothing used it the last time either, and that was first seen at least its
 * patience ago. `known`: what was unused the last time, and since when.
 */
export function planCollection(
  listing: Iterable<string>,
  roots: Roots,
  known: Readonly<Record<string, string>>,
  { patience, now }: { readonly patience: Patience; readonly now: Date },
): CollectionPlan {
  const unused = new Map<string, string>();
  for (const key of listing) {
    if (roots.kept.has(key)) continue;
    const since = Object.hasOwn(known, key) ? known[key] : undefined;
    // A clock that was put back makes nothing older than it is.
    const isPast = since !== undefined && Date.parse(since) <= now.getTime();
    unused.set(key, isPast ? since : now.toISOString());
  }
  const ofKey = (key: string) => classOf(key, roots);
  const isOld = (key: string) => {
    const since = unused.get(key);
    return (
      Object.hasOwn(known, key) && since !== undefined && now.getTime() - Date.parse(since) >= patience[ofKey(key)]
    );
  };
  const listed = new Set(listing);
  const isDue = (key: string): boolean => {
    if (!isOld(key)) return false;
    if (!key.startsWith('staging/') || key.endsWith('/log') || isResult(key)) return true;
    // Never the packages of a build whose result stays.
    const result = `${key.slice(0, key.lastIndexOf('/'))}/result.json`;
    return !listed.has(result) || isOld(result);
  };
  const rank = (key: string) => (isResult(key) ? -1 : order.indexOf(ofKey(key)));
  const due = [...unused.keys()].filter(isDue).toSorted((a, b) => rank(a) - rank(b));
  for (const key of due) unused.delete(key);
  return { due, waiting: unused, classOf: ofKey };
}
