import type { ObjectReader, Objects } from '../../ports/objects.ts';

/** A store that is read through: what is written goes to `scratch`, and hides what `base` has of that name. `base` stays as it is. */
export function createOverlay(base: ObjectReader, scratch: Objects): Objects {
  return {
    ...scratch,
    get: async (key) => (await scratch.get(key)) ?? base.get(key),
    stream: async (key) => (await scratch.stream(key)) ?? base.stream(key),
    has: async (key) => (await scratch.has(key)) || base.has(key),
    list: async (prefix) => [...new Set([...(await scratch.list(prefix)), ...(await base.list(prefix))])].toSorted(),
  };
}
