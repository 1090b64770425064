import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import type { HttpRequest } from '../../../src/ports/http.ts';
import { chooseSource } from '../../../src/watch/choice.ts';
import { pollSource } from '../../../src/watch/poll.ts';
import { httpAnswer, watchPorts } from '../../support/watch-ports.ts';

const source = 'oci:ghcr.io/owner/image';
const list = 'https://ghcr.io/v2/owner/image/tags/list?n=1000';
const refused = (challenge: string) => httpAnswer('', { status: 401, headers: { 'www-authenticate': challenge } });

describe('a registry', () => {
  it('is named by the update block', () => {
    const text =
      'package:\n  name: r\n  version: "1"\n  epoch: 0\nupdate:\n  enabled: true\n  oci:\n    identifier: nginx\n';
    expect(chooseSource(parseRecipe('r.yaml', text).recipe)).toEqual({
      key: 'oci:docker.io/library/nginx',
      chosenBy: 'update',
    });
  });

  it('is asked for a token with what its challenge says, and for one to pull where it does not say for what', async () => {
    const asked: HttpRequest[] = [];
    const ports = watchPorts({
      http: async (request) => {
        asked.push(request);
        if (request.url.startsWith('https://ghcr.io/token')) return httpAnswer('{"access_token":"t0"}');
        const isKnown = request.headers?.['authorization'] === 'Bearer t0';
        return isKnown
          ? httpAnswer('{"tags":["1.0"]}')
          : refused('Bearer realm="https://ghcr.io/token",service="ghcr.io"');
      },
    });
    expect(await pollSource({ source }, ports)).toMatchObject({ observation: { tags: [{ tag: '1.0' }] } });
    expect(asked.map(({ url }) => url)).toEqual([
      list,
      'https://ghcr.io/token?service=ghcr.io&scope=repository%3Aowner%2Fimage%3Apull',
      list,
    ]);
  });

  it.each([
    ['sends the token over http', 'Bearer realm="http://169.254.169.254/token"', 'upstream.answer-invalid'],
    ['wants a password', 'Basic realm="https://ghcr.io"', 'upstream.answer-invalid'],
    ['names no place for it', 'Bearer service="x"', 'upstream.answer-invalid'],
    ['refuses the token that it gave', 'Bearer realm="https://ghcr.io/token"', 'upstream.not-found'],
  ])('that %s is one failure', async (_, challenge, code) => {
    const ports = watchPorts({
      http: async ({ url }) => (url === list ? refused(challenge) : httpAnswer('{"token":"t0"}')),
    });
    expect(await pollSource({ source }, ports)).toMatchObject({ failure: { code } });
  });

  it('that goes on at another host is given no token there', async () => {
    const headers = { link: '<https://evil.example.org/v2/x>; rel="next"' };
    const ports = watchPorts({ http: async () => httpAnswer('{"tags":["1.0"]}', { headers }) });
    expect(await pollSource({ source }, ports)).toMatchObject({ failure: { code: 'upstream.answer-invalid' } });
  });

  it.each([
    [300_000, 1],
    [60_000, 4],
  ])('that has too many tags, %i in a page, is left after page %i', async (inPage, pages) => {
    let asked = 0;
    const ports = watchPorts({
      http: async () => {
        asked += 1;
        const tags = Array.from({ length: inPage }, (__, n) => `${asked}.${n}`);
        const headers = { link: `</v2/owner/image/tags/list?last=${asked}>; rel="next"` };
        return httpAnswer(JSON.stringify({ tags }), { headers });
      },
    });
    expect(await pollSource({ source }, ports)).toMatchObject({ failure: { code: 'upstream.too-large' } });
    expect(asked).toBe(pages);
  });

  it('that never ends is read so far, and said to have more', async () => {
    let pages = 0;
    const ports = watchPorts({
      http: async () => {
        pages += 1;
        return httpAnswer(`{"tags":["1.${pages}"]}`, {
          headers: { link: `</v2/owner/image/tags/list?last=${pages}>; rel="next"` },
        });
      },
    });
    const answer = await pollSource({ source }, ports);
    expect(answer).toMatchObject({ observation: { more: true } });
    expect(pages).toBe(100);
  });
});
