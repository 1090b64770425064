import type { RegrowError } from '../errors.ts';
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
  /** Undefined where the host can only be asked about one at a time. */
  readonly repositories?: Repositories;
}

export type ReleaseList = 'releases' | 'tags';
export type ByList<T> = { readonly [list in ReleaseList]?: T };

/** One page of each list that is wanted of one repository. */
export interface RepositoryQuestion {
  readonly owner: string;
  readonly repository: string;
  readonly pages: ByList<PageWanted>;
}

export interface PageWanted {
  /** At most 100. */
  readonly size: number;
  /** `next` of the page before. */
  readonly after?: string;
}

export type PageAnswer =
  | {
      readonly kind: 'page';
      /** Newest first. Drafts are left out. */
      readonly tags: readonly UpstreamTag[];
      /** Where the page after begins; undefined: there is none. */
      readonly next?: string;
    }
  /** `retry: 'now'`: the host left it out of this answer, and may give it in a smaller one. */
  | { readonly kind: 'failed'; readonly error: RegrowError };

export interface RepositoryAnswer {
  /** Of every list that was asked for. */
  readonly pages: ByList<PageAnswer>;
}

export interface AskOptions {
  /** Goes before what is not, and may use what is kept back for it. */
  readonly urgent: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A code host that answers about many repositories at once. */
export interface Repositories {
  /**
   * One answer for each question, in their order. What is wrong with one repository is in its answer. Throws what is wrong with
   * the whole: upstream.unreachable and upstream.answer-invalid (fewer at a time may be answered), upstream.rate-limited (after
   * waiting, where that is short), forge.unauthorized, forge.refused, queue.unreachable, aborted.
   */
  ask(questions: readonly RepositoryQuestion[], options: AskOptions): Promise<readonly RepositoryAnswer[]>;
}
