import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { withFiles } from '../../../src/adapters/file-http.ts';
import { createPace } from '../../../src/adapters/network/pace.ts';
import { createLoopbackHttp } from '../../support/loopback-http.ts';

const http = createLoopbackHttp();
const servers: Server[] = [];

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
});

describe('createHttp', () => {
  it('gives any status as an answer, with headers in lower case', async () => {
    const url = await serve((request, response) => {
      response.writeHead(404, { 'X-Agent': request.headers['user-agent'] }).end('gone');
    });
    const answer = await http.request({ url });
    expect(answer.status).toBe(404);
    expect(answer.headers['x-agent']).toBe('regrow-test');
    expect(Buffer.from(answer.body).toString()).toBe('gone');
  });

  it('asks conditionally', async () => {
    const url = await serve((request, response) => {
      const same = request.headers['if-none-match'] === '"1"';
      response.writeHead(same ? 304 : 200, { etag: '"1"' }).end(same ? undefined : 'body');
    });
    expect((await http.request({ url })).status).toBe(200);
    expect(await http.request({ url, etag: '"1"' })).toMatchObject({ status: 304, body: new Uint8Array() });
  });

  it('stops reading a body that is too large, announced or not', async () => {
    let closed = 0;
    const url = await serve((request, response) => {
      response.on('close', () => {
        closed += 1;
      });
      if (request.url === '/announced') response.writeHead(200, { 'content-length': '999999' });
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1000)));
      };
      response.on('drain', more);
      more();
    });
    await expect(http.request({ url: `${url}/announced`, limit: 5000 })).rejects.toMatchObject({
      code: 'upstream.too-large',
    });
    await expect(http.request({ url: `${url}/endless`, limit: 5000 })).rejects.toMatchObject({
      code: 'upstream.too-large',
    });
    await expect.poll(() => closed).toBe(2);
  });

  it('gives up after its time, also in the middle of a body', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/half') response.writeHead(200).write('half');
    });
    for (const path of ['/none', '/half']) {
      await expect(http.request({ url: url + path, timeout: 50 })).rejects.toMatchObject({
        code: 'upstream.unreachable',
        retry: 'later',
      });
    }
  });

  it('stops when it is told to', async () => {
    const url = await serve(() => {});
    const controller = new AbortController();
    const request = http.request({ url, signal: controller.signal });
    controller.abort();
    await expect(request).rejects.toMatchObject({ code: 'aborted' });
  });

  it('says that nobody answers', async () => {
    const url = await serve(() => {});
    servers.splice(0).forEach((server) => server.close());
    await expect(http.request({ url })).rejects.toMatchObject({
      code: 'upstream.unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('says how long a server wants to be left alone', async () => {
    const url = await serve((request, response) => {
      const [, status = '429', header = ''] = (request.url ?? '').split('/');
      const headers: Record<string, string> =
        header === 'spent'
          ? { 'x-ratelimit-remaining': '0' }
          : header === ''
            ? {}
            : { 'retry-after': decodeURIComponent(header) };
      response.writeHead(Number(status), headers).end();
    });
    const limited = (path: string, error: object): Promise<void> =>
      expect(http.request({ url: url + path })).rejects.toMatchObject(error);
    await limited('/429', { code: 'upstream.rate-limited', retry: 'later', retryAfter: undefined });
    await limited('/429/30', { code: 'upstream.rate-limited', retryAfter: 30 });
    await limited('/403/spent', { code: 'upstream.rate-limited' });
    await limited('/503/5', { code: 'upstream.rate-limited', retryAfter: 5 });
    await limited('/429/Thu%2C%2001%20Jan%201970%2000%3A00%3A00%20GMT', { retryAfter: 0 });
    expect((await http.request({ url: `${url}/403` })).status).toBe(403);
    expect((await http.request({ url: `${url}/503` })).status).toBe(503);
  });

  it('unpacks what was packed for the way, and counts what comes out', async () => {
    const text = 'x'.repeat(10_000);
    const packed: Record<string, Uint8Array> = {
      gzip: gzipSync(text),
      br: brotliCompressSync(text),
      deflate: deflateSync(text),
      // What it would be unpacked: 100 MiB.
      bomb: gzipSync(Buffer.alloc(100 * 1024 * 1024)),
      half: gzipSync(text).subarray(0, 20),
    };
    const url = await serve((request, response) => {
      const name = request.url?.slice(1) ?? '';
      const encoding = name in { bomb: 1, half: 1 } ? 'gzip' : name;
      response.writeHead(200, { 'content-encoding': encoding }).end(packed[name] ?? 'text');
    });
    for (const name of ['gzip', 'br', 'deflate']) {
      expect(Buffer.from((await http.request({ url: `${url}/${name}` })).body).toString()).toBe(text);
    }
    await expect(http.request({ url: `${url}/bomb`, limit: 1_000_000 })).rejects.toMatchObject({
      code: 'upstream.too-large',
    });
    await expect(http.request({ url: `${url}/half` })).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
    await expect(http.request({ url: `${url}/zstd` })).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
  });

  it('gives up on a body that trickles', async () => {
    const url = await serve((_, response) => {
      const trickle = setInterval(() => response.write('x'), 5);
      response.on('close', () => clearInterval(trickle));
    });
    await expect(http.request({ url, timeout: 200 })).rejects.toMatchObject({ code: 'upstream.unreachable' });
  });

  it('asks no private address but for those that it is told of, also not by way of a redirect', async () => {
    let asked = 0;
    const url = await serve((_, response) => {
      asked += 1;
      response.end('the operator alone should see this');
    });
    const { port } = new URL(url);
    const shut = createLoopbackHttp({ allowPrivate: [] });
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1', '0.0.0.0']) {
      await expect(shut.request({ url: `http://${host}:${port}/` }), host).rejects.toMatchObject({
        code: 'upstream.address-refused',
      });
    }
    expect(asked).toBe(0);
    const door = await serve((request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${port}${request.url}` }).end();
    });
    const one = createLoopbackHttp({ allowPrivate: [new URL(door).host] });
    await expect(one.request({ url: door })).rejects.toMatchObject({ code: 'upstream.address-refused' });
    expect(asked).toBe(0);
    const mirror = createLoopbackHttp({
      allowPrivate: [],
      rewrite: [{ from: 'https://upstream.example/', to: `${url}/` }],
    });
    expect((await mirror.request({ url: 'https://upstream.example/x' })).status).toBe(200);
  });

  it('stays on the host where it is told to', async () => {
    const other = await serve((_, response) => response.end('elsewhere'));
    const url = await serve((request, response) => {
      if (request.url === '/there') response.end('there');
      else response.writeHead(301, { location: request.url === '/other' ? other : '/there' }).end();
    });
    expect((await http.request({ url: `${url}/renamed`, redirects: 'same-host' })).status).toBe(200);
    await expect(http.request({ url: `${url}/other`, redirects: 'same-host' })).rejects.toMatchObject({
      code: 'upstream.redirect-refused',
    });
    const told = createLoopbackHttp({ redirectHosts: ['127.0.0.1'] });
    expect((await told.request({ url: `${url}/other`, redirects: 'same-host' })).status).toBe(200);
  });

  it('leaves a host alone that said so, and no other', async () => {
    let asked = 0;
    const busy = await serve((_, response) => {
      asked += 1;
      response.writeHead(429, { 'retry-after': '90' }).end();
    });
    const curt = await serve((_, response) => response.writeHead(429).end());
    const other = await serve((_, response) => response.end('fine'));
    const polite = createLoopbackHttp({ pace: createPace({ perSecond: () => 1000 }) });
    await expect(polite.request({ url: busy })).rejects.toMatchObject({ retryAfter: 90 });
    await expect(polite.request({ url: `${busy}/b` })).rejects.toMatchObject({
      code: 'upstream.rate-limited',
      retryAfter: 90,
    });
    expect(asked).toBe(1);
    expect((await polite.request({ url: other })).status).toBe(200);
    await expect(polite.request({ url: curt })).rejects.toMatchObject({ retryAfter: undefined });
    await expect(polite.request({ url: curt })).rejects.toMatchObject({ retryAfter: 60 });
  });

  it('follows redirects, without credentials to another server', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end('there');
    });
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(302, { location: request.url === '/a' ? '/b' : other }).end();
    });
    const answer = await http.request({ url: `${url}/a`, headers: { authorization: 'Bearer secret' } });
    expect(Buffer.from(answer.body).toString()).toBe('there');
    expect(seen).toEqual(['Bearer secret', 'Bearer secret', undefined]);
  });

  it('does not follow for ever, nor to something that is not HTTP', async () => {
    const url = await serve((request, response) => {
      response.writeHead(302, { location: request.url === '/file' ? 'file:///etc/passwd' : '/again' }).end();
    });
    await expect(http.request({ url })).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
    await expect(http.request({ url: `${url}/file` })).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
    await expect(http.request({ url: 'file:///etc/passwd' })).rejects.toMatchObject({
      code: 'upstream.answer-invalid',
    });
    await expect(http.request({ url: 'nonsense' })).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
  });
});

describe('withFiles', () => {
  it('reads a file with an etag that changes with it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'regrow-file-'));
    try {
      const path = join(directory, 'feed.jsonl');
      const url = pathToFileURL(path).href;
      const files = withFiles(http, [url, pathToFileURL(directory).href]);
      expect((await files.request({ url })).status).toBe(404);
      await writeFile(path, 'one');
      const answer = await files.request({ url });
      expect(Buffer.from(answer.body).toString()).toBe('one');
      const etag = answer.headers['etag'] ?? '';
      expect((await files.request({ url, etag })).status).toBe(304);
      await utimes(path, 1, 1);
      expect((await files.request({ url, etag })).status).toBe(200);
      await expect(files.request({ url, limit: 2 })).rejects.toMatchObject({ code: 'upstream.too-large' });
      await expect(files.request({ url: pathToFileURL(directory).href })).rejects.toMatchObject({ code: 'internal' });
      for (const other of [`${pathToFileURL(directory).href}/../other`, 'file:///etc/passwd', 'file:']) {
        await expect(files.request({ url: other })).rejects.toMatchObject({ code: 'upstream.answer-invalid' });
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
