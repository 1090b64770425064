import type { LedgerEvent } from '../model/event.ts';
import type { Ledger } from '../ports/ledger.ts';

export type SequencedEvent = LedgerEvent & { readonly sequence: number };

/** How long one version of a package took from being seen to being published. Times are ISO 8601. */
export interface Passage {
  readonly package: string;
  readonly seen?: string;
  readonly proposed?: string;
  readonly published?: string;
}

/** The newest `limit` events, newest first; of one package where asked. */
export async function readHistory(
  ledger: Ledger,
  filter: { readonly package?: string; readonly limit: number },
): Promise<readonly SequencedEvent[]> {
  return ledger.events(filter);
}

/**
 * Every event after a sequence number, oldest first, at most `limit` of them: how a reader that was away catches up. The
 * ledger gives the newest first, so that more than `limit` new events lose the oldest of them; `skipped` says so.
 */
export async function readEventsAfter(
  ledger: Ledger,
  after: number,
  limit: number,
): Promise<{ readonly events: readonly SequencedEvent[]; readonly skipped: boolean }> {
  const newest = await ledger.events({ after, limit: limit + 1 });
  return { events: newest.slice(0, limit).reverse(), skipped: newest.length > limit };
}

/**
 * Pairs what was seen, proposed and published, from events oldest first. A package's passage begins with the release (or the
 * finding) and ends with its publication; a proposal without a known beginning begins with itself.
 */
export function passages(events: readonly LedgerEvent[]): Passage[] {
  const open = new Map<string, Passage>();
  /** When each source last had something new, for proposals that say which one they follow. */
  const released = new Map<string, string>();
  const done: Passage[] = [];
  for (const event of events) {
    const name = event.package;
    const source = event.facts['source'];
    if (event.kind === 'release-seen' && typeof source === 'string') released.set(source, event.at);
    if (name === undefined) continue;
    const passage = open.get(name);
    switch (event.kind) {
      case 'release-seen':
      case 'finding-opened':
        if (passage === undefined) open.set(name, { package: name, seen: event.at });
        break;
      case 'proposed': {
        const seen = passage?.seen ?? (typeof source === 'string' ? released.get(source) : undefined);
        const proposed = passage?.proposed ?? event.at;
        open.set(name, { package: name, ...(seen === undefined ? {} : { seen }), proposed });
        break;
      }
      case 'proposal-closed':
        open.delete(name);
        break;
      case 'published':
        if (passage !== undefined) {
          done.push({ ...passage, published: event.at });
          open.delete(name);
        }
        break;
      default:
        break;
    }
  }
  return done;
}
