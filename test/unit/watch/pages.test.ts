import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../../src/ports/http.ts';
import { nextPage } from '../../../src/watch/pages.ts';
import { pollSource } from '../../../src/watch/poll.ts';
import type { PollRequest, WatchPorts } from '../../../src/watch/source.ts';

const source = 'gitlab:gitlab.com/group/project';
const clock = { now: () => new Date('2026-11-25T12:00:00Z') };

/** A GitLab with 25 pages of two tags, the newest first. */
function manyPages(asked: string[]) {
  const http = {
    request: async ({ url }: HttpRequest) => {
      asked.push(url);
      const page = Number(new URL(url).searchParams.get('page') ?? 1);
      const tags = [0, 1].map((n) => ({ name: `v${100 - page * 2 - n}` }));
      const next = page < 25 ? { link: `<${url.replace(/&page=\d+/, '')}&page=${page + 1}>; rel="next"` } : {};
      return { status: 200, headers: { ...next, etag: `"${page}"` }, body: Buffer.from(JSON.stringify(tags)) };
    },
  };
  return { http, clock } as unknown as WatchPorts;
}

async function observe(request: Omit<PollRequest, 'source'>) {
  const asked: string[] = [];
  const answer = await pollSource({ source, ...request }, manyPages(asked));
  if (answer.kind !== 'observed') throw new Error(`it is ${JSON.stringify(answer)}`);
  return { ...answer, asked };
}

describe('a list that comes in pages', () => {
  it('is left as soon as it has more tags than anyone has', async () => {
    const asked: string[] = [];
    const request = async ({ url }: HttpRequest) => {
      asked.push(url);
      const tags = Array.from({ length: 150_000 }, (_, n) => ({ name: `v${asked.length}.${n}` }));
      return { status: 200, headers: { link: `<${url}>; rel="next"` }, body: Buffer.from(JSON.stringify(tags)) };
    };
    const ports = { http: { request }, clock } as unknown as WatchPorts;
    const answer = await pollSource({ source, enough: () => false }, ports);
    expect(answer).toMatchObject({ failure: { code: 'upstream.too-large' } });
    expect(asked).toHaveLength(2);
  });

  it('is read no further than the first page where nobody asks for more', async () => {
    const { observation, cursor, asked } = await observe({});
    expect(observation.tags.map(({ tag }) => tag)).toEqual(['v98', 'v97']);
    expect(observation.more).toBe(true);
    expect(cursor).toBe('"1"');
    expect(asked).toHaveLength(1);
  });

  it('is read until it is enough', async () => {
    const { observation, asked } = await observe({ enough: (tags) => tags.some(({ tag }) => tag === 'v93') });
    expect(observation.tags.map(({ tag }) => tag)).toEqual(['v98', 'v97', 'v96', 'v95', 'v94', 'v93']);
    expect(asked).toHaveLength(3);
    expect(observation.more).toBe(true);
  });

  it('is not read for ever', async () => {
    const { observation, asked } = await observe({ enough: () => false });
    expect(asked).toHaveLength(20);
    expect(observation).toMatchObject({ more: true });
    expect(observation.tags).toHaveLength(40);
  });
});

describe('nextPage', () => {
  const url = 'https://example.org/tags?n=2';
  it.each([
    ['<https://example.org/tags?n=2&page=2>; rel="next"', 'https://example.org/tags?n=2&page=2'],
    ['</tags?last=b>; rel=next', 'https://example.org/tags?last=b'],
    ['<https://example.org/1>; rel="prev", <https://example.org/3>; rel="next"', 'https://example.org/3'],
    ['<http://example.org/tags?page=2>; rel="next"', 'https://example.org/tags?page=2'],
    ['<https://example.org/9>; rel="last"', undefined],
    ['nonsense', undefined],
  ])('%s', (link, next) => {
    expect(nextPage({ url, headers: { link } })).toBe(next);
  });

  it('is on the same server', () => {
    expect(nextPage({ url, headers: {} })).toBeUndefined();
    expect(() => nextPage({ url, headers: { link: '<https://example.com/2>; rel="next"' } })).toThrow(
      expect.objectContaining({ code: 'upstream.answer-invalid' }),
    );
    expect(() => nextPage({ url, headers: { link: '<http://example.org:8080/2>; rel="next"' } })).toThrow(
      expect.objectContaining({ code: 'upstream.answer-invalid' }),
    );
  });
});
