import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { openWatchPorts, type WatchParts } from '../../../src/roles/parts.ts';

let directory: string;
let servers: Server[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'regrow-watch-ports-'));
  servers = [];
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
});

async function serve(): Promise<string> {
  const server = createServer((request, response) => response.end(request.url));
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function httpOf(file: string) {
  writeFileSync(join(directory, 'regrow.yaml'), file);
  const { config } = loadConfig({ file: join(directory, 'regrow.yaml'), environment: {}, cwd: directory });
  return openWatchPorts({ config } as unknown as WatchParts, {}).http;
}

test('what the configuration names may be on this machine, what a recipe names may not', async () => {
  const [feed, mirror, allowed, other] = [await serve(), await serve(), await serve(), await serve()];
  writeFileSync(join(directory, 'feed.jsonl'), 'records');
  const http = httpOf(`
advisories:
  - {name: served, url: '${feed}', ecosystems: [Go]}
  - {name: kept, url: feed.jsonl}
sources:
  rewrite: [{from: 'https://registry.npmjs.org/', to: '${mirror}/npm/'}]
network:
  allowPrivate: ['${new URL(allowed).host}']
`);
  const read = async (url: string) => Buffer.from((await http.request({ url })).body).toString();
  expect(await read(`${feed}/Go/list`)).toBe('/Go/list');
  expect(await read('https://registry.npmjs.org/left-pad')).toBe('/npm/left-pad');
  expect(await read(`${allowed}/x`)).toBe('/x');
  expect(await read(pathToFileURL(join(directory, 'feed.jsonl')).href)).toBe('records');
  await expect(read(`${other}/x`)).rejects.toMatchObject({ code: 'upstream.address-refused' });
  await expect(read(pathToFileURL(join(directory, 'regrow.yaml')).href)).rejects.toMatchObject({
    code: 'upstream.answer-invalid',
  });
});

test('an entry that is no host is refused at the start', () => {
  expect(() => httpOf("network: {allowPrivate: ['10.0.0.0/64']}")).toThrow(
    expect.objectContaining({ code: 'config.invalid' }),
  );
});

test('feeds are read as fast as they come, other hosts with a pause', async () => {
  const [feed, other] = [await serve(), await serve()];
  const http = httpOf(`
advisories: [{name: served, url: '${feed}', ecosystems: [Go]}]
network:
  allowPrivate: [127.0.0.1]
  requestsPerSecond: {'*': 10}
`);
  const time = async (base: string): Promise<number> => {
    const start = performance.now();
    await Promise.all(Array.from({ length: 6 }, () => http.request({ url: base })));
    return performance.now() - start;
  };
  const [paced, unpaced] = [await time(other), await time(feed)];
  expect(paced).toBeGreaterThan(450);
  expect(unpaced).toBeLessThan(paced);
});
