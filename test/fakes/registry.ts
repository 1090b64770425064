import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What came in: `PATCH /v2/…`, with who asked. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly size: number;
}

/** An answer in place of the fake's own; undefined: its own. Runs after the body was read, before anything is done with it. */
export type Fault = (asked: Asked, response: ServerResponse, body: Buffer) => boolean | undefined;

export interface FakeRegistry {
  readonly address: string;
  readonly asked: Asked[];
  /** By repository and digest. */
  readonly blobs: Map<string, Buffer>;
  /** By repository and reference. */
  readonly manifests: Map<string, Buffer>;
  /** Tried in order for each request, until one has answered. */
  readonly faults: Fault[];
  /** Where the registry asks for a token: its own `/token`, or nothing. */
  readonly login: { username: string; password: string } | undefined;
  /** Whether it keeps lists of referrers, as those of the specification 1.1 do. */
  keepsReferrers: boolean;
  /** Tokens are given by this server; uploads go there. */
  uploadsAt: string | undefined;
  /** Drops the connection of the next PATCH after the registry has taken so many bytes of it. */
  cutAfter: number | undefined;
  /** Forgets every token. */
  expireTokens(): void;
  close(): Promise<void>;
}

interface Manifest {
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly annotations?: object;
  readonly subject?: { readonly digest: string };
}

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A registry of the OCI distribution specification in memory, with faults to order. */
export async function startFakeRegistry(login?: { username: string; password: string }): Promise<FakeRegistry> {
  const uploads = new Map<string, Buffer>();
  const tokens = new Map<string, string>();
  let serial = 0;
  let origin = '';

  const server = createServer((request, response) => {
    void handle(request, response).catch(() => response.destroy());
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
    }
    const body = Buffer.concat(chunks);
    const { authorization } = request.headers;
    const asked: Asked = {
      method: request.method ?? '',
      path: url.pathname + url.search,
      authorization,
      range: request.headers['content-range'],
      size,
    };
    fake.asked.push(asked);
    if (fake.faults.some((fault) => fault(asked, response, body) === true)) return;
    if (url.pathname === '/token') return giveToken(url, authorization, response);
    if (!isAllowed(url, authorization)) {
      const challenge = `Bearer realm="${origin}/token",service="fake, registry",scope="repository:x:pull"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
      return;
    }
    answer(asked, url, body, response);
  }

  function giveToken(url: URL, authorization: string | undefined, response: ServerResponse): void {
    const { username = '', password = '' } = login ?? {};
    const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    if (authorization !== expected) return void response.writeHead(401).end();
    serial += 1;
    tokens.set(`t${serial}`, url.searchParams.getAll('scope').join(' '));
    response.end(JSON.stringify({ token: `t${serial}`, expires_in: 300 }));
  }

  function isAllowed(url: URL, authorization: string | undefined): boolean {
    if (login === undefined) return true;
    const name = /^\/v2\/(.+?)\/(?:blobs|manifests|referrers)\//.exec(url.pathname)?.[1] ?? '';
    const scope = tokens.get((authorization ?? '').replace('Bearer ', ''));
    return scope?.includes(`repository:${name}:pull,push`) === true;
  }

  function referrersOf(name: string, digest: string): object[] {
    return [...fake.manifests].flatMap(([key, bytes]) => {
      const { mediaType, artifactType, annotations = {}, subject } = JSON.parse(bytes.toString('utf8')) as Manifest;
      if (key !== `${name} ${digestOf(bytes)}` || subject?.digest !== digest) return [];
      return [{ mediaType, artifactType, annotations, digest: digestOf(bytes), size: bytes.length }];
    });
  }

  function answer({ method, range }: Asked, url: URL, body: Buffer, response: ServerResponse): void {
    const [, name = '', kind, rest = ''] = /^\/v2\/(.+?)\/(blobs|manifests|referrers)\/(.*)$/.exec(url.pathname) ?? [];
    const missing = () => void response.writeHead(404).end('{"errors":[{"code":"BLOB_UNKNOWN","message":"not here"}]}');
    if (kind === 'referrers') {
      if (!fake.keepsReferrers) return missing();
      const manifests = referrersOf(name, rest);
      const mediaType = 'application/vnd.oci.image.index.v1+json';
      return void response
        .writeHead(200, { 'content-type': mediaType })
        .end(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    }
    if (kind === 'manifests') {
      const key = `${name} ${rest}`;
      if (method === 'PUT') {
        fake.manifests.set(key, body);
        fake.manifests.set(`${name} ${digestOf(body)}`, body);
        const { subject } = JSON.parse(body.toString('utf8')) as Manifest;
        const processed = subject !== undefined && fake.keepsReferrers ? { 'oci-subject': subject.digest } : {};
        return void response.writeHead(201, { 'docker-content-digest': digestOf(body), ...processed }).end();
      }
      const found = fake.manifests.get(key);
      if (found === undefined) return missing();
      const type = (JSON.parse(found.toString('utf8')) as { mediaType: string }).mediaType;
      return void response
        .writeHead(200, { 'content-type': type, 'docker-content-digest': digestOf(found) })
        .end(method === 'HEAD' ? undefined : found);
    }
    if (!rest.startsWith('uploads/')) {
      const found = fake.blobs.get(`${name} ${rest}`);
      if (found === undefined) return missing();
      return void response
        .writeHead(200, { 'content-length': found.length })
        .end(method === 'HEAD' ? undefined : found);
    }
    if (method === 'POST') {
      const mount = url.searchParams.get('mount');
      const there = mount === null ? undefined : fake.blobs.get(`${url.searchParams.get('from')} ${mount}`);
      if (mount !== null && there !== undefined) {
        fake.blobs.set(`${name} ${mount}`, there);
        return void response.writeHead(201, { 'docker-content-digest': mount }).end();
      }
      serial += 1;
      const id = `u${serial}`;
      uploads.set(id, Buffer.alloc(0));
      const path = `/v2/${name}/blobs/uploads/${id}?_state=a%2Fb`;
      const location = fake.uploadsAt === undefined ? path : fake.uploadsAt + path;
      return void response.writeHead(202, { location, range: '0-0' }).end();
    }
    const id = rest.slice('uploads/'.length);
    const had = uploads.get(id);
    if (had === undefined) return missing();
    const location = `${url.pathname}?_state=${had.length}`;
    const says = (bytes: Buffer) => ({ location, range: `0-${Math.max(0, bytes.length - 1)}` });
    if (method === 'GET') return void response.writeHead(204, says(had)).end();
    if (method === 'PATCH') {
      if (range !== undefined && Number(range.split('-')[0]) !== had.length) {
        return void response.writeHead(416, says(had)).end();
      }
      const { cutAfter } = fake;
      fake.cutAfter = undefined;
      const now = Buffer.concat([had, body.subarray(0, cutAfter)]);
      uploads.set(id, now);
      if (cutAfter !== undefined) return void response.destroy();
      return void response.writeHead(202, says(now)).end();
    }
    const whole = Buffer.concat([had, body]);
    const digest = url.searchParams.get('digest') ?? '';
    if (digestOf(whole) !== digest) {
      return void response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID","message":"other bytes"}]}');
    }
    uploads.delete(id);
    fake.blobs.set(`${name} ${digest}`, whole);
    response.writeHead(201, { 'docker-content-digest': digest }).end();
  }

  const fake: FakeRegistry = {
    address: '',
    asked: [],
    blobs: new Map(),
    manifests: new Map(),
    faults: [],
    login,
    keepsReferrers: false,
    uploadsAt: undefined,
    cutAfter: undefined,
    expireTokens: () => tokens.clear(),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(fake, { address: origin });
}
