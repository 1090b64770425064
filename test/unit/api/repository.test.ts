import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { publicKeyKey } from '../../../src/api/repository-routes.ts';
import { explanationSchema } from '../../../src/model/explanation.ts';
import { publishedPackagesSchema } from '../../../src/model/publication.ts';
import { blobKey } from '../../../src/ports/objects.ts';
import { askRaw, startTestApi, type TestApi } from '../../support/api-server.ts';
import { createWorld, publish, sha256, type World } from '../../support/report-world.ts';

let world: World;
let api: TestApi;

beforeEach(async () => {
  world = createWorld();
  api = await startTestApi(world);
});
afterEach(() => api.close());

const index = '/repository/gnu/x86_64/APKINDEX.tar.gz';
const file = '/repository/gnu/x86_64/zlib-1.0-r0.apk';

describe('the index', () => {
  test('is what the generation names, never kept by a cache, with an etag', async () => {
    const generation = await publish(world, 4, ['x86_64-gnu', 'x86_64-musl'], { zlib: '1.0-r0' });
    const answer = await fetch(api.base + index);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('etag')).toBe(`"${generation.targets['x86_64-gnu']?.index}"`);
    expect(answer.headers.get('x-regrow-generation')).toBe('4');
    expect(gunzipSync(Buffer.from(await answer.arrayBuffer())).toString()).toBe('index 4 of x86_64-gnu');
    const musl = await fetch(`${api.base}/repository/musl/x86_64/APKINDEX.tar.gz`);
    expect(gunzipSync(Buffer.from(await musl.arrayBuffer())).toString()).toBe('index 4 of x86_64-musl');
  });

  test('is 304 for who has it, and 200 again after the next generation', async () => {
    await publish(world, 4, ['x86_64-gnu'], { zlib: '1.0-r0' });
    const etag = (await fetch(api.base + index)).headers.get('etag') ?? '';
    const same = await askRaw(api.base, index, { headers: { 'if-none-match': `W/"x", ${etag}` } });
    expect(same.status).toBe(304);
    expect(same.body.length).toBe(0);
    await publish(world, 5, ['x86_64-gnu'], { zlib: '1.1-r0' });
    expect((await fetch(api.base + index, { headers: { 'if-none-match': etag } })).status).toBe(200);
  });

  test('is 404 in JSON before anything is published, and for a target that is not', async () => {
    const none = await fetch(api.base + index);
    expect(none.status).toBe(404);
    expect(await none.json()).toMatchObject({
      error: { code: 'request.not-found', message: 'nothing is published yet' },
    });
    await publish(world, 1, ['x86_64-gnu'], {});
    expect((await fetch(`${api.base}/repository/musl/aarch64/APKINDEX.tar.gz`)).status).toBe(404);
  });

  test('a damaged manifest is an error that names the object, and not what it holds', async () => {
    await world.objects.put('repository/current', Buffer.from('{"secret":1}'));
    const answer = await fetch(api.base + index);
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(text).toContain('repository.corrupt');
    expect(text).not.toContain('secret');
  });
});

describe('a package', () => {
  test('may be kept for ever, and says its length to HEAD', async () => {
    await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
    const got = await fetch(api.base + file);
    const bytes = Buffer.from(await got.arrayBuffer());
    expect(got.headers.get('cache-control')).toContain('immutable');
    expect(got.headers.get('etag')).toBe(`"${sha256(bytes)}"`);
    const head = await askRaw(api.base, file, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    expect(head.headers['content-length']).toBe(String(bytes.length));
  });

  test('may be had in parts', async () => {
    await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
    const whole = Buffer.from(await (await fetch(api.base + file)).arrayBuffer());
    const size = whole.length;
    const ranges: [string, number, number][] = [
      ['bytes=0-9', 0, 10],
      ['bytes=10-', 10, size],
      ['bytes=-5', size - 5, size],
      [`bytes=5-${size * 2}`, 5, size],
    ];
    for (const [range, from, to] of ranges) {
      const part = await askRaw(api.base, file, { headers: { range } });
      expect(part.status).toBe(206);
      expect(part.headers['content-range']).toBe(`bytes ${from}-${to - 1}/${size}`);
      expect(part.headers['content-length']).toBe(String(to - from));
      expect(part.body.equals(whole.subarray(from, to))).toBe(true);
    }
    const beyond = await askRaw(api.base, file, { headers: { range: `bytes=${size}-` } });
    expect(beyond.status).toBe(416);
    expect(beyond.headers['content-range']).toBe(`bytes */${size}`);
    for (const range of ['bytes=9-5', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-']) {
      expect((await askRaw(api.base, file, { headers: { range } })).status).toBe(200);
    }
    const stale = await askRaw(api.base, file, { headers: { range: 'bytes=0-1', 'if-range': '"another"' } });
    expect(stale.status).toBe(200);
  });

  test('of the generation before is still served: someone may hold its index', async () => {
    await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
    await publish(world, 2, ['x86_64-gnu'], { zlib: '1.1-r0' });
    expect((await fetch(api.base + file)).status).toBe(200);
    expect((await fetch(api.base + file.replace('1.0', '0.9'))).status).toBe(404);
  });
});

test('the signed account of where a package came from lies beside it, and explain leads there', async () => {
  const generation = await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
  const listing = generation.targets['x86_64-gnu'];
  const packages = listing?.packages ?? '';
  const put = async (text: string) => {
    const bytes = Buffer.from(text);
    await world.objects.put(blobKey(sha256(bytes)), bytes);
    return sha256(bytes);
  };
  const account = '{"payloadType":"application/vnd.in-toto+json"}\n';
  const provenance = await put(account);
  const list = publishedPackagesSchema.parse(
    JSON.parse(Buffer.from((await world.objects.get(blobKey(packages)))?.bytes ?? []).toString()),
  );
  const attested = list.map((one) => (one.info.name === 'zlib' ? { ...one, provenance } : one));
  const targets = { 'x86_64-gnu': { ...listing, packages: await put(JSON.stringify(attested)) } };
  await world.objects.put('repository/current', Buffer.from(JSON.stringify({ ...generation, targets })));

  const answer = await fetch(`${api.base}${file}.intoto.jsonl`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/jsonl']);
  expect(await answer.text()).toBe(account);
  expect((await fetch(`${api.base}${file.replace('zlib', 'zlib-dev')}.intoto.jsonl`)).status).toBe(404);
  expect((await fetch(`${api.base}${index}.intoto.jsonl`)).status).toBe(404);
  const { evidence } = explanationSchema.parse(await (await fetch(`${api.base}/v1/packages/zlib`)).json());
  expect(evidence).toContainEqual({ fact: 'what it was built from is signed: zlib', source: `${file}.intoto.jsonl` });
});

test('the public key is served under its name', async () => {
  await world.objects.put(publicKeyKey('regrow.rsa.pub'), Buffer.from('-----BEGIN PUBLIC KEY-----\n'));
  const answer = await fetch(`${api.base}/repository/keys/regrow.rsa.pub`);
  expect(answer.headers.get('content-type')).toBe('application/x-pem-file');
  expect(await answer.text()).toContain('PUBLIC KEY');
  expect((await fetch(`${api.base}/repository/keys/other.rsa.pub`)).status).toBe(404);
});

test.each([
  '/repository/gnu/x86_64/../../../etc/passwd',
  '/repository/gnu/x86_64/..%2f..%2f..%2fcurrent',
  '/repository/gnu/x86_64/%2e%2e/current',
  '/repository/gnu/..%2f/current',
  '/repository/keys/..%2fcurrent',
  '/repository/keys/..%2f..%2finputs%2fx.rsa.pub',
  '/repository/gnu/x86_64/%00',
  '/v2/a/blobs/sha256:..%2f..%2fcurrent',
  '/v2/../repository/current',
  '/v1/builds/..%2f..%2fcurrent/log',
  '/packages/..%2f..%2fcurrent',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/repository/gnu/x86_64/%ff',
])('%s leads nowhere', async (path) => {
  await publish(world, 1, ['x86_64-gnu'], { zlib: '1.0-r0' });
  const keys = world.objects.calls.length;
  const answer = await askRaw(api.base, path);
  expect([400, 404]).toContain(answer.status);
  expect(answer.body.toString()).toMatch(/"error"|"errors"/);
  for (const call of world.objects.calls.slice(keys)) expect(call).not.toContain('..');
});
