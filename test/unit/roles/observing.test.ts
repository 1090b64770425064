import { beforeEach, describe, expect, test } from 'vitest';
import type { ReleaseObservation, UpstreamTag } from '../../../src/model/observation.ts';
import type { WatchedResult } from '../../../src/model/result.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import { recordWatched } from '../../../src/roles/conductor/observing.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';

const source = 'github:o/tool/tags';
let clock: ManualClock;
let book: Book;
let events: () => Promise<readonly string[]>;

beforeEach(async () => {
  clock = createManualClock('2026-06-01T09:00:00.000Z');
  const ledger = createMemoryLedger();
  book = await openBook(ledger, clock);
  events = async () => (await ledger.events({ limit: 100 })).map(({ text }) => text).toReversed();
});

const now = () => clock.now().toISOString();

/** Records an answer that was given now, or `at`. Says whether it was news. */
function saw(tags: readonly (string | UpstreamTag)[], more: Partial<ReleaseObservation> = {}): Promise<boolean> {
  const full = tags.map((tag) => (typeof tag === 'string' ? { tag, prerelease: false } : tag));
  const observation: ReleaseObservation = { kind: 'release', source, tags: full, observedAt: now(), ...more };
  return record({ kind: 'observed', source, observation }, observation.observedAt);
}

function record(answer: WatchedResult['answers'][number], at = now()): Promise<boolean> {
  return recordWatched({ book, clock }, { kind: 'watched', effect: 'e', at, request: 'r', answers: [answer] });
}

function fail(message: string, code = 'upstream.unreachable'): Promise<boolean> {
  return record({ kind: 'failed', source, failure: { kind: 'failure', source, code, message, observedAt: now() } });
}

function known(): readonly UpstreamTag[] {
  const value = book.get('observation', `release/${source}`)?.value;
  return value?.kind === 'release' ? value.tags : [];
}

const seen = () => Object.fromEntries(known().map(({ tag, seenAt }) => [tag, seenAt]));

describe('when a tag was first seen', () => {
  test('is said of those that came after the first look, and stays', async () => {
    await saw(['v2', 'v1']);
    expect(seen()).toEqual({ v2: undefined, v1: undefined });
    clock.advance(60_000);
    const first = now();
    await saw(['v3', 'v2', 'v1']);
    expect(seen()).toEqual({ v3: first, v2: undefined, v1: undefined });
    clock.advance(60_000);
    const second = now();
    await saw(['v4', 'v3', 'v2']);
    expect(seen()).toEqual({ v4: second, v3: first, v2: undefined });
  });

  test('a source without any tag at first: its first one has come since', async () => {
    await saw([]);
    clock.advance(60_000);
    await saw(['v1']);
    expect(seen()).toEqual({ v1: now() });
  });

  test('older ones that were left unread are not new when they are read', async () => {
    await saw(['v9', 'v8'], { more: true });
    clock.advance(60_000);
    await saw(['v10', 'v9', 'v8', 'v7', 'v6'], { more: false });
    expect(seen()).toEqual({ v10: now(), v9: undefined, v8: undefined, v7: undefined, v6: undefined });
  });

  test('where all were read, one may come anywhere in the list', async () => {
    await saw(['v2.1', 'v1.1']);
    clock.advance(60_000);
    await saw(['v2.1', 'v1.1', 'v1.0.9']);
    expect(seen()['v1.0.9']).toBe(now());
  });

  test('a tag that moves is recorded, and its pause begins anew: what it names came just now', async () => {
    await saw([{ tag: 'v1', prerelease: false, commit: 'a' }]);
    clock.advance(60_000);
    expect(await saw([{ tag: 'v1', prerelease: false, commit: 'b' }])).toBe(true);
    expect(known()).toEqual([{ tag: 'v1', prerelease: false, commit: 'b', seenAt: now() }]);
    const moved = now();
    clock.advance(60_000);
    // One source tells commits, another of the same key may not: that is no move.
    await saw([{ tag: 'v1', prerelease: false }]);
    expect(seen()).toEqual({ v1: moved });
  });
});

describe('what is news', () => {
  test('the same answer is none, and is not written again', async () => {
    expect(await saw(['v1'])).toBe(true);
    const before = book.get('observation', `release/${source}`);
    clock.advance(60_000);
    expect(await saw(['v1'])).toBe(false);
    expect(book.get('observation', `release/${source}`)).toBe(before);
  });

  test('an answer that comes late says nothing against a newer one', async () => {
    const early = now();
    clock.advance(60_000);
    await saw(['v2']);
    await saw(['v1'], { observedAt: early });
    expect(known().map(({ tag }) => tag)).toEqual(['v2']);
  });

  test('nor does a failure that comes late', async () => {
    await book.put('watch', source, { source, packages: ['tool'], interval: 1800 });
    const observedAt = now();
    clock.advance(60_000);
    await saw(['v2']);
    const failure = { kind: 'failure', source, code: 'upstream.unreachable', message: 'away', observedAt } as const;
    expect(await record({ kind: 'failed', source, failure }, observedAt)).toBe(false);
    expect(book.get('observation', `failure/${source}`)).toBeUndefined();
  });

  test('after a clock was put back, what is said counts all the same', async () => {
    await saw(['v1']);
    clock.set('2026-05-01T09:00:00.000Z');
    expect(await saw(['v2', 'v1'])).toBe(true);
    expect(known().map(({ tag }) => tag)).toEqual(['v2', 'v1']);
  });

  test('a failure keeps the time of the first, is told once, and is over with the next answer', async () => {
    await saw(['v1']);
    const since = now();
    expect(await fail('HTTP 502, request 1')).toBe(true);
    clock.advance(60_000);
    await fail('HTTP 502, request 2');
    expect(book.get('observation', `failure/${source}`)?.value).toMatchObject({
      observedAt: since,
      message: 'HTTP 502, request 2',
    });
    expect(await events()).toEqual([`${source} has v1`, `${source} cannot be asked: HTTP 502, request 1`]);
    expect(await record({ kind: 'unchanged', source })).toBe(true);
    expect(book.get('observation', `failure/${source}`)).toBeUndefined();
    expect(known()).toHaveLength(1);
  });
});

describe('when a source was last asked', () => {
  const asked = () => book.get('watch', source)?.value.asked;
  beforeEach(() => book.put('watch', source, { source, packages: ['tool'], interval: 1800 }));

  test('is when it answered, whatever it said', async () => {
    await record({ kind: 'unchanged', source });
    expect(asked()).toBe(now());
    clock.advance(60_000);
    await fail('no');
    expect(asked()).toBe(now());
  });

  test('an answer that comes late does not put it back', async () => {
    const early = now();
    clock.advance(60_000);
    await record({ kind: 'unchanged', source });
    await record({ kind: 'unchanged', source }, early);
    expect(asked()).toBe(now());
  });

  test('a poller whose clock is ahead does not make it the future', async () => {
    await record({ kind: 'unchanged', source }, '2026-06-02T09:00:00.000Z');
    expect(asked()).toBe(now());
  });

  test('a source that is no longer watched gets no row', async () => {
    await book.remove('watch', source);
    await record({ kind: 'unchanged', source });
    expect(asked()).toBeUndefined();
    expect([...book.all('watch')]).toEqual([]);
  });
});
