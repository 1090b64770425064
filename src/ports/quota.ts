/** What is known of what one token may still ask for. Times are milliseconds since 1970. */
export interface Allowance {
  /** Points in one window. */
  readonly limit: number;
  /** Points that are left, without those of questions that are on their way. */
  readonly remaining: number;
  /** When the window ends. */
  readonly resetAt: number;
  /** Points of this window that went to look-ups that nobody waits for. */
  readonly spent: number;
  /** Until when the host wants to be left alone, whatever is left. */
  readonly blockedUntil?: number;
}

/** Where allowances are kept, by the name of the token: shared by all pollers, and there after a restart. May be lost. */
export interface QuotaStore {
  read(name: string): Promise<Allowance | undefined>;
  /**
   * Reads, changes and writes as one step. `change` may be called again, when another poller was quicker; what it gives is
   * kept. Undefined leaves what there is. Gives what there is in the end. Errors: queue.unreachable.
   */
  change(name: string, change: (known: Allowance | undefined) => Allowance | undefined): Promise<Allowance | undefined>;
}
