/** A source file that is in the builder's cache. */
export interface FetchedSource {
  /** Absolute path. */
  readonly path: string;
  readonly sha256: string;
  readonly sha512: string;
  readonly bytes: number;
}

/**
 * Downloads for recipes: streamed once, size-limited, hashed, cached. Errors: upstream.unreachable, upstream.not-found,
 * upstream.too-large, upstream.answer-invalid (an archive that is HTML), source.hash-mismatch.
 */
export interface Sources {
  fetch(
    url: string,
    expected: { readonly sha256?: string; readonly sha512?: string },
    signal?: AbortSignal,
  ): Promise<FetchedSource>;
}
