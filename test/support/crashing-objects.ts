import type { Objects } from '../../src/ports/objects.ts';

export interface CrashingObjects extends Objects {
  /** Whether the operation was reached. */
  crashed(): boolean;
}

/**
 * Objects of a process that dies at its n-th operation (counted from 1). `when` says whether that operation still takes
 * effect: a write can be done and its answer lost. From then on nothing works any more.
 */
export function crashAt(objects: Objects, operation: number, when: 'before' | 'after'): CrashingObjects {
  let count = 0;
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    count += 1;
    if (count > operation || (count === operation && when === 'before')) throw new Error('the process died');
    const answer = await work();
    if (count === operation) throw new Error('the process died');
    return answer;
  };
  return {
    crashed: () => count >= operation,
    get: (key) => step(() => objects.get(key)),
    stream: (key) => step(() => objects.stream(key)),
    has: (key) => step(() => objects.has(key)),
    put: (key, bytes) => step(() => objects.put(key, bytes)),
    swap: (key, bytes, expected, guard) => step(() => objects.swap(key, bytes, expected, guard)),
    list: (prefix) => step(() => objects.list(prefix)),
    remove: (key, guard) => step(() => objects.remove(key, guard)),
  };
}
