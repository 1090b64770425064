import { expect, test } from 'vitest';
import type { Proposal } from '../../../src/model/proposal.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import { tidy } from '../../../src/roles/conductor/tidying.ts';
import { resultKey } from '../../../src/roles/effects.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';

const day = 24 * 3_600_000;
const [head, before] = ['a'.repeat(40), 'b'.repeat(40)];

function proposal(number: number, state: Proposal['state']): Proposal {
  const at = '2026-06-01T00:00:00.000Z';
  return {
    number,
    url: `https://forge.example/${number}`,
    branch: `regrow/p${number}`,
    package: `p${number}`,
    version: '1-r0',
    head,
    state,
    title: 'title',
    changes: [],
    fixes: [],
    createdAt: at,
    updatedAt: at,
  } as unknown as Proposal;
}

test('what is over is forgotten after a week, what goes on is not', async () => {
  const clock = createManualClock('2026-06-01T00:00:00Z');
  const objects = createMemoryObjects();
  const book = await openBook(createMemoryLedger(), clock);
  const keys = () => [...book.all('cursor')].map(({ key }) => key).filter((key) => key !== 'conductor/tidied');
  const openRows = [
    `shown/1/${head}/p1/x86_64-gnu`,
    `judged/1/${head}`,
    'tip/1',
    'job/verify-late',
    'watch/a',
    'refused/p1',
  ];
  const overRows = [
    `shown/1/${before}/p1/x86_64-gnu`,
    `shown/2/${head}/p2/x86_64-gnu`,
    `judged/1/${before}`,
    `judged/2/${head}`,
    'tip/2',
    'doubted/key',
  ];
  await book.put('proposal', '1', proposal(1, 'open'));
  await book.put('proposal', '2', proposal(2, 'merged'));
  for (const key of [...openRows, ...overRows]) await book.put('cursor', key, { cursor: '2' });
  await book.put('cursor', 'job/build-done.1', { cursor: '1' });
  await book.put('cursor', 'job/verify-done', { cursor: '3' });
  await objects.put(resultKey('verify-done'), new Uint8Array());
  const context = { book, clock, objects };
  await tidy(context);
  expect(keys()).toHaveLength(openRows.length + overRows.length + 2);

  clock.advance(7 * day - 1);
  await tidy(context);
  expect(keys()).toHaveLength(openRows.length + overRows.length + 2);
  clock.advance(1);
  await tidy(context);
  expect(keys()).toHaveLength(openRows.length + overRows.length + 2);
  clock.advance(day);
  await tidy(context);
  expect(keys().toSorted()).toEqual(openRows.toSorted());
  clock.advance(30 * day);
  await tidy(context);
  expect(keys()).not.toContain('job/verify-late');
});

test('what a source said is kept for a week after the last recipe that watched it has gone', async () => {
  const clock = createManualClock('2026-06-01T00:00:00Z');
  const book = await openBook(createMemoryLedger(), clock);
  const context = { book, clock, objects: createMemoryObjects() };
  const observedAt = clock.now().toISOString();
  for (const [source, packages] of [
    ['github:o/gone/tags', []],
    ['github:o/here/tags', ['here']],
  ] as const) {
    await book.put('observation', `release/${source}`, { kind: 'release', source, tags: [], observedAt });
    await book.put('cursor', `watch/${source}`, { cursor: 'etag' });
    await book.put('watch', source, { source, packages: [...packages], interval: 1800 });
  }
  const rows = () => [...book.all('observation'), ...book.all('cursor'), ...book.all('watch')].map(({ key }) => key);
  clock.advance(6 * day);
  await tidy(context);
  expect(rows()).toHaveLength(7);
  clock.advance(day);
  await tidy(context);
  expect(rows().toSorted()).toEqual([
    'conductor/tidied',
    'github:o/here/tags',
    'release/github:o/here/tags',
    'watch/github:o/here/tags',
  ]);
});
