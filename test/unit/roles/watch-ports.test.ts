import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../../src/adapters/clock.ts';
import { createMemoryQuota } from '../../../src/adapters/memory-quota.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { openWatchPorts, type WatchParts } from '../../../src/roles/parts.ts';
import { pollSources } from '../../../src/watch/poll.ts';
import { createGraphQLFake } from '../../fakes/github-graphql/server.ts';
import { testLog } from '../../support/log.ts';

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

test('GitHub is asked about many at once where there are tokens, and counted', async () => {
  const github = await createGraphQLFake({ clock: systemClock, tokens: { one: 5000 } });
  try {
    for (const name of ['a', 'b']) github.put({ owner: 'o', name, tags: [], releases: [] });
    writeFileSync(join(directory, 'regrow.yaml'), `watch: {githubBaseUrl: '${github.apiUrl}'}`);
    const environment = { REGROW_WATCH_TOKEN: 'expired one' };
    const { config, secrets } = loadConfig({ environment, cwd: directory });
    const { log, lines } = testLog();
    const parts = { config, log, clock: systemClock, quota: createMemoryQuota() };
    const ports = openWatchPorts(parts as unknown as WatchParts, secrets);
    const kinds: string[] = [];
    const keys = ['github:o/a/tags', 'github:o/b/releases', 'github:o/c/tags'];
    const unasked = await pollSources(
      keys.map((source) => ({ source })),
      ports,
      async ({ source }, { kind }) => {
        kinds.push(`${source} ${kind}`);
      },
    );
    expect(kinds).toEqual(['github:o/a/tags observed', 'github:o/b/releases observed', 'github:o/c/tags failed']);
    expect(unasked.sources).toEqual([]);
    expect(github.questions.map(({ token, repositories }) => [token, repositories.length])).toEqual([['one', 3]]);
    expect(JSON.stringify(lines)).toContain('(401)');
    expect(JSON.stringify(lines)).not.toContain('expired');
  } finally {
    await github.close();
  }
});

test('GitHub is asked one by one where there is none', () => {
  writeFileSync(join(directory, 'regrow.yaml'), '');
  const { config, secrets } = loadConfig({ environment: {}, cwd: directory });
  const parts = { config, log: testLog().log, clock: systemClock, quota: createMemoryQuota() };
  expect(openWatchPorts(parts as unknown as WatchParts, secrets).releases.repositories).toBeUndefined();
});
