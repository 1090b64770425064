import { RegrowError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { canonicalJson } from '../../model/canonical.ts';
import type { LedgerEvent } from '../../model/event.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Ledger, LedgerEntry, LedgerKind, LedgerRows } from '../../ports/ledger.ts';

const kinds = [
  'observation',
  'watch',
  'decision',
  'proposal',
  'build',
  'verdict',
  'publication',
  'image',
  'finding',
  'wait',
  'problem',
  'cursor',
] as const satisfies readonly LedgerKind[];

type Shelf<K extends LedgerKind> = Map<string, LedgerEntry<K>>;

/**
 * The ledger as the conductor reads it: in memory, because the conductor is the only one who writes it. A reconcile over
 * thousands of packages then reads nothing from disk and writes only what has changed.
 */
export interface Book {
  get<K extends LedgerKind>(kind: K, key: string): LedgerEntry<K> | undefined;
  all<K extends LedgerKind>(kind: K): Iterable<LedgerEntry<K>>;
  /** Whether this is the value already. */
  holds<K extends LedgerKind>(kind: K, key: string, value: LedgerRows[K]): boolean;
  /** Says whether the value is another one than before. */
  put<K extends LedgerKind>(kind: K, key: string, value: LedgerRows[K], about?: string): Promise<boolean>;
  remove(kind: LedgerKind, key: string): Promise<boolean>;
  /** Makes the rows of a kind that `within` holds for exactly these; says which keys came and went. */
  replace<K extends LedgerKind>(
    kind: K,
    rows: ReadonlyMap<string, { readonly value: LedgerRows[K]; readonly about?: string }>,
    within?: (key: string) => boolean,
  ): Promise<{ readonly came: readonly string[]; readonly went: readonly string[] }>;
  /**
   * Appends an event now; the same id a second time is nothing. To be told before the row is written that says that it is
   * known: who is killed between the two tells it again, and never not at all. So an id is made of what happened, without
   * the time at which it was found.
   */
  tell(event: Told): Promise<boolean>;
}

type Told = Omit<LedgerEvent, 'at' | 'facts'> & { readonly at?: string; readonly facts?: LedgerEvent['facts'] };

/** There may be thousands of them on the first day; what follows from them is said. */
const quiet: ReadonlySet<LedgerEvent['kind']> = new Set(['release-seen', 'advisory-seen']);
const bad: ReadonlySet<LedgerEvent['kind']> = new Set([
  'source-failed',
  'build-failed',
  'gate-failed',
  'image-failed',
  'recipe-invalid',
  'problem',
]);

/** One line for each event: who follows the log sees the work go on. */
function logEvent(log: Logger | undefined, { kind, package: about, text, facts }: Told): void {
  const level = bad.has(kind) ? 'warn' : quiet.has(kind) ? 'debug' : 'info';
  log?.[level]({ ...(about === undefined ? {} : { package: about }), ...facts, text }, kind);
}

/**
 * `signal`: once it is aborted another conductor may write, and every write is refused. Errors then: aborted. `log`: gets a
 * line for each event that is told for the first time.
 */
export async function openBook(ledger: Ledger, clock: Clock, signal?: AbortSignal, log?: Logger): Promise<Book> {
  const shelves = new Map<LedgerKind, Map<string, unknown>>();
  for (const kind of kinds) {
    const entries = await ledger.list(kind);
    shelves.set(kind, new Map(entries.map((entry) => [entry.key, entry])));
  }
  const shelf = <K extends LedgerKind>(kind: K) => shelves.get(kind) as Shelf<K>;

  const book: Book = {
    get: (kind, key) => shelf(kind).get(key),
    all: (kind) => shelf(kind).values(),
    holds(kind, key, value) {
      const known = shelf(kind).get(key);
      return known !== undefined && canonicalJson(known.value) === canonicalJson(value);
    },
    async put(kind, key, value, about) {
      refuseAfter(signal);
      if (book.holds(kind, key, value)) return false;
      const at = clock.now().toISOString();
      await ledger.put(kind, key, value, at, about);
      shelf(kind).set(key, { key, value, at, ...(about === undefined ? {} : { package: about }) });
      return true;
    },
    async remove(kind, key) {
      refuseAfter(signal);
      if (!shelf(kind).has(key)) return false;
      await ledger.remove(kind, key);
      return shelf(kind).delete(key);
    },
    async replace(kind, rows, within = () => true) {
      const came: string[] = [];
      const went: string[] = [];
      for (const key of shelf(kind).keys()) {
        if (!rows.has(key) && within(key)) went.push(key);
      }
      for (const key of went) await book.remove(kind, key);
      for (const [key, { value, about }] of rows) {
        const isNew = !shelf(kind).has(key);
        await book.put(kind, key, value, about);
        if (isNew) came.push(key);
      }
      return { came, went };
    },
    async tell(event) {
      refuseAfter(signal);
      const isNew = await ledger.append({ facts: {}, at: clock.now().toISOString(), ...event });
      if (isNew) logEvent(log, event);
      return isNew;
    },
  };
  return book;
}

/** Throws `aborted` when a conductor is no longer the conductor. */
export function refuseAfter(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new RegrowError('aborted', 'this conductor stops, and leaves the rest to the next one', { retry: 'now' });
}
