import { createMemoryQuota } from '../../src/adapters/memory-quota.ts';
import type { QuotaStore } from '../../src/ports/quota.ts';

/** Allowances in memory; `flush` forgets them as an emptied Redis does. */
export interface MemoryQuotaStore extends QuotaStore {
  flush(): void;
}

export function createMemoryQuotaStore(): MemoryQuotaStore {
  let kept = createMemoryQuota();
  return {
    read: (name) => kept.read(name),
    change: (name, change) => kept.change(name, change),
    flush() {
      kept = createMemoryQuota();
    },
  };
}
