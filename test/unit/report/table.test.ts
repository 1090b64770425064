import { array, assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { paint, printable, renderTable } from '../../../src/report/table.ts';

const plain = { color: false };

test('columns line up, and no line ends in spaces', () => {
  const rows = [
    [{ text: 'zlib' }, { text: '1.0' }, { text: 'current' }],
    [{ text: 'ca-certificates' }, { text: '' }, { text: '' }],
  ];
  expect(renderTable(['NAME', 'VERSION', 'STATE'], rows, plain)).toBe(
    'NAME             VERSION  STATE\nzlib             1.0      current\nca-certificates\n',
  );
  expect(renderTable(['NAME'], [], plain)).toBe('');
});

test('the last column is cut where the terminal ends', () => {
  const text = renderTable(['A', 'B'], [[{ text: 'a' }, { text: 'x'.repeat(100) }]], { color: false, width: 40 });
  expect(text.split('\n')[1]).toBe(`a  ${'x'.repeat(36)}…`);
});

test('colours do not move columns', () => {
  const rows = [[{ text: 'zlib', mood: 'bad' as const }, { text: 'x' }]];
  const colored = renderTable(['NAME', 'B'], rows, { color: true });
  expect(colored).toContain('\u001b[31mzlib\u001b[0m  x');
  expect(paint('x', 'good', plain)).toBe('x');
});

test('no text can drive the terminal or break a row', () => {
  assert(
    property(array(string({ unit: 'binary-ascii' }), { minLength: 1, maxLength: 4 }), (texts) => {
      const out = renderTable(
        ['A'],
        texts.map((text) => [{ text: `${text}\u001b[2J\r\n` }]),
        plain,
      );
      expect(out.split('\n')).toHaveLength(texts.length + 2);
      expect(out).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
    }),
  );
  expect(printable('\u009b2J\u0090x')).toBe('\ufffd2J\ufffdx');
  expect(printable('a\r\nb\tc\u001b[31md\u202e')).toBe('a\nb\tcd\ufffd');
});
