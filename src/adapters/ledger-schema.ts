import type { Database } from 'better-sqlite3';
import type { Generated } from 'kysely';
import { z } from 'zod';
import { buildAttemptSchema } from '../model/build.ts';
import { decisionSchema } from '../model/decision.ts';
import { findingSchema } from '../model/finding.ts';
import { observationSchema } from '../model/observation.ts';
import { problemSchema, waitSchema } from '../model/plan.ts';
import { proposalSchema } from '../model/proposal.ts';
import { generationSchema, imagePublicationSchema } from '../model/publication.ts';
import { verdictSchema } from '../model/verdict.ts';
import { watchRowSchema } from '../model/watch.ts';
import type { LedgerKind, LedgerRows } from '../ports/ledger.ts';

/** One row per thing: its value now. `revision` counts the values it has had, from 1. */
interface EntryTable {
  kind: string;
  key: string;
  about: string | null;
  /** Canonical JSON, so that equal values are equal text. */
  value: string;
  at: string;
  revision: Generated<number>;
}

/** Append-only. `sequence` never goes back and is never used twice. */
interface EventTable {
  sequence: Generated<number>;
  id: string;
  at: string;
  kind: string;
  package: string | null;
  text: string;
  facts: string;
}

export interface LedgerDatabase {
  entry: EntryTable;
  event: EventTable;
}

/** What each kind's value must be; a row that is not is ledger.failed. */
export const rowSchemas: { readonly [K in LedgerKind]: z.ZodType<LedgerRows[K]> } = {
  observation: observationSchema,
  watch: watchRowSchema,
  decision: decisionSchema,
  proposal: proposalSchema,
  build: buildAttemptSchema,
  verdict: verdictSchema,
  publication: generationSchema,
  image: imagePublicationSchema,
  finding: findingSchema,
  wait: waitSchema,
  problem: problemSchema,
  cursor: z.strictObject({ etag: z.string().optional(), cursor: z.string().optional() }),
};

/**
 * Each migration brings a ledger from the version before it to its own; it is never edited once released. Plain SQL, as
 * SQLite reads it; a second database would bring its own list.
 */
const migrations: readonly { readonly version: number; readonly sql: string }[] = [
  {
    version: 1,
    sql: `
      create table entry (
        kind text not null,
        key text not null,
        about text,
        value text not null,
        at text not null,
        revision integer not null default 1,
        primary key (kind, key)
      ) strict, without rowid;
      create index entry_about on entry (kind, about, key);
      create table event (
        sequence integer primary key autoincrement,
        id text not null unique,
        at text not null,
        kind text not null,
        package text,
        text text not null,
        facts text not null
      ) strict;
      create index event_package on event (package, sequence);
    `,
  },
];

export const ledgerVersion = migrations.at(-1)?.version ?? 0;

/** The version of the ledger in a file; 0 of an empty one. */
export function readVersion(database: Database): number {
  const table = database.prepare("select 1 from sqlite_schema where type = 'table' and name = 'version'").get();
  if (table === undefined) return 0;
  const row = z.object({ version: z.number() }).safeParse(database.prepare('select version from version').get());
  return row.success ? row.data.version : 0;
}

/** Brings a ledger up to date: all of it or nothing, also when two processes open it at once. */
export function migrate(database: Database): void {
  database
    .transaction(() => {
      database.exec('create table if not exists version (version integer not null) strict');
      const from = readVersion(database);
      if (from === 0) database.exec('insert into version select 0 where not exists (select 1 from version)');
      for (const migration of migrations) {
        if (migration.version <= from) continue;
        database.exec(migration.sql);
        database.prepare('update version set version = ?').run(migration.version);
      }
    })
    .immediate();
}
