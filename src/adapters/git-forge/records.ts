import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { Plumbing, RefChange } from './plumbing.ts';

const recordSchema = z.strictObject({
  number: z.number().int().positive(),
  branch: z.string(),
  title: z.string(),
  body: z.string(),
  labels: z.array(z.string()),
  state: z.enum(['open', 'merged', 'closed']),
  head: z.string(),
  openedAt: z.string(),
  closedAt: z.string().optional(),
  closedBy: z.string().optional(),
  comments: z.record(z.string(), z.string()),
});

export interface ProposalRecord {
  readonly number: number;
  readonly branch: string;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly state: 'open' | 'merged' | 'closed';
  readonly head: string;
  readonly openedAt: string;
  readonly closedAt?: string;
  readonly closedBy?: string;
  readonly comments: Readonly<Record<string, string>>;
}

export interface Records {
  /** Sorted by number. */
  all(): Promise<readonly ProposalRecord[]>;
  get(number: number): Promise<ProposalRecord | undefined>;
  openOf(branch: string): Promise<ProposalRecord | undefined>;
  /** Takes the next number. Two at a time for one branch: the second gets the first's. */
  create(record: Omit<ProposalRecord, 'number'>): Promise<ProposalRecord>;
  /** Puts a new record in place of the one that was read, with other refs in the same transaction. */
  replace(from: ProposalRecord, to: ProposalRecord, changes: readonly RefChange[]): Promise<void>;
}

const root = 'refs/regrow/proposals/';

export function recordRef(number: number): string {
  return `${root}${number}`;
}

/** Points at the record of a branch's open proposal; there can be only one. */
export function openRef(branch: string): string {
  return `refs/regrow/open/${branch}`;
}

export function createRecords(git: Plumbing): Records {
  /** By blob id, which is the content: closed proposals are never read twice. */
  const cache = new Map<string, ProposalRecord>();
  /** The blob that a record was read from. */
  const origin = new WeakMap<ProposalRecord, string>();

  function keep(blob: string, text: string): ProposalRecord {
    const record = parse(text);
    cache.set(blob, record);
    origin.set(record, blob);
    return record;
  }

  async function load(blob: string): Promise<ProposalRecord> {
    return cache.get(blob) ?? keep(blob, await git.run(['cat-file', 'blob', blob]));
  }

  /** Many at once, by one process: `OBJECT TYPE SIZE`, the content, and a line end for each. */
  async function loadAll(blobs: readonly string[]): Promise<void> {
    if (blobs.length === 0) return;
    const output = Buffer.from(await git.run(['cat-file', '--batch'], `${blobs.join('\n')}\n`));
    for (let at = 0; at < output.length; ) {
      const end = output.indexOf('\n', at);
      const [blob = '', , size = ''] = output.toString('utf8', at, end).split(' ');
      const start = end + 1;
      keep(blob, output.toString('utf8', start, start + Number(size)));
      at = start + Number(size) + 1;
    }
  }

  async function get(number: number): Promise<ProposalRecord | undefined> {
    const blob = await git.resolve(recordRef(number));
    return blob === undefined ? undefined : load(blob);
  }

  async function listed(): Promise<readonly { readonly number: number; readonly blob: string }[]> {
    const text = await git.run(['for-each-ref', '--format=%(objectname) %(refname)', root]);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => ({
        blob: line.slice(0, line.indexOf(' ')),
        number: Number(line.slice(line.lastIndexOf('/') + 1)),
      }))
      .sort((a, b) => a.number - b.number);
  }

  async function openOf(branch: string): Promise<ProposalRecord | undefined> {
    const pointer = await git.resolve(openRef(branch));
    if (pointer === undefined) return undefined;
    return get(Number(await git.run(['cat-file', 'blob', pointer])));
  }

  return {
    async all() {
      const found = await listed();
      await loadAll(found.map(({ blob }) => blob).filter((blob) => !cache.has(blob)));
      const records: ProposalRecord[] = [];
      for (const { blob } of found) records.push(await load(blob));
      return records;
    },

    get,
    openOf,

    async create(fields) {
      for (;;) {
        const number = ((await listed()).at(-1)?.number ?? 0) + 1;
        const record = { number, ...fields };
        const made = await git.moveRefs([
          { ref: recordRef(number), from: undefined, to: await git.writeBlob(print(record)) },
          { ref: openRef(fields.branch), from: undefined, to: await git.writeBlob(String(number)) },
        ]);
        if (made) return (await get(number)) ?? record;
        const first = await openOf(fields.branch);
        if (first !== undefined) return first;
      }
    },

    async replace(from, to, changes) {
      const before = origin.get((await get(from.number)) ?? from);
      const after = await git.writeBlob(print(to));
      // Settling makes a copy of what was read; the stored record must still be the one that it was made from.
      const unchanged = before !== undefined && same(await load(before), from);
      const moved =
        unchanged && (await git.moveRefs([{ ref: recordRef(to.number), from: before, to: after }, ...changes]));
      if (moved) return;
      throw new RegrowError(
        'forge.conflict',
        `proposal ${to.number} or its branch was changed by someone else meanwhile`,
        {
          retry: 'now',
          remedy: 'nothing to do: it is read and tried again',
        },
      );
    },
  };
}

/** Whether two readings of a record are of the same one: its head is read from the branch, so it may differ. */
function same(a: ProposalRecord, b: ProposalRecord): boolean {
  return print({ ...a, head: '' }) === print({ ...b, head: '' });
}

function parse(text: string): ProposalRecord {
  const { closedAt, closedBy, ...record } = recordSchema.parse(JSON.parse(text));
  return {
    ...record,
    ...(closedAt === undefined ? {} : { closedAt }),
    ...(closedBy === undefined ? {} : { closedBy }),
  };
}

function print(record: ProposalRecord): string {
  const { number, branch, title, body, labels, state, head, openedAt, closedAt, closedBy, comments } = record;
  const ordered = { number, branch, title, body, labels, state, head, openedAt, closedAt, closedBy, comments };
  return `${JSON.stringify(ordered, undefined, 2)}\n`;
}
