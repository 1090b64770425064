import { z } from 'zod';

/** Entries are read in the order of their date, then their id. */
const entrySchema = z.strictObject({ modified: z.string(), id: z.string() });

/** Where the reading of one ecosystem is. */
const positionSchema = z.strictObject({
  /** The newest date that was read. */
  until: z.string(),
  /** The last entry that was read, when that was not the end of the list. */
  resume: entrySchema.optional(),
  /** Of the list, when it was read to its end. */
  etag: z.string().optional(),
  /** Records that could not be fetched and are asked for again. */
  again: z.array(z.string()),
});

const cursorSchema = z.strictObject({
  /** Where a poll that is not over goes on: with which ecosystem, and whether that was begun. Absent: the next one starts. */
  at: z.strictObject({ ecosystem: z.string(), isBegun: z.boolean() }).optional(),
  positions: z.record(z.string(), positionSchema),
});

export type Entry = z.infer<typeof entrySchema>;
export type Position = z.infer<typeof positionSchema>;
export type BucketCursor = z.infer<typeof cursorSchema>;

/** One that cannot be read is the beginning: reading everything again loses nothing. */
export function parseCursor(text: string | undefined): BucketCursor {
  if (text === undefined) return { positions: {} };
  try {
    return cursorSchema.safeParse(JSON.parse(text)).data ?? { positions: {} };
  } catch {
    return { positions: {} };
  }
}

export function formatCursor(cursor: BucketCursor): string | undefined {
  const isEmpty = cursor.at === undefined && Object.keys(cursor.positions).length === 0;
  return isEmpty ? undefined : JSON.stringify(cursor);
}

/** Milliseconds: a list is not written at once, so a record may turn up a little before what was read already. */
const overlap = 60 * 60 * 1000;

/** Whether an entry may be one that was not read yet. */
export function isDue(entry: Entry, known: Position | undefined): boolean {
  if (known === undefined) return true;
  if (known.resume !== undefined) return compareEntries(entry, known.resume) > 0;
  return Date.parse(entry.modified) >= Date.parse(known.until) - overlap;
}

export function compareEntries(a: Entry, b: Entry): number {
  return Date.parse(a.modified) - Date.parse(b.modified) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

export function laterOf(a: string | undefined, b: string): string {
  return a === undefined || Date.parse(b) > Date.parse(a) ? b : a;
}
