import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CliContext } from '../../../src/cli/context.ts';
import { gcCommand } from '../../../src/cli/gc.ts';
import { createHttpReader } from '../../../src/cli/http-reader.ts';
import { createLocalReader } from '../../../src/cli/local-reader.ts';
import { createOutput } from '../../../src/cli/output.ts';
import type { OpenReader } from '../../../src/cli/reader.ts';
import { type Collection, collectionKey, dryCollectionKey } from '../../../src/model/collection.ts';
import { startTestApi, type TestApi } from '../../support/api-server.ts';
import { before, createWorld, settings, type World } from '../../support/report-world.ts';

let world: World;
let api: TestApi;
beforeEach(async () => {
  world = createWorld();
  api = await startTestApi(world);
});
afterEach(() => api.close());

const daemon: OpenReader = async () => createHttpReader({ server: api.base });
const stopped: OpenReader = async () =>
  createLocalReader({ ...world, where: '.regrow', settings, close: async () => undefined });

function collectionOf(minutes: number, change: Partial<Collection> = {}): Collection {
  return {
    schema: 1,
    at: before(minutes),
    asked: before(minutes),
    dry: false,
    removed: { blob: { objects: 2, bytes: 2_500_000 }, log: { objects: 1, bytes: 900 } },
    waiting: { package: { objects: 1, bytes: 120 } },
    kept: { generation: 12, 'newest-log': 3 },
    missing: [],
    ...change,
  };
}

const store = (collection: Collection) =>
  world.objects.put(collection.dry ? dryCollectionKey : collectionKey, Buffer.from(JSON.stringify(collection)));

/** Runs the command; `pause` is what happens while it waits. */
async function run(argv: readonly string[], pause: CliContext['pause'] = async () => undefined, reader = daemon) {
  let out = '';
  let err = '';
  const output = createOutput({
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  });
  await gcCommand({ output, openReader: reader, pause }).exitOverride().parseAsync(argv, { from: 'user' });
  return { out, err, exitCode: output.exitCode };
}

test('gc asks, waits for the publisher, and says what went, what waits and what keeps the rest', async () => {
  await store(collectionOf(60, { removed: {} }));
  const { out, exitCode } = await run([], async () => {
    await store(collectionOf(0));
  });
  expect(world.queue.asked).toEqual(['collect']);
  expect(exitCode).toBe(0);
  expect(out.split('\n').map((line) => line.trimEnd())).toEqual([
    'removed: 3 objects, 2.5 MB; unused, and waiting: 1 object, 120 B',
    '',
    '         WHAT                          OBJECTS  SIZE',
    'removed  packages, indexes and layers  2        2.5 MB',
    'removed  logs of builds                1        900 B',
    'waits    packages as built             1        120 B',
    '',
    'KEPT  FOR',
    '12    a generation that is kept',
    '3     showing the log of the newest build',
    '',
  ]);
});

test('--dry-run asks for a look, and prints that one, not what was removed meanwhile', async () => {
  await store(collectionOf(60));
  const looked = collectionOf(0, { dry: true });
  const { out } = await run(['--dry-run', '--json'], async () => {
    await store(collectionOf(0));
    await store(looked);
  });
  expect(world.queue.asked).toEqual(['collect, only looking']);
  expect(JSON.parse(out)).toEqual(looked);
});

test('why nothing was removed is said, and is an exit code', async () => {
  const text = 'nothing was removed from the object store: a list is gone';
  const event = { at: before(1), kind: 'problem', text, facts: {} } as const;
  await world.ledger.append({ ...event, id: 'problem/collect-old', text: 'of another time' });
  const { err, exitCode } = await run([], async () => {
    await world.ledger.append({ ...event, id: 'problem/collect-new' });
  });
  expect(err).toContain(text);
  expect(exitCode).toBe(1);
});

test('a damaged store is said, by gc, by status and to Prometheus', async () => {
  const { out, exitCode } = await run(['--dry-run'], () => store(collectionOf(0, { dry: true, missing: ['blobs/x'] })));
  expect(out).toContain('damaged: blobs/x is used and not there');
  expect(exitCode).toBe(1);
  await store(collectionOf(1, { missing: ['blobs/x'] }));
  const status = await (await fetch(`${api.base}/v1/status`)).json();
  expect(status).toMatchObject({
    collection: {
      at: before(1),
      removed: { objects: 3, bytes: 2_500_900 },
      waiting: { objects: 1, bytes: 120 },
      missing: 1,
    },
  });
  const metrics = await (await fetch(`${api.base}/metrics`)).text();
  expect(metrics).toMatch(/^regrow_unused_bytes 120$/m);
  expect(metrics).toMatch(/^regrow_missing_objects 1$/m);
});

test('a publisher that does not come to it is not waited for for ever', async () => {
  const idle: OpenReader = async (server) => ({ ...(await stopped(server)), collect: async () => before(0) });
  const { err, exitCode } = await run([], undefined, idle);
  expect(err).toContain('has not come to it yet');
  expect(exitCode).toBe(1);
});

test('it needs a daemon, and is not for a web page of another origin', async () => {
  expect((await run([], undefined, stopped)).err).toContain('regrow run');
  const headers = { origin: 'http://evil.example', 'content-type': 'application/json' };
  const answer = await fetch(`${api.base}/v1/collections`, { method: 'POST', headers, body: '{}' });
  expect(answer.status).toBe(403);
  expect(world.queue.asked).toEqual([]);
});
