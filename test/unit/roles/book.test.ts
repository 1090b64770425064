import { expect, test } from 'vitest';
import { createLogger } from '../../../src/log.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';

const first = '2026-06-01T09:00:00.000Z';

async function open() {
  const ledger = createMemoryLedger();
  const clock = createManualClock(first);
  return { ledger, clock, book: await openBook(ledger, clock) };
}

test('a book says what the ledger has, also what was there before it was opened', async () => {
  const { ledger, clock } = await open();
  await ledger.put('cursor', 'watch/a', { cursor: 'one' }, first);
  const book = await openBook(ledger, clock);
  await book.put('cursor', 'watch/b', { cursor: 'two' });
  expect([...book.all('cursor')].map(({ key }) => key)).toEqual(['watch/a', 'watch/b']);
  expect(await ledger.list('cursor')).toEqual([...book.all('cursor')]);
});

test('each event is a line of the log once: what failed as a warning, what comes by the thousand for debugging', async () => {
  const lines: { level: number; msg: string; package?: string }[] = [];
  const log = createLogger({ level: 'debug', write: (line) => lines.push(JSON.parse(line)) });
  const book = await openBook(createMemoryLedger(), createManualClock(first), undefined, log);
  const tell = (kind: 'published' | 'build-failed' | 'release-seen') =>
    book.tell({ id: kind, kind, package: 'zlib', text: 'zlib 1.1', facts: { generation: 4 } });
  for (const kind of ['published', 'published', 'build-failed', 'release-seen'] as const) await tell(kind);
  expect(lines.map(({ level, msg }) => ({ level, msg }))).toEqual([
    { level: 30, msg: 'published' },
    { level: 40, msg: 'build-failed' },
    { level: 20, msg: 'release-seen' },
  ]);
  expect(lines[0]).toMatchObject({ package: 'zlib', generation: 4, text: 'zlib 1.1' });
});

test('the same value again is no change, and keeps its time', async () => {
  const { book, clock, ledger } = await open();
  expect(await book.put('cursor', 'key', { cursor: 'one', etag: 'e' })).toBe(true);
  clock.advance(1000);
  expect(await book.put('cursor', 'key', { etag: 'e', cursor: 'one' })).toBe(false);
  expect(book.holds('cursor', 'key', { cursor: 'one', etag: 'e' })).toBe(true);
  expect(book.holds('cursor', 'key', { cursor: 'other' })).toBe(false);
  expect((await ledger.get('cursor', 'key'))?.at).toBe(first);
  expect(await book.put('cursor', 'key', { cursor: 'two' })).toBe(true);
  expect(book.get('cursor', 'key')?.at).toBe('2026-06-01T09:00:01.000Z');
});

test('replacing says what came and went, and leaves alone what is out of its reach', async () => {
  const { book, ledger } = await open();
  for (const key of ['mine/old', 'mine/kept', 'theirs']) await book.put('cursor', key, { cursor: 'one' });
  const rows = new Map([
    ['mine/kept', { value: { cursor: 'two' } }],
    ['mine/new', { value: { cursor: 'one' } }],
  ]);
  const { came, went } = await book.replace('cursor', rows, (key) => key.startsWith('mine/'));
  expect({ came, went }).toEqual({ came: ['mine/new'], went: ['mine/old'] });
  expect((await ledger.list('cursor')).map(({ key, value }) => `${key} ${value.cursor}`)).toEqual([
    'mine/kept two',
    'mine/new one',
    'theirs one',
  ]);
});

test('an event is told once, however often it is told', async () => {
  const { book, ledger } = await open();
  const event = { id: 'published/1/tool', kind: 'published', text: 'tool is published' } as const;
  expect(await book.tell(event)).toBe(true);
  expect(await book.tell(event)).toBe(false);
  expect(await ledger.events({ limit: 10 })).toMatchObject([{ ...event, at: first, facts: {} }]);
});

test('who is no longer the conductor writes nothing: neither rows nor events, changed or not', async () => {
  const ledger = createMemoryLedger();
  const over = new AbortController();
  const book = await openBook(ledger, createManualClock(first), over.signal);
  await book.put('cursor', 'watch/a', { cursor: 'one' });
  over.abort();
  const aborted = { code: 'aborted', retry: 'now' };
  await expect(book.put('cursor', 'watch/a', { cursor: 'one' })).rejects.toMatchObject(aborted);
  await expect(book.put('cursor', 'watch/a', { cursor: 'two' })).rejects.toMatchObject(aborted);
  await expect(book.remove('cursor', 'watch/a')).rejects.toMatchObject(aborted);
  await expect(book.replace('cursor', new Map())).rejects.toMatchObject(aborted);
  await expect(book.tell({ id: 'x', kind: 'problem', text: 'x' })).rejects.toMatchObject(aborted);
  expect(await ledger.list('cursor')).toEqual([...book.all('cursor')]);
  expect(await ledger.events({ limit: 1 })).toEqual([]);
});
