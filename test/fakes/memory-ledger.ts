import type { LedgerEvent } from '../../src/model/event.ts';
import type { Ledger, LedgerEntry, LedgerKind, LedgerRows } from '../../src/ports/ledger.ts';

type AnyEntry = { [K in LedgerKind]: LedgerEntry<K> & { readonly kind: K } }[LedgerKind];

/** JSON with sorted keys, so that equal values are equal texts whatever order they were made in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** The Ledger port in memory. Values are copied in and out, so that a caller who changes one changes nothing here. */
export function createMemoryLedger(): Ledger {
  const rows = new Map<string, AnyEntry>();
  const events: (LedgerEvent & { readonly sequence: number })[] = [];
  const ids = new Set<string>();

  function ofKind<K extends LedgerKind>(kind: K): LedgerEntry<K>[] {
    const found: LedgerEntry<K>[] = [];
    for (const row of rows.values()) {
      if (row.kind === kind) {
        const { kind: _, ...entry } = structuredClone(row);
        found.push(entry as LedgerEntry<K>);
      }
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  return {
    async put<K extends LedgerKind>(kind: K, key: string, value: LedgerRows[K], at: string, about?: string) {
      const id = `${kind}\n${key}`;
      const old = rows.get(id);
      if (old !== undefined && canonical(old.value) === canonical(value)) return 'same';
      const row = { kind, key, value: structuredClone(value), at, ...(about === undefined ? {} : { package: about }) };
      rows.set(id, row as unknown as AnyEntry);
      return old === undefined ? 'new' : 'changed';
    },
    async get(kind, key) {
      return ofKind(kind).find((entry) => entry.key === key);
    },
    async list(kind, about, prefix = '') {
      return ofKind(kind).filter(
        ({ key, package: of }) => (about === undefined || of === about) && key.startsWith(prefix),
      );
    },
    async remove(kind, key) {
      rows.delete(`${kind}\n${key}`);
    },
    async append(event) {
      if (ids.has(event.id)) return false;
      ids.add(event.id);
      events.push({ ...structuredClone(event), sequence: events.length + 1 });
      return true;
    },
    async events(filter) {
      return events
        .filter((event) => filter.package === undefined || event.package === filter.package)
        .filter((event) => filter.after === undefined || event.sequence > filter.after)
        .reverse()
        .slice(0, filter.limit)
        .map((event) => structuredClone(event));
    },
  };
}
