import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ErrorCode } from '../../../src/errors.ts';
import { toRegrowError } from '../../../src/errors.ts';
import { fetchDocument, listOf, readJson, readXml } from '../../../src/watch/document.ts';
import { retractedBy } from '../../../src/watch/go-retract.ts';
import { answerOf, highestFirst, latestFirst, publishedAt, readableTags } from '../../../src/watch/observe.ts';
import { pollSource } from '../../../src/watch/poll.ts';
import { httpAnswer, watchPorts } from '../../support/watch-ports.ts';

const document = (text: string) => ({ url: 'https://example.org/x', text, etag: undefined, headers: {} });
const tag = (name: string, more: object = {}) => ({ tag: name, prerelease: false, ...more });

function codeOf(action: () => unknown): ErrorCode | undefined {
  try {
    action();
    return undefined;
  } catch (thrown) {
    return toRegrowError(thrown).code;
  }
}

describe('a document', () => {
  it('may be HTML only where HTML is wanted', async () => {
    const { http } = watchPorts({ http: async () => httpAnswer(' <!DOCTYPE HTML><p>1.0') });
    const query = { url: 'https://example.org/x' };
    await expect(fetchDocument(http, query)).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
    expect(await fetchDocument(http, { ...query, html: true })).toMatchObject({ text: ' <!DOCTYPE HTML><p>1.0' });
  });

  it('is unchanged only to who had one', async () => {
    const { http } = watchPorts({ http: async () => httpAnswer('', { status: 304 }) });
    const query = { url: 'https://example.org/x' };
    expect(await fetchDocument(http, { ...query, etag: '"1"' })).toBe('unchanged');
    await expect(fetchDocument(http, query)).rejects.toMatchObject({ code: 'upstream.unreachable' });
  });

  it('whose entity tag is none, because it has no quotes, is compared by what is in it', async () => {
    const asked: (string | undefined)[] = [];
    const ports = watchPorts({
      http: async ({ etag }) => {
        asked.push(etag);
        return httpAnswer('{"releases":[{"version":"1.0.0"}]}', { headers: { etag: 'abc' } });
      },
    });
    const first = await pollSource({ source: 'hex:jason' }, ports);
    if (first.kind !== 'observed') throw new Error(`it is ${first.kind}`);
    expect(await pollSource({ source: 'hex:jason', cursor: first.cursor }, ports)).toEqual({ kind: 'unchanged' });
    expect(asked).toEqual([undefined, undefined]);
  });

  it('of JSON says where its shape is another', () => {
    const schema = z.object({ versions: listOf(z.string()) });
    expect(readJson(document('{"versions":["1",2,"3"]}'), schema)).toEqual({ versions: ['1', '3'] });
    expect(readJson(document('{"versions":[]}'), schema)).toEqual({ versions: [] });
    expect(() => readJson(document('{"versions":[1,2]}'), schema)).toThrow(
      'https://example.org/x has another shape than it should: versions: none of its entries can be read',
    );
  });

  it('of XML is elements and attributes as text, whole and without entities of its own', () => {
    const schema = z.object({ a: z.object({ b: z.array(z.string()), '@_c': z.string() }) });
    expect(readXml(document('<a c="1.10"><b>1.10</b><b>v&lt;2</b></a>'), schema)).toEqual({
      a: { b: ['1.10', 'v<2'], '@_c': '1.10' },
    });
    for (const text of ['<a c="1"><b>1</b>', '', 'not xml', '{"a":1}', '<a><b></a></b>']) {
      expect([text, codeOf(() => readXml(document(text), schema))]).toEqual([text, 'upstream.answer-invalid']);
    }
    const levels = Array.from({ length: 12 }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join('');
    const bomb = `<!DOCTYPE a [<!ENTITY e0 "boom">${levels}]><a c="1"><b>&e12;</b><b>2</b></a>`;
    const start = performance.now();
    codeOf(() => readXml(document(bomb), schema));
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('tags', () => {
  it('that nobody can read or write are left out, and others are there once', () => {
    const tags = [
      '1.0',
      '1.0',
      '版本',
      'a\u0007',
      '\u202eabc',
      '\udc00',
      '\ufffd',
      '',
      'x'.repeat(257),
      'x'.repeat(256),
    ];
    expect(readableTags(tags.map((name) => tag(name))).map((one) => one.tag)).toEqual(['1.0', '版本', 'x'.repeat(256)]);
  });

  it('are in the order of their dates, or of the numbers in their names', () => {
    const dated = [
      tag('b'),
      tag('a', { publishedAt: '2024-01-01T00:00:00.000Z' }),
      tag('c', publishedAt('2025-01-01')),
    ];
    expect(latestFirst(dated).map((one) => one.tag)).toEqual(['c', 'a', 'b']);
    expect(highestFirst(['v1.9', 'v1.10', 'v1.2'].map((name) => tag(name))).map((one) => one.tag)).toEqual([
      'v1.10',
      'v1.9',
      'v1.2',
    ]);
  });

  it('have a date only where it is one', () => {
    expect(publishedAt('2025-01-01T00:00:00+02:00')).toEqual({ publishedAt: '2024-12-31T22:00:00.000Z' });
    for (const date of ['yesterday', '', 7, undefined, null]) expect(publishedAt(date)).toEqual({});
  });

  it('are compared by themselves where the server has nothing to compare by', () => {
    const ports = watchPorts({});
    const first = answerOf({ source: 's' }, ports, { tags: [tag('1')] });
    const cursor = first.kind === 'observed' ? first.cursor : undefined;
    expect(answerOf({ source: 's', cursor }, ports, { tags: [tag('1')] })).toEqual({ kind: 'unchanged' });
    expect(answerOf({ source: 's', cursor }, ports, { tags: [tag('1', { commit: 'abc' })] }).kind).toBe('observed');
  });
});

describe('retracted Go versions', () => {
  it('are single ones and intervals, in blocks too', () => {
    const isRetracted = retractedBy(
      'module x\nretract v1.0.0 // oops\nretract (\n  [v1.2.0, v1.3.0] // bad\n  v2.0.0\n)\nretract [v3, oops]',
    );
    const retracted = ['v1.0.0', 'v1.2.0', 'v1.2.9', 'v1.3.0', 'v2.0.0'];
    for (const version of retracted) expect([version, isRetracted(version)]).toEqual([version, true]);
    for (const version of ['v1.0.1', 'v1.3.1', 'v3.0.0', 'main']) expect(isRetracted(version)).toBe(false);
  });
});
