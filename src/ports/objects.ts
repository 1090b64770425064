/** Bytes by key, to be read. Errors: storage.failed. */
export interface ObjectReader {
  get(key: string): Promise<{ readonly bytes: Uint8Array; readonly etag: string } | undefined>;
  stream(key: string): Promise<{ readonly size: number; readonly body: AsyncIterable<Uint8Array> } | undefined>;
  has(key: string): Promise<boolean>;
  /** Keys that start with a prefix, sorted. */
  list(prefix: string): Promise<readonly string[]>;
}

/** An object that has to be as it was for something to happen; `etag` undefined: there was none. */
export interface Guard {
  readonly key: string;
  readonly etag: string | undefined;
}

/**
 * Bytes by key: a folder, or a bucket. A put is all or nothing: no reader ever sees half an object.
 * Errors: storage.full, storage.failed.
 */
export interface Objects extends ObjectReader {
  put(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * Compare-and-swap: writes only when the object's etag is `expected` (undefined: when there is none) and the guard is as it
   * was, in one step. Says whether it did.
   */
  swap(key: string, bytes: Uint8Array, expected: string | undefined, guard?: Guard): Promise<boolean>;
  /** Only while the guard is as it was, in one step with the look at it. Says whether it was; what is not there is removed. */
  remove(key: string, guard?: Guard): Promise<boolean>;
}

/** `blobs/sha256/ab/abcd…`: content by its hash, hex without `sha256:`. */
export function blobKey(digest: string): string {
  return `blobs/sha256/${digest.slice(0, 2)}/${digest}`;
}

/** Sigstore bundles that say where published packages came from, by the digest (hex) of the package's file. */
export const bundlesPrefix = 'repository/bundles/';

export function bundleKey(digest: string): string {
  return `${bundlesPrefix}${digest}.sigstore.json`;
}

/** What a builder leaves for one build key. */
export function stagingKey(buildKey: string, name: string): string {
  return `staging/${buildKey}/${name}`;
}
