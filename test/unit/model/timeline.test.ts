import { expect, test } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import { readTimeline } from '../../../src/model/timeline.ts';

const head = 'date\tcommit\trecipe\tfrom\tto\tfrom_epoch\tto_epoch\tsource_hashes\tsource_hashes_changed';

function errorOf(text: string): RegrowError {
  try {
    readTimeline(text, 'bumps.tsv');
  } catch (thrown) {
    if (thrown instanceof RegrowError) return thrown;
  }
  throw new Error('it was read');
}

test('updates in the order of their times, whatever zone they are in; columns in any order', () => {
  const late = '2026-01-01T10:00:00-05:00\tabc\tjq\t1.7\t1.8\t2\t0\t1\t1';
  const early = '2026-01-01T14:59:59Z\tdef\tzlib\t1.3\t1.3.1\t0\t0\t2\t0';
  expect(readTimeline(`${head}\n${late}\n${early}\n`, 'bumps.tsv')).toEqual([
    {
      at: Date.parse('2026-01-01T14:59:59Z'),
      commit: 'def',
      recipe: 'zlib',
      from: { version: '1.3', epoch: 0 },
      to: { version: '1.3.1', epoch: 0 },
      pinned: 2,
      changed: 0,
      line: 3,
    },
    expect.objectContaining({ recipe: 'jq', from: { version: '1.7', epoch: 2 }, line: 2 }),
  ]);
  const [first, ...others] = head.split('\t');
  const [date, ...cells] = early.split('\t');
  const turned = `note\t${others.join('\t')}\t${first}\r\nx\t${cells.join('\t')}\t${date}\r\n`;
  expect(readTimeline(turned, 'bumps.tsv')).toMatchObject([{ recipe: 'zlib', pinned: 2, line: 2 }]);
});

test('what cannot be read is told with file, line and column', () => {
  expect(errorOf('date\trecipe\n')).toMatchObject({ code: 'request.invalid', where: { line: 1 } });
  expect(errorOf('date\trecipe\n').message).toContain('commit, from, to');
  const row = '2026-01-01\tabc\tjq\t1.7\t1.8\t2\t0\t1\t1';
  expect(errorOf(`${head}\n${row}\n`).where).toMatchObject({ file: 'bumps.tsv', line: 2, field: 'date' });
  const short = '2026-01-01T00:00:00Z\tabc\tjq\t1.7\t1.8\t2';
  expect(errorOf(`${head}\n\n${short}\n`).where).toMatchObject({ line: 3, field: 'to_epoch' });
});
