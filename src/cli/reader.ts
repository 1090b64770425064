import type { Collection } from '../model/collection.ts';
import type { LedgerEvent } from '../model/event.ts';
import type { Explanation } from '../model/explanation.ts';
import type { Generation } from '../model/publication.ts';
import type { QueueCounts, QueueJob } from '../model/queue.ts';
import type { PackageRow, ProposalRow, Status } from '../model/status.ts';
import type { WithdrawalOrder } from '../model/withdrawal.ts';

export type NumberedEvent = LedgerEvent & { readonly sequence: number };

/** A piece of a build's log. */
export interface LogPiece {
  /** From the offset that was asked for; empty where there is nothing more yet. */
  readonly bytes: Uint8Array;
  /** Whether the build has ended, so that nothing more comes. */
  readonly ended: boolean;
}

/**
 * What commands read: from a running daemon, or, where none runs, from its state directory. Errors: request.not-found,
 * request.invalid, request.refused, daemon.unreachable, queue.unreachable, ledger.failed.
 */
export interface Reader {
  /** Where the answers come from, for people. */
  readonly where: string;
  status(): Promise<Status>;
  packages(): Promise<readonly PackageRow[]>;
  explain(name: string): Promise<Explanation>;
  proposals(state: 'open' | 'all'): Promise<readonly ProposalRow[]>;
  queue(limit: number): Promise<{
    readonly queues: Readonly<Record<string, QueueCounts>>;
    readonly jobs: readonly QueueJob[];
  }>;
  /** Newest first. */
  events(filter: { readonly package?: string; readonly limit: number }): Promise<readonly NumberedEvent[]>;
  /** Undefined while there is no log. `offset`: bytes. */
  log(buildKey: string, offset: number): Promise<LogPiece | undefined>;
  /** Asks the daemon to look now, at one package's source or at everything. Gives what was asked for. */
  poke(name: string | undefined): Promise<readonly string[]>;
  /** Lets the version of a package that is stopped be proposed again. Gives what was asked for. */
  release(name: string): Promise<readonly string[]>;
  /** Newest first. */
  generations(limit: number): Promise<readonly Generation[]>;
  /** Asks for a version to be taken out of the repository. Gives what was asked for. */
  withdraw(order: WithdrawalOrder): Promise<readonly string[]>;
  /** Asks for an older generation, or to free what that held back. Gives what was asked for. */
  rollBack(order: { readonly to?: number; readonly undo: boolean }): Promise<readonly string[]>;
  /** The last collection of what nothing uses, and the last one that only looked. */
  collections(): Promise<{ readonly last?: Collection | undefined; readonly looked?: Collection | undefined }>;
  /** Asks for another one. Gives when, ISO 8601 by the daemon's clock: one that was asked for before is not it. */
  collect(dry: boolean): Promise<string>;
  close(): Promise<void>;
}

/** How commands get one. `server`: what `--server` says, undefined where it was not given. */
export type OpenReader = (server: string | undefined) => Promise<Reader>;
