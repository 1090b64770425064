import { createHash } from 'node:crypto';
import { RegrowError } from '../../src/errors.ts';
import type { Guard, Objects } from '../../src/ports/objects.ts';

export type ObjectsOperation = 'get' | 'stream' | 'has' | 'put' | 'swap' | 'list' | 'remove';

export interface ObjectsFaults {
  /** The next `times` calls of an operation (on keys with a prefix, where given) fail; storage.failed where no error is given. */
  fail(operation: ObjectsOperation, options?: { prefix?: string; times?: number; error?: Error }): void;
  /** From now on every write fails with storage.full, until set back. */
  full(value: boolean): void;
  /** Runs before the next compare-and-swap of a key looks at the etag: where another publisher gets in between. */
  beforeSwap(action: () => Promise<void> | void): void;
}

export interface MemoryObjects extends Objects {
  readonly faults: ObjectsFaults;
  /** Operations so far, oldest first, `put repository/current`. */
  readonly calls: readonly string[];
}

interface Fault {
  readonly operation: ObjectsOperation;
  readonly prefix: string;
  readonly error: Error;
  left: number;
}

const chunkSize = 64 * 1024;

function etagOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.slice(at, at + chunkSize);
}

/** The Objects port in memory, with faults to order. */
export function createMemoryObjects(): MemoryObjects {
  const store = new Map<string, Uint8Array>();
  const faults: Fault[] = [];
  const swaps: (() => Promise<void> | void)[] = [];
  const calls: string[] = [];
  let isFull = false;

  function enter(operation: ObjectsOperation, key: string): void {
    calls.push(`${operation} ${key}`);
    const fault = faults.find((one) => one.operation === operation && key.startsWith(one.prefix) && one.left > 0);
    if (fault !== undefined) {
      fault.left -= 1;
      throw fault.error;
    }
    if (isFull && (operation === 'put' || operation === 'swap')) {
      throw new RegrowError('storage.full', `no space left for ${key}`, { retry: 'later', remedy: 'free space' });
    }
  }

  function etagAt(key: string): string | undefined {
    const bytes = store.get(key);
    return bytes === undefined ? undefined : etagOf(bytes);
  }

  const isAsItWas = (guard: Guard | undefined) => guard === undefined || etagAt(guard.key) === guard.etag;

  return {
    calls,
    faults: {
      fail(operation, options = {}) {
        const error =
          options.error ??
          new RegrowError('storage.failed', `${operation} failed (ordered by a test)`, { retry: 'later' });
        faults.push({ operation, prefix: options.prefix ?? '', error, left: options.times ?? 1 });
      },
      full(value) {
        isFull = value;
      },
      beforeSwap(action) {
        swaps.push(action);
      },
    },
    async get(key) {
      enter('get', key);
      const bytes = store.get(key);
      return bytes === undefined ? undefined : { bytes: bytes.slice(), etag: etagOf(bytes) };
    },
    async stream(key) {
      enter('stream', key);
      const bytes = store.get(key);
      return bytes === undefined ? undefined : { size: bytes.length, body: chunksOf(bytes) };
    },
    async has(key) {
      enter('has', key);
      return store.has(key);
    },
    async put(key, bytes) {
      enter('put', key);
      store.set(key, bytes.slice());
    },
    async swap(key, bytes, expected, guard) {
      enter('swap', key);
      await swaps.shift()?.();
      if (!isAsItWas(guard) || etagAt(key) !== expected) return false;
      store.set(key, bytes.slice());
      return true;
    },
    async list(prefix) {
      enter('list', prefix);
      return [...store.keys()].filter((key) => key.startsWith(prefix)).sort();
    },
    async remove(key, guard) {
      enter('remove', key);
      if (!isAsItWas(guard)) return false;
      store.delete(key);
      return true;
    },
  };
}
