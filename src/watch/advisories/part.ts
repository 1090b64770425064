/**
 * How much of a feed is read at a time. What was read is kept before the next part is asked for, so that a large feed is
 * neither in memory at once nor read from its beginning again when something goes wrong.
 */
export interface PartBudget {
  records: number;
  bytes: number;
}

export function createPartBudget(): PartBudget {
  return { records: 1_000, bytes: 32 * 1024 * 1024 };
}

export function isSpent({ records, bytes }: PartBudget): boolean {
  return records <= 0 || bytes <= 0;
}
