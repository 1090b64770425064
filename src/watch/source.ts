import type { ReleaseObservation, UpstreamTag, WatchFailure } from '../model/observation.ts';
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
  /**
   * Whether what has been read is enough. Pages after the first are read only while this says no: recipes that leave out most
   * tags may find theirs on a later page. Absent: the first page is enough.
   */
  readonly enough?: ((tags: readonly UpstreamTag[]) => boolean) | undefined;
  /** Somebody waits for the answer: it may use the part of the limits that is kept back for that. */
  readonly urgent?: boolean | undefined;
}

export type PollAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'observed'; readonly observation: ReleaseObservation; readonly cursor: string | undefined }
  | { readonly kind: 'failed'; readonly failure: WatchFailure };

/** Takes one answer as soon as it is there. */
export type TellAnswer = (request: PollRequest, answer: PollAnswer) => Promise<void>;

/**
 * One kind of place where upstream says what its releases are. A source gives upstream's own tags or versions; what of them is
 * a version of a package is decided later, from the recipe, so recipes that watch the same place are one poll.
 */
export interface ReleaseSource {
  /** What stands before the `:` of its keys. */
  readonly kind: string;
  /** The key of the place that the recipe's `update:` block names; undefined when it names none of this kind. */
  key(recipe: Recipe): string | undefined;
  /** The key of what stands behind `KIND:` in the annotation `dev.regrow.source`; undefined when that cannot be one. */
  annotated(identifier: string, recipe: Recipe): string | undefined;
  /** Milliseconds that the host wants between two looks at the same place, at least. */
  readonly leastInterval?: number;
  /** Whether `dev.regrow.pattern` says what versions look like there. */
  readonly readsPattern?: true;
  /** The key of the place that a source is downloaded from, where its address says so beyond doubt. Nothing is put in for `${{…}}`. */
  inferred?(address: string): string | undefined;
  /** Asks the place. Throws coded errors; `pollSource` makes a failure of them. */
  poll(request: PollRequest, ports: WatchPorts): Promise<Exclude<PollAnswer, { kind: 'failed' }>>;
  /**
   * Asks many places in few questions, where the host can be asked so. Tells every answer once, a failure of one place as the
   * answer of that place alone. Throws upstream.rate-limited where it has to stop: what was not told is asked another time.
   */
  pollMany?(requests: readonly PollRequest[], ports: WatchPorts, tell: TellAnswer): Promise<void>;
}
