import type { Allowance, QuotaStore } from '../../src/ports/quota.ts';

/** Allowances in memory; `flush` forgets them as an emptied Redis does. */
export interface MemoryQuotaStore extends QuotaStore {
  flush(): void;
}

export function createMemoryQuotaStore(): MemoryQuotaStore {
  const kept = new Map<string, Allowance>();
  return {
    read: async (name) => kept.get(name),
    async change(name, change) {
      const next = change(kept.get(name));
      if (next !== undefined) kept.set(name, next);
      return kept.get(name);
    },
    flush() {
      kept.clear();
    },
  };
}
