import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { rewriteUrl } from '../../../src/adapters/network/rewrite.ts';
import { createSources } from '../../../src/adapters/sources.ts';
import { loopback } from '../../support/loopback-http.ts';

const body = Buffer.from('a tarball');
const sha256 = createHash('sha256').update(body).digest('hex');
const sha512 = createHash('sha512').update(body).digest('hex');
let server: Server;
let base = '';
let requests: string[] = [];
let directory: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    switch (request.url) {
      case '/jq.tar.gz':
        return response.end(body);
      case '/tagged.tar.gz': {
        const fresh = request.headers['if-none-match'] !== '"one"';
        return response.writeHead(fresh ? 200 : 304, { etag: '"one"' }).end(fresh ? body : undefined);
      }
      case '/moved':
        return response.writeHead(302, { location: 'https://mirror.example.org/jq.tar.gz' }).end();
      case '/inward':
        return response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
      case '/packed.tar.gz':
        return response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body));
      case '/loop':
        return response.writeHead(302, { location: '/loop' }).end();
      case '/page.tar.gz':
        return response.end('\n<!-- x -->\n<!DOCTYPE html><title>Sign in</title>');
      case '/comments.tar.gz':
        return response.end(`${'<!---->'.repeat(140)}x`);
      case '/hang':
        return response.write('x');
      case '/limited':
        return response.writeHead(429).end();
      case '/broken':
        return response.writeHead(500).end();
      default:
        return response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = [];
  directory = mkdtempSync(join(tmpdir(), 'regrow-sources-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('sources', () => {
  test('downloads, hashes and keeps by content', async () => {
    const sources = createSources({ allowPrivate: loopback, directory });
    const file = await sources.fetch(`${base}/jq.tar.gz`, { sha256 });
    expect(file).toMatchObject({ sha256, sha512, bytes: body.length });
    expect(readFileSync(file.path)).toEqual(body);
    expect(await sources.fetch(`${base}/jq.tar.gz`, { sha256 })).toEqual(file);
    expect(requests).toEqual(['/jq.tar.gz']);
    expect((await sources.fetch(`${base}/jq.tar.gz`, { sha512: sha512.toUpperCase() })).sha512).toBe(sha512);
  });

  test('without a hash the server is asked whether the file is the same; what rotted is fetched again', async () => {
    const sources = createSources({ allowPrivate: loopback, directory });
    const file = await sources.fetch(`${base}/tagged.tar.gz`, {});
    rmSync(file.path);
    const again = await sources.fetch(`${base}/tagged.tar.gz`, {});
    expect(readFileSync(again.path)).toEqual(body);
    // Not sent again: the server would not have answered with a body.
    expect(await sources.fetch(`${base}/tagged.tar.gz`, {})).toEqual(file);
    writeFileSync(join(directory, 'answers', readdirSync(join(directory, 'answers'))[0] ?? ''), 'rotten');
    expect(await sources.fetch(`${base}/tagged.tar.gz`, {})).toEqual(file);
    expect(requests).toHaveLength(4);
    // Where the recipe says the hash, the file itself is enough.
    expect(await sources.fetch(`${base}/tagged.tar.gz`, { sha256 })).toEqual(file);
    expect(requests).toHaveLength(4);
  });

  test('a file of the cache that rotted is fetched again', async () => {
    const sources = createSources({ allowPrivate: loopback, directory });
    const file = await sources.fetch(`${base}/jq.tar.gz`, { sha256 });
    writeFileSync(file.path, 'rotten');
    expect(readFileSync((await sources.fetch(`${base}/jq.tar.gz`, { sha256 })).path)).toEqual(body);
    expect(requests).toHaveLength(2);
  });

  test('goes to a mirror, also on a redirect', async () => {
    const rewrite = [
      { from: 'https://', to: 'http://127.0.0.1:1/' },
      { from: 'https://mirror.example.org/', to: `${base}/` },
    ];
    const file = await createSources({ allowPrivate: loopback, directory, rewrite }).fetch(`${base}/moved`, { sha256 });
    expect(file.sha256).toBe(sha256);
    expect(rewriteUrl('https://mirror.example.org/x', rewrite)).toBe(`${base}/x`);
    expect(rewriteUrl('http://other/x', rewrite)).toBe('http://other/x');
  });

  test('no private address but for those that it is told of, also not by way of a redirect', async () => {
    const refused = { code: 'upstream.address-refused' };
    await expect(createSources({ directory }).fetch(`${base}/jq.tar.gz`, { sha256 })).rejects.toMatchObject(refused);
    const elsewhere = createSources({ directory, allowPrivate: [new URL(base).host] });
    await expect(elsewhere.fetch(`${base}/inward`, { sha256 })).rejects.toMatchObject(refused);
    expect((await elsewhere.fetch(`${base}/jq.tar.gz`, { sha256 })).sha256).toBe(sha256);
  });

  test('takes the bytes as they are, whatever encoding they are said to have', async () => {
    const packed = createHash('sha256').update(gzipSync(body)).digest('hex');
    const sources = createSources({ allowPrivate: loopback, directory });
    expect((await sources.fetch(`${base}/packed.tar.gz`, { sha256: packed })).sha256).toBe(packed);
  });

  test('a file that begins with a hundred comments is a file, and is looked at in no time', async () => {
    const sources = createSources({ allowPrivate: loopback, directory });
    expect(await sources.fetch(`${base}/comments.tar.gz`, {})).toMatchObject({ bytes: 981 });
  });

  test.each([
    ['/page.tar.gz', 'upstream.answer-invalid', 'later'],
    ['/none', 'upstream.not-found', 'never'],
    ['/limited', 'upstream.rate-limited', 'later'],
    ['/broken', 'upstream.unreachable', 'later'],
    ['/loop', 'upstream.answer-invalid', 'later'],
    ['/hang', 'upstream.unreachable', 'later'],
  ])('%s is %s', async (path, code, retry) => {
    const sources = createSources({ allowPrivate: loopback, directory, timeout: 500 });
    await expect(sources.fetch(base + path, { sha256 })).rejects.toMatchObject({ code, retry });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('another hash, another scheme, a body beyond the limit, a server that is not there, an abort', async () => {
    const sources = createSources({ allowPrivate: loopback, directory, limit: 8 });
    const rejected = async (url: string, want: object, signal?: AbortSignal) =>
      expect(sources.fetch(url, { sha256 }, signal)).rejects.toMatchObject(want);
    await expect(
      createSources({ allowPrivate: loopback, directory }).fetch(`${base}/jq.tar.gz`, { sha512: 'ab' }),
    ).rejects.toMatchObject({
      code: 'source.hash-mismatch',
      message: expect.stringContaining(sha512),
    });
    await rejected(`${base}/jq.tar.gz`, { code: 'upstream.too-large' });
    await rejected('file:///etc/passwd', { code: 'upstream.not-found' });
    await rejected('http://127.0.0.1:1/x', { code: 'upstream.unreachable' });
    await rejected(`${base}/hang`, { code: 'aborted' }, AbortSignal.timeout(100));
    expect(readdirSync(directory)).toEqual([]);
  });
});
