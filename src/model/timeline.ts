import { z } from 'zod';
import { RegrowError } from '../errors.ts';

/** An update that a distribution made once. */
export interface TimelineBump {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly commit: string;
  /** Name of the recipe, which is the name of its file without `.yaml`. */
  readonly recipe: string;
  readonly from: { readonly version: string; readonly epoch: number };
  readonly to: { readonly version: string; readonly epoch: number };
  /** How many hashes of sources the recipe pins, and how many of them the update changed. */
  readonly pinned: number;
  readonly changed: number;
  /** Line of the file, from 1. */
  readonly line: number;
}

const whole = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number')
  .transform(Number);

const rowSchema = z.object({
  date: z.iso.datetime({ offset: true, error: 'must be an ISO 8601 time with its zone' }),
  commit: z.string(),
  recipe: z.string().min(1, 'must name a recipe'),
  from: z.string().min(1, 'must be a version'),
  to: z.string().min(1, 'must be a version'),
  from_epoch: whole,
  to_epoch: whole,
  source_hashes: whole,
  source_hashes_changed: whole,
});

/**
 * Reads a timeline: tab-separated, its first line the names of the columns, in any order, others beside them left unread. Gives
 * the updates in the order of their times, those of one time as in the file. Throws request.invalid, naming file, line and column.
 */
export function readTimeline(text: string, file: string): readonly TimelineBump[] {
  const [head = '', ...lines] = text.split(/\r?\n/);
  const columns = head.split('\t');
  const missing = Object.keys(rowSchema.shape).filter((column) => !columns.includes(column));
  if (missing.length > 0) throw unreadable(file, 1, missing.join(', '), 'there is no such column in the first line');
  const bumps = lines.flatMap((line, index) => (line === '' ? [] : [readRow(columns, line, file, index + 2)]));
  return bumps.sort((a, b) => a.at - b.at);
}

function readRow(columns: readonly string[], text: string, file: string, line: number): TimelineBump {
  const cells = text.split('\t');
  const parsed = rowSchema.safeParse(Object.fromEntries(columns.map((column, index) => [column, cells[index]])));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw unreadable(file, line, String(issue?.path[0] ?? ''), issue?.message ?? 'cannot be read');
  }
  const row = parsed.data;
  return {
    at: Date.parse(row.date),
    commit: row.commit,
    recipe: row.recipe,
    from: { version: row.from, epoch: row.from_epoch },
    to: { version: row.to, epoch: row.to_epoch },
    pinned: row.source_hashes,
    changed: row.source_hashes_changed,
    line,
  };
}

function unreadable(file: string, line: number, field: string, what: string): RegrowError {
  return new RegrowError('request.invalid', `${file}:${line}: ${field}: ${what}`, {
    file,
    line,
    field,
    remedy: `give a tab-separated file with the columns ${Object.keys(rowSchema.shape).join(', ')}`,
  });
}
