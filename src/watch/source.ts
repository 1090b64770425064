import type { ReleaseObservation, WatchFailure } from '../model/observation.ts';
import type { Recipe } from '../model/recipe/recipe.ts';
import type { Clock } from '../ports/clock.ts';
import type { Git } from '../ports/git.ts';
import type { Http } from '../ports/http.ts';
import type { Releases } from '../ports/releases.ts';

/** The doors that sources may use; each uses what it needs. */
export interface WatchPorts {
  readonly releases: Releases;
  readonly http: Http;
  readonly git: Git;
  readonly clock: Clock;
}

export interface PollRequest {
  /** A key that this kind of source gave, `github:OWNER/REPO/tags`. */
  readonly source: string;
  /** What the last answer gave: an etag or a position; opaque to everyone else. */
  readonly cursor?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type PollAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'observed'; readonly observation: ReleaseObservation; readonly cursor: string | undefined }
  | { readonly kind: 'failed'; readonly failure: WatchFailure };

/**
 * One kind of place where upstream says what its releases are. A source gives upstream's own tags; what of them is a version
 * of a package is decided later, from the recipe, so recipes that watch the same place are one poll.
 */
export interface ReleaseSource {
  /** What stands before the `:` of its keys. */
  readonly kind: string;
  /** The key of the place that the recipe names; undefined when it names none of this kind. */
  key(recipe: Recipe): string | undefined;
  /** Asks the place. Throws coded errors; `pollSource` makes a failure of them. */
  poll(request: PollRequest, ports: WatchPorts): Promise<Exclude<PollAnswer, { kind: 'failed' }>>;
}
