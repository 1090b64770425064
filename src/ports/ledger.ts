import type { BuildAttempt } from '../model/build.ts';
import type { Decision } from '../model/decision.ts';
import type { LedgerEvent } from '../model/event.ts';
import type { Finding } from '../model/finding.ts';
import type { Observation } from '../model/observation.ts';
import type { Problem, Wait } from '../model/plan.ts';
import type { Proposal } from '../model/proposal.ts';
import type { Generation, ImagePublication } from '../model/publication.ts';
import type { Verdict } from '../model/verdict.ts';
import type { WatchRow } from '../model/watch.ts';

/** What the ledger keeps, by kind. */
export interface LedgerRows {
  /** Key: `release/SOURCE`, `advisory/FEED/ID`, `failure/SOURCE`. */
  readonly observation: Observation;
  /** Key: source. */
  readonly watch: WatchRow;
  /** Key: package. */
  readonly decision: Decision;
  /** Key: proposal number. */
  readonly proposal: Proposal;
  /** Key: `BUILDKEY.ATTEMPT`. */
  readonly build: BuildAttempt;
  /** Key: build key. */
  readonly verdict: Verdict;
  /** Key: generation. */
  readonly publication: Generation;
  /** Key: image ref. */
  readonly image: ImagePublication;
  /** Key: `ADVISORY/PACKAGE`. */
  readonly finding: Finding;
  /** Key: `PURPOSE/PACKAGE/TARGET`; there while it waits. */
  readonly wait: Wait;
  /** Key: `AREA/NAME`; there while it is wrong. */
  readonly problem: Problem;
  /** Key: name of a feed or source; its etag or cursor. */
  readonly cursor: { readonly etag?: string | undefined; readonly cursor?: string | undefined };
}

export type LedgerKind = keyof LedgerRows;

export interface LedgerEntry<K extends LedgerKind> {
  readonly key: string;
  /** The package (origin) it is about, where there is one. */
  readonly package?: string;
  readonly value: LedgerRows[K];
  /** ISO 8601: when the value became what it is. */
  readonly at: string;
}

/**
 * One row per thing, and an append-only list of events. The conductor alone writes. A write that changes nothing says so:
 * delivery is at least once. Errors: ledger.failed, storage.full.
 */
export interface Ledger {
  put<K extends LedgerKind>(
    kind: K,
    key: string,
    value: LedgerRows[K],
    at: string,
    about?: string,
  ): Promise<'new' | 'changed' | 'same'>;
  get<K extends LedgerKind>(kind: K, key: string): Promise<LedgerEntry<K> | undefined>;
  /** All of a kind, of one package where asked, whose keys start with `prefix` where asked; sorted by key. */
  list<K extends LedgerKind>(kind: K, about?: string, prefix?: string): Promise<readonly LedgerEntry<K>[]>;
  remove(kind: LedgerKind, key: string): Promise<void>;
  /** Appends unless an event of this id is there; says whether it did. */
  append(event: LedgerEvent): Promise<boolean>;
  /** Newest first. */
  events(filter: {
    readonly package?: string;
    readonly after?: number;
    readonly limit: number;
  }): Promise<readonly (LedgerEvent & { readonly sequence: number })[]>;
}
