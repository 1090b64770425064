import type { UpstreamTag } from '../model/observation.ts';

/** Which repository of a code host is asked. */
export interface ReleaseQuery {
  readonly owner: string;
  readonly repository: string;
  /** What an earlier answer gave: where nothing has changed since, the answer is `unchanged` and costs no rate limit. */
  readonly cursor?: string;
  readonly signal?: AbortSignal;
}

export type ReleaseAnswer =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'changed';
      /** In the host's order. Drafts are left out. */
      readonly tags: readonly UpstreamTag[];
      /** Opaque; undefined where the host gives nothing to compare by. */
      readonly cursor: string | undefined;
    };

/**
 * Releases and tags of a code host. Errors: upstream.unreachable, upstream.not-found, upstream.answer-invalid,
 * upstream.rate-limited, aborted.
 */
export interface Releases {
  releases(query: ReleaseQuery): Promise<ReleaseAnswer>;
  tags(query: ReleaseQuery): Promise<ReleaseAnswer>;
}
