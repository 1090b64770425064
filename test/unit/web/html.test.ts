import { assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { escapeHtml, html, safeHref } from '../../../src/web/html.ts';

test('values are text, templates are HTML', () => {
  expect(html`<b title="${'"><script>'}">${['a & b', html`<i>${1}</i>`, undefined, false]}</b>`.html).toBe(
    '<b title="&quot;&gt;&lt;script&gt;">a &amp; b<i>1</i></b>',
  );
});

test('no text can leave an element or a quoted attribute', () => {
  assert(
    property(string({ unit: 'binary-ascii' }), (text) => {
      expect(escapeHtml(text)).not.toMatch(/[<>"'\u0000-\u0008\u000b-\u001f]/);
    }),
  );
});

test.each([
  ['https://github.com/a/b', 'https://github.com/a/b'],
  ['/packages/zlib', '/packages/zlib'],
  ['javascript:alert(1)', '#'],
  ['//evil.example', '#'],
  [' https://x', '#'],
  ['data:text/html,x', '#'],
  ['github:a/b', '#'],
])('%s may be followed as %s', (address, href) => {
  expect(safeHref(address)).toBe(href);
});
