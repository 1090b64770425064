import type { CollectedClass } from '../../model/collection.ts';
import { bundlesPrefix } from '../../ports/objects.ts';
import type { Roots } from './roots.ts';

/** Milliseconds that something of a class stays once nothing uses it. */
export type Patience = Readonly<Record<CollectedClass, number>>;

export interface CollectionPlan {
  /** To be removed now, in this order. */
  readonly due: readonly string[];
  /** Unused, and since when; without those that are due. */
  readonly waiting: ReadonlyMap<string, string>;
}

/** The parts of the store in which things become unused; whatever lies elsewhere stays. */
export const collectedPrefixes = [
  'blobs/sha256/',
  'staging/',
  'inputs/',
  'requests/',
  'results/',
  'images/attached/',
  bundlesPrefix,
] as const;

/** What is removed before what: a build's result says that its packages are there, an image's signature what it signs. */
const order: readonly CollectedClass[] = ['result', 'request', 'image', 'package', 'log', 'input', 'blob'];

export function classOf(key: string): CollectedClass {
  if (key.startsWith('blobs/') || key.startsWith(bundlesPrefix)) return 'blob';
  if (key.startsWith('staging/')) return key.endsWith('/log') ? 'log' : 'package';
  if (key.startsWith('inputs/')) return 'input';
  if (key.startsWith('requests/')) return 'request';
  if (key.startsWith('results/')) return 'result';
  return 'image';
}

function isResult(key: string): boolean {
  return key.endsWith('/result.json');
}

/** What was unused the last time, and since when; how long such things stay; and what time it is. */
export interface Times {
  readonly known: Readonly<Record<string, string>>;
  readonly patience: Patience;
  readonly now: Date;
}

/** Since when something has been unused, as far as is known; a time that is still to come, of a clock that was put back, is none. */
function sinceOf(key: string, { known, now }: Times): string | undefined {
  const since = Object.hasOwn(known, key) ? known[key] : undefined;
  return since !== undefined && Date.parse(since) <= now.getTime() ? since : undefined;
}

/** Whether something that is unused now has been so for its class's patience. */
export function isOver(key: string, times: Times): boolean {
  const since = sinceOf(key, times);
  return since !== undefined && times.now.getTime() - Date.parse(since) >= times.patience[classOf(key)];
}

/**
 * What is to go. Something goes when nothing uses it now, nothing used it the last time either, and that was first seen at least its
 * patience ago.
 */
export function planCollection(listing: Iterable<string>, { kept }: Roots, times: Times): CollectionPlan {
  const unused = new Set([...listing].filter((key) => !kept.has(key)));
  const all = new Set(listing);
  const isDue = (key: string): boolean => {
    if (!isOver(key, times)) return false;
    if (!key.startsWith('staging/') || key.endsWith('/log') || isResult(key)) return true;
    // Never the packages of a build whose result stays.
    const result = `${key.slice(0, key.lastIndexOf('/'))}/result.json`;
    return !all.has(result) || (unused.has(result) && isOver(result, times));
  };
  const rank = (key: string) => (isResult(key) ? -1 : order.indexOf(classOf(key)));
  const due = [...unused].filter(isDue).toSorted((a, b) => rank(a) - rank(b));
  for (const key of due) unused.delete(key);
  const now = times.now.toISOString();
  return { due, waiting: new Map([...unused].map((key) => [key, sinceOf(key, times) ?? now])) };
}
