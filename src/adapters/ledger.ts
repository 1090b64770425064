import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { RegrowError, toRegrowError } from '../errors.ts';
import { canonicalJson } from '../model/canonical.ts';
import { type LedgerEvent, ledgerEventSchema } from '../model/event.ts';
import type { Ledger, LedgerEntry, LedgerKind, LedgerRows } from '../ports/ledger.ts';
import { type LedgerDatabase, ledgerVersion, migrate, readVersion, rowSchemas } from './ledger-schema.ts';

export interface LedgerOptions {
  /** Path of the database file; its folder is made. */
  readonly file: string;
  /** Only look: nothing is made or migrated. */
  readonly readonly?: boolean;
  /** Most bytes that the file may take; a write beyond it is storage.full. No limit where it is absent. */
  readonly limit?: number;
}

export interface SqliteLedger extends Ledger {
  /** All of the writes that `work` makes, or none of them; other writers wait until it is done. Many writes are faster so. */
  transaction<T>(work: (ledger: Ledger) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What sorts behind every text that starts the same: SQLite compares bytes. */
const lastCharacter = '\u{10ffff}';

const restore =
  'stop regrow, move the file away and start again: what should be follows from git, the forge and the repository';

/** What SQLite throws, as ours: its codes, never its messages. */
function ledgerError(thrown: unknown, file: string): RegrowError {
  const error = toRegrowError(thrown, { file });
  if (error.code !== 'internal') return error;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const passing = code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_LOCKED');
  return new RegrowError('ledger.failed', `${file}: ${error.message}`, {
    file,
    cause: thrown,
    retry: passing ? 'later' : 'never',
    remedy:
      code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB' ? restore : `see that ${file} can be read and written`,
  });
}

function damaged(file: string, row: string, about: string | null | undefined, cause: unknown): RegrowError {
  return new RegrowError('ledger.failed', `${file}: the row ${row} is not what regrow writes`, {
    file,
    field: row,
    ...(typeof about === 'string' ? { package: about } : {}),
    cause,
    remedy: restore,
  });
}

function openDatabase(options: LedgerOptions): Sqlite.Database {
  const { file } = options;
  const readonly = options.readonly ?? false;
  try {
    if (!readonly) mkdirSync(dirname(file), { recursive: true });
    const database = new Sqlite(file, { readonly, fileMustExist: readonly, timeout: 5000 });
    try {
      const version = readVersion(database);
      if (version > ledgerVersion || (readonly && version < ledgerVersion)) {
        throw new RegrowError('ledger.failed', `${file} is a ledger of version ${version}, this is ${ledgerVersion}`, {
          file,
          remedy:
            version > ledgerVersion ? 'run the newer regrow that wrote it' : 'let `regrow run` bring it up to date',
        });
      }
      if (!readonly) {
        // WAL lets the CLI read while the daemon writes. With NORMAL a power failure may take the last commits, never
        // the file: reconcile makes them again.
        database.pragma('journal_mode = WAL');
        database.pragma('synchronous = NORMAL');
        const pageSize = Number(database.pragma('page_size', { simple: true }));
        if (options.limit !== undefined) {
          database.pragma(`max_page_count = ${Math.max(1, Math.floor(options.limit / pageSize))}`);
        }
        migrate(database);
      }
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw ledgerError(error, file);
  }
}

interface EntryRow {
  readonly key: string;
  readonly about: string | null;
  readonly value: string;
  readonly at: string;
}

function view(database: Kysely<LedgerDatabase>, file: string): Ledger {
  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw ledgerError(error, file);
    }
  }

  function entry<K extends LedgerKind>(kind: K, row: EntryRow): LedgerEntry<K> {
    try {
      const value = rowSchemas[kind].parse(JSON.parse(row.value));
      return { key: row.key, ...(row.about === null ? {} : { package: row.about }), value, at: row.at };
    } catch (cause) {
      throw damaged(file, `${kind} ${row.key}`, row.about, cause);
    }
  }

  const columns = ['key', 'about', 'value', 'at'] as const;

  return {
    put<K extends LedgerKind>(kind: K, key: string, value: LedgerRows[K], at: string, about?: string) {
      return guarded(async () => {
        const parsed = rowSchemas[kind].safeParse(value);
        // What could not be read again is not written.
        if (!parsed.success) throw damaged(file, `${kind} ${key}`, about, parsed.error);
        const written = await database
          .insertInto('entry')
          .values({ kind, key, about: about ?? null, value: canonicalJson(parsed.data), at })
          .onConflict((conflict) =>
            conflict
              .columns(['kind', 'key'])
              .doUpdateSet({
                value: sql`excluded.value`,
                about: sql`excluded.about`,
                at: sql`excluded.at`,
                revision: sql`entry.revision + 1`,
              })
              .where(sql<boolean>`entry.value <> excluded.value or entry.about is not excluded.about`),
          )
          .returning('revision')
          .executeTakeFirst();
        if (written === undefined) return 'same';
        return written.revision === 1 ? 'new' : 'changed';
      });
    },
    get(kind, key) {
      return guarded(async () => {
        const row = await database
          .selectFrom('entry')
          .select(columns)
          .where('kind', '=', kind)
          .where('key', '=', key)
          .executeTakeFirst();
        return row === undefined ? undefined : entry(kind, row);
      });
    },
    list(kind, about, prefix) {
      return guarded(async () => {
        let query = database.selectFrom('entry').select(columns).where('kind', '=', kind).orderBy('key');
        if (about !== undefined) query = query.where('about', '=', about);
        if (prefix !== undefined)
          query = query.where('key', '>=', prefix).where('key', '<', `${prefix}${lastCharacter}`);
        return (await query.execute()).map((row) => entry(kind, row));
      });
    },
    remove(kind, key) {
      return guarded(async () => {
        await database.deleteFrom('entry').where('kind', '=', kind).where('key', '=', key).execute();
      });
    },
    append(event) {
      return guarded(async () => {
        const parsed = ledgerEventSchema.safeParse(event);
        if (!parsed.success) throw damaged(file, `event ${event.id}`, event.package, parsed.error);
        const { facts, package: about, ...rest } = parsed.data;
        const written = await database
          .insertInto('event')
          .values({ ...rest, package: about ?? null, facts: canonicalJson(facts) })
          .onConflict((conflict) => conflict.column('id').doNothing())
          .returning('sequence')
          .executeTakeFirst();
        return written !== undefined;
      });
    },
    events(filter) {
      return guarded(async () => {
        let query = database.selectFrom('event').selectAll().orderBy('sequence', 'desc').limit(filter.limit);
        if (filter.package !== undefined) query = query.where('package', '=', filter.package);
        if (filter.after !== undefined) query = query.where('sequence', '>', filter.after);
        return (await query.execute()).map((row) => {
          const { sequence, facts, package: about, ...rest } = row;
          try {
            const event: LedgerEvent = ledgerEventSchema.parse({
              ...rest,
              ...(about === null ? {} : { package: about }),
              facts: JSON.parse(facts),
            });
            return { ...event, sequence };
          } catch (cause) {
            throw damaged(file, `event ${row.id}`, about, cause);
          }
        });
      });
    },
  };
}

/** Opens the ledger, making it and bringing it up to date. Errors: ledger.failed, storage.full. */
export function openLedger(options: LedgerOptions): SqliteLedger {
  const connection = openDatabase(options);
  const database = new Kysely<LedgerDatabase>({ dialect: new SqliteDialect({ database: connection }) });
  return {
    ...view(database, options.file),
    async transaction(work) {
      try {
        return await database.transaction().execute((inner) => work(view(inner, options.file)));
      } catch (error) {
        // What `work` itself throws is its caller's.
        throw error instanceof Sqlite.SqliteError ? ledgerError(error, options.file) : error;
      }
    },
    async close() {
      await database.destroy();
    },
  };
}
