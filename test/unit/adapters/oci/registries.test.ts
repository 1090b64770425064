import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createRegistries, type RegistriesOptions } from '../../../../src/adapters/oci/registries.ts';
import type { RegistryBlob } from '../../../../src/ports/registry.ts';
import { type FakeRegistry, startFakeRegistry } from '../../../fakes/registry.ts';

const login = { username: 'pusher', password: 'secret:word' };
const indexType = 'application/vnd.oci.image.index.v1+json';
const running: FakeRegistry[] = [];

afterEach(async () => {
  for (const fake of running.splice(0)) await fake.close();
});

async function start(withLogin?: typeof login): Promise<FakeRegistry> {
  const fake = await startFakeRegistry(withLogin);
  running.push(fake);
  return fake;
}

function open(fake: FakeRegistry, options: Partial<RegistriesOptions> = {}, waits: number[] = []) {
  return createRegistries({
    userAgent: 'regrow-test',
    addresses: [fake.address],
    wait: async (time) => void waits.push(time),
    ...options,
  });
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function blob(text: string, digest = digestOf(Buffer.from(text))): RegistryBlob {
  async function* read() {
    // In pieces that are no chunks.
    for (let at = 0; at < text.length; at += 3) yield Buffer.from(text.slice(at, at + 3));
  }
  return { digest, size: Buffer.byteLength(text), read: async () => read() };
}

function manifest(text = 'one') {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: [], text }));
  return { mediaType: indexType, bytes };
}

describe('blobs', () => {
  test('a small one goes in one piece, a second time it is there', async () => {
    const fake = await start();
    const repository = open(fake).repository(fake.address, 'team/tool');
    expect(await repository.pushBlob(blob('hello'))).toBe('pushed');
    expect(await repository.pushBlob(blob('hello'))).toBe('there');
    expect(fake.blobs.get(`team/tool ${blob('hello').digest}`)?.toString('utf8')).toBe('hello');
    expect(fake.asked.map(({ method }) => method)).toEqual(['HEAD', 'POST', 'PUT', 'HEAD']);
    expect(fake.asked[2]?.path).toContain('_state=a%2Fb&digest=sha256%3A');
  });

  test('an empty one, and one of just one chunk', async () => {
    const fake = await start();
    const repository = open(fake, { chunkSize: 4 }).repository(fake.address, 'x');
    for (const text of ['', 'four']) {
      expect(await repository.pushBlob(blob(text))).toBe('pushed');
      expect(fake.blobs.get(`x ${blob(text).digest}`)?.toString('utf8')).toBe(text);
    }
    expect(fake.asked.some(({ method }) => method === 'PATCH')).toBe(false);
  });

  test('a large one goes in chunks, and tells how far it is', async () => {
    const fake = await start();
    const told: number[] = [];
    const repository = open(fake, { chunkSize: 4 }).repository(fake.address, 'x');
    await repository.pushBlob(blob('0123456789'), { onProgress: (_, done) => told.push(done) });
    expect(fake.asked.filter(({ method }) => method === 'PATCH').map(({ range }) => range)).toEqual([
      '0-3',
      '4-7',
      '8-9',
    ]);
    expect(told).toEqual([4, 8, 10]);
    expect(fake.blobs.get(`x ${blob('0123456789').digest}`)?.toString('utf8')).toBe('0123456789');
  });

  test('a lost connection costs what the registry has not got', async () => {
    const fake = await start();
    fake.cutAfter = 3;
    const waits: number[] = [];
    const repository = open(fake, { chunkSize: 8 }, waits).repository(fake.address, 'x');
    expect(await repository.pushBlob(blob('0123456789'))).toBe('pushed');
    expect(fake.asked.filter(({ method }) => method === 'PATCH').map(({ range }) => range)).toEqual([
      '0-7',
      '3-7',
      '8-9',
    ]);
    expect(waits).toEqual([1000]);
  });

  test('a registry that counts otherwise (416) is followed', async () => {
    const fake = await start();
    let done = false;
    fake.faults.push(({ method, range }, response) => {
      if (method !== 'PATCH' || range !== '4-7' || done) return false;
      done = true;
      response.writeHead(416).end();
      return true;
    });
    await open(fake, { chunkSize: 4 }).repository(fake.address, 'x').pushBlob(blob('0123456789'));
    expect(fake.blobs.get(`x ${blob('0123456789').digest}`)?.toString('utf8')).toBe('0123456789');
  });

  test('an upload that the registry lost begins again; one that always gets lost is given up', async () => {
    const fake = await start();
    let losses = 1;
    fake.faults.push(({ method, range }, response) => {
      if (method !== 'PATCH' || range !== '4-7' || losses === 0) return false;
      losses -= 1;
      response.writeHead(404).end();
      return true;
    });
    const repository = open(fake, { chunkSize: 4 }).repository(fake.address, 'x');
    expect(await repository.pushBlob(blob('0123456789'))).toBe('pushed');
    losses = 100;
    await expect(repository.pushBlob(blob('9876543210'))).rejects.toMatchObject({ code: 'registry.refused' });
  });

  test('a registry that forgets what came before a chunk, and says so, is sent all of it again and no other bytes', async () => {
    const fake = await start();
    let done = false;
    fake.faults.push(({ method, range, path }, response) => {
      if (method !== 'PATCH' || range !== '4-7' || done) return false;
      done = true;
      response.writeHead(202, { location: path, range: '0-1' }).end();
      return true;
    });
    const repository = open(fake, { chunkSize: 4 }).repository(fake.address, 'x');
    expect(await repository.pushBlob(blob('0123456789'))).toBe('pushed');
    const pieces = fake.asked.filter(({ method }) => method === 'PATCH').map(({ range }) => range);
    expect(pieces.join(' ')).toBe('0-3 4-7 0-3 4-7 8-9');
  });

  test('a registry that wants chunks larger than memory is refused', async () => {
    const fake = await start();
    fake.faults.push(({ method, path }, response) => {
      if (method !== 'POST') return false;
      response.writeHead(202, { location: `${path}1`, 'oci-chunk-min-length': '1000000000000' }).end();
      return true;
    });
    await expect(open(fake).repository(fake.address, 'x').pushBlob(blob('a'))).rejects.toMatchObject({
      code: 'registry.refused',
      message: expect.stringContaining('wants chunks of 1000000000000 bytes'),
    });
  });

  test('what another repository of the registry has is mounted', async () => {
    const fake = await start(login);
    const registries = open(fake, { credentials: () => login });
    await registries.repository(fake.address, 'one').pushBlob(blob('layer'));
    expect(await registries.repository(fake.address, 'two').pushBlob(blob('layer'))).toBe('mounted');
    expect(fake.asked.at(-1)?.path).toBe(
      `/v2/two/blobs/uploads/?mount=${encodeURIComponent(blob('layer').digest)}&from=one`,
    );
  });

  test('one of ours that is damaged is not sent as what it should be', async () => {
    const fake = await start();
    const damaged = blob('other', digestOf(Buffer.from('right')));
    await expect(open(fake).repository(fake.address, 'x').pushBlob(damaged)).rejects.toMatchObject({
      code: 'repository.corrupt',
    });
    expect(fake.blobs.size).toBe(0);
  });
});

describe('logging in', () => {
  test('a token is asked for once, with the password, and again when it is no longer good', async () => {
    const fake = await start(login);
    const repository = open(fake, { credentials: () => login }).repository(fake.address, 'x');
    await repository.pushBlob(blob('a'));
    await repository.pushBlob(blob('b'));
    const tokens = () => fake.asked.filter(({ path }) => path.startsWith('/token'));
    expect(tokens()).toHaveLength(1);
    expect(tokens()[0]?.path).toBe('/token?service=fake%2C+registry&scope=repository%3Ax%3Apull%2Cpush');
    fake.expireTokens();
    await repository.pushBlob(blob('c'));
    expect(tokens()).toHaveLength(2);
  });

  test('without a login, or with a wrong one, it is registry.unauthorized', async () => {
    const fake = await start(login);
    for (const credentials of [() => undefined, () => ({ ...login, password: 'wrong' })]) {
      const repository = open(fake, { credentials }).repository(fake.address, 'x');
      await expect(repository.pushBlob(blob('a'))).rejects.toMatchObject({ code: 'registry.unauthorized' });
    }
  });

  test('an upload elsewhere, and a redirect elsewhere, get no credentials', async () => {
    const fake = await start(login);
    const other = await start();
    fake.uploadsAt = undefined;
    const elsewhere: string[] = [];
    other.faults.push(({ method, authorization }, response) => {
      elsewhere.push(`${method} ${authorization ?? 'nobody'}`);
      response.writeHead(201).end();
      return true;
    });
    const options = { credentials: () => login, addresses: [fake.address, other.address] };
    fake.uploadsAt = other.address;
    await open(fake, options).repository(fake.address, 'x').pushBlob(blob('a'));
    fake.uploadsAt = undefined;
    fake.faults.push(({ method, path }, response) => {
      if (method !== 'PUT') return false;
      response.writeHead(307, { location: other.address + path }).end();
      return true;
    });
    await open(fake, options).repository(fake.address, 'x').pushBlob(blob('b'));
    expect(elsewhere).toEqual(['PUT nobody', 'PUT nobody']);
    expect(fake.asked.some(({ authorization }) => authorization?.startsWith('Bearer ') === true)).toBe(true);
  });

  test('who is redirected to is given no password, whatever challenge he answers with', async () => {
    const fake = await start(login);
    const other = await start();
    other.faults.push(({ path }, response) => {
      const realm = `${other.address}/token`;
      if (path.startsWith('/token')) response.end(JSON.stringify({ token: 'mine' }));
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}", Basic realm="x"` }).end();
      return true;
    });
    fake.faults.push(({ method, path }, response) => {
      if (method !== 'HEAD') return false;
      response.writeHead(307, { location: other.address + path }).end();
      return true;
    });
    const options = { credentials: () => login, addresses: [fake.address, other.address] };
    const repository = open(fake, options).repository(fake.address, 'x');
    await expect(repository.pushBlob(blob('a'))).rejects.toMatchObject({ code: 'registry.unauthorized' });
    expect(other.asked.map(({ method, authorization }) => [method, authorization])).toEqual([['HEAD', undefined]]);
  });

  test('what lets one write to an upload is in no message, since anybody may read those', async () => {
    const fake = await start();
    let status = 403;
    fake.faults.push(({ method, path }, response) => {
      if (method === 'POST') response.writeHead(202, { location: `${path}1?signature=secret` }).end();
      else if (method === 'PUT' && status === 0) response.destroy();
      else if (method === 'PUT') response.writeHead(status).end();
      return method === 'POST' || method === 'PUT';
    });
    for (status of [403, 500, 418, 0]) {
      const thrown: unknown = await open(fake)
        .repository(fake.address, 'x')
        .pushBlob(blob('a'))
        .catch((error: unknown) => error);
      expect(thrown).toMatchObject({ message: expect.stringContaining('/v2/x/blobs/uploads/') });
      expect(String(thrown)).not.toContain('secret');
    }
  });

  test('what a registry leads to in a private network is refused', async () => {
    const fake = await start();
    fake.uploadsAt = 'http://127.0.0.2:9';
    await expect(open(fake).repository(fake.address, 'x').pushBlob(blob('a'))).rejects.toMatchObject({
      code: 'upstream.address-refused',
    });
  });
});

describe('trouble', () => {
  test('429 and 5xx are waited for, as long as the registry says', async () => {
    const fake = await start();
    const answers = [429, 503];
    fake.faults.push((_, response) => {
      const status = answers.shift();
      if (status === undefined) return false;
      response.writeHead(status, status === 429 ? { 'retry-after': '7' } : {}).end();
      return true;
    });
    const waits: number[] = [];
    expect(await open(fake, {}, waits).repository(fake.address, 'x').pushBlob(blob('a'))).toBe('pushed');
    expect(waits).toEqual([7000, 2000]);
  });

  test('a registry that stays in trouble is registry.unreachable, one that says no is registry.refused with its words', async () => {
    const fake = await start();
    let status = 500;
    fake.faults.push((_, response) => {
      response.writeHead(status).end('{"errors":[{"code":"DENIED","message":"quota is used up"}]}');
      return true;
    });
    const waits: number[] = [];
    const repository = open(fake, {}, waits).repository(fake.address, 'x');
    await expect(repository.pushManifest(manifest())).rejects.toMatchObject({ code: 'registry.unreachable' });
    expect(waits).toEqual([1000, 2000, 4000, 8000]);
    status = 400;
    await expect(repository.pushManifest(manifest())).rejects.toMatchObject({
      code: 'registry.refused',
      message: expect.stringContaining('answers 400 to what a manifest says: DENIED quota is used up'),
    });
  });

  test('stopping ends it', async () => {
    const fake = await start();
    const stop = new AbortController();
    fake.faults.push((_, response) => {
      stop.abort();
      response.destroy();
      return true;
    });
    const push = open(fake).repository(fake.address, 'x').pushBlob(blob('a'), { signal: stop.signal });
    await expect(push).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('manifests', () => {
  test('go by digest, then by tag; what is there is left', async () => {
    const fake = await start();
    const repository = open(fake).repository(fake.address, 'x');
    for (let times = 0; times < 2; times += 1) {
      await repository.pushManifest(manifest());
      await repository.pushManifest(manifest(), 'latest');
    }
    expect(fake.asked.filter(({ method }) => method === 'PUT').map(({ path }) => path)).toEqual([
      `/v2/x/manifests/${digestOf(manifest().bytes)}`,
      '/v2/x/manifests/latest',
    ]);
    expect(await repository.manifest('latest')).toEqual({ mediaType: indexType, bytes: manifest().bytes });
    expect(await repository.manifest('other')).toBeUndefined();
  });

  test.each([
    ['keeps something else', undefined],
    ['calls it by another digest', `sha256:${'0'.repeat(64)}`],
  ])('a registry that %s is refused', async (_, said) => {
    const fake = await start();
    fake.faults.push(({ method, path }, response, body) => {
      if (method !== 'PUT') return false;
      fake.manifests.set(`x ${path.split('/').at(-1) ?? ''}`, Buffer.from(`${body.toString('utf8')} `));
      response.writeHead(201, said === undefined ? {} : { 'docker-content-digest': said }).end();
      return true;
    });
    await expect(open(fake).repository(fake.address, 'x').pushManifest(manifest(), 'latest')).rejects.toMatchObject({
      code: 'registry.digest-mismatch',
    });
  });

  test('a digest that is answered with other bytes is refused, and so is a blob of another size', async () => {
    const fake = await start();
    const digest = digestOf(manifest('one').bytes);
    fake.manifests.set(`x ${digest}`, manifest('two').bytes);
    const repository = open(fake).repository(fake.address, 'x');
    await expect(repository.manifest(digest)).rejects.toMatchObject({ code: 'registry.digest-mismatch' });
    fake.blobs.set(`x ${blob('hello').digest}`, Buffer.from('hell'));
    await expect(repository.pushBlob(blob('hello'))).rejects.toMatchObject({ code: 'registry.digest-mismatch' });
  });
});
