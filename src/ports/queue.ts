import type { QueueCounts, QueueJob } from '../model/queue.ts';
import type { WithdrawalOrder } from '../model/withdrawal.ts';

/** Looking at the queues. Errors: queue.unreachable. */
export interface QueueView {
  /** By queue name. */
  counts(): Promise<Readonly<Record<string, QueueCounts>>>;
  /** Active jobs first, then waiting ones in the order in which they will be taken, then delayed and failed ones. */
  list(limit: number): Promise<readonly QueueJob[]>;
}

/** What someone outside may ask of the daemon: to look sooner, and to go on. Errors: queue.unreachable. */
export interface QueueRequests {
  /** Asks for a reconcile now. */
  reconcile(): Promise<void>;
  /** Asks the source of a package again now, or every source that is one repository (`github:OWNER/REPO`). */
  poke(about: { readonly what: 'package' | 'repository'; readonly name: string }): Promise<void>;
  /** Lets the version of a package that is stopped be proposed again. */
  release(name: string): Promise<void>;
  /** Asks the publisher to take a version out of the repository. */
  withdraw(order: WithdrawalOrder): Promise<void>;
  /** Asks the publisher to go back to a generation; undefined: to free what the last time held back. */
  rollBack(to: number | undefined): Promise<void>;
  /** Asks for what nothing uses to be removed from the object store, or, `dry`, to be looked at. */
  collect(dry: boolean): Promise<void>;
}
