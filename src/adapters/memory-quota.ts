import type { Allowance, QuotaStore } from '../ports/quota.ts';

/** Allowances for as long as the process lives: what is left is learned from the first answer. */
export function createMemoryQuota(): QuotaStore {
  const kept = new Map<string, Allowance>();
  return {
    read: async (name) => kept.get(name),
    async change(name, change) {
      const next = change(kept.get(name));
      if (next !== undefined) kept.set(name, next);
      return kept.get(name);
    },
  };
}
