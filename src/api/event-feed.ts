import type { Logger } from '../log.ts';
import type { Ledger } from '../ports/ledger.ts';
import { readEventsAfter, type SequencedEvent } from '../report/history.ts';

/** One reader's view of what happens: called with events, oldest first, until it is closed. */
type EventListener = (events: readonly SequencedEvent[]) => void;

export interface EventFeed {
  /** Number of the newest event so far. */
  last(): Promise<number>;
  subscribe(listener: EventListener): () => void;
  close(): void;
}

/** Milliseconds between two looks at the ledger: another process may write it, so nobody can tell us. */
const interval = 400;
const batch = 500;

/** Watches the ledger once for all readers, and only while there are any. */
export function createEventFeed(ledger: Ledger, log: Logger): EventFeed {
  const listeners = new Set<EventListener>();
  let timer: NodeJS.Timeout | undefined;
  let cursor: number | undefined;

  async function last(): Promise<number> {
    return (await ledger.events({ limit: 1 }))[0]?.sequence ?? 0;
  }

  async function look(): Promise<void> {
    try {
      cursor ??= await last();
      const { events } = await readEventsAfter(ledger, cursor, batch);
      const newest = events.at(-1);
      if (newest !== undefined) {
        cursor = newest.sequence;
        for (const listener of listeners) listener(events);
      }
    } catch (error) {
      log.warn({ err: error }, 'events could not be read');
    }
    schedule();
  }

  function schedule(): void {
    timer = undefined;
    if (listeners.size === 0) {
      cursor = undefined;
      return;
    }
    timer = setTimeout(() => void look(), interval);
    timer.unref();
  }

  return {
    last,
    subscribe(listener) {
      listeners.add(listener);
      if (timer === undefined && listeners.size === 1) void look();
      return () => {
        listeners.delete(listener);
      };
    },
    close() {
      listeners.clear();
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
