import { afterEach, beforeEach, expect, test } from 'vitest';
import { createOsvFake, type OsvFake } from '../../../src/demo/fakes/osv/osv.ts';
import { osvSchema } from '../../../src/model/osv.ts';

let time = Date.parse('2026-11-01T12:00:00Z');
let feed: OsvFake;

beforeEach(async () => {
  feed = await createOsvFake({ clock: { now: () => new Date(time) } });
});

afterEach(async () => {
  await feed.close();
});

async function text(path: string): Promise<string> {
  return (await fetch(`${feed.url}${path}`)).text();
}

test('the list is newest first, the records are OSV, a withdrawn one stays and says so', async () => {
  feed.publish('GIT', { id: 'BOX-1', summary: 'one' });
  time += 60_000;
  feed.publish('Go', { id: 'BOX-2' });
  expect(await text('/GIT/modified_id.csv')).toBe('2026-11-01T12:00:00.000Z,BOX-1\n');
  expect(await text('/modified_id.csv')).toBe(
    '2026-11-01T12:01:00.000Z,Go/BOX-2\n2026-11-01T12:00:00.000Z,GIT/BOX-1\n',
  );
  time += 60_000;
  feed.withdraw('GIT', 'BOX-1');
  const record = osvSchema.parse(JSON.parse(await text('/GIT/BOX-1.json')));
  expect(record).toMatchObject({
    withdrawn: '2026-11-01T12:02:00.000Z',
    modified: '2026-11-01T12:02:00.000Z',
    summary: 'one',
  });
  expect((await text('/modified_id.csv')).split('\n')[0]).toBe('2026-11-01T12:02:00.000Z,GIT/BOX-1');
});

test('an unchanged file is 304, a missing one XML with 404, a fault as asked for', async () => {
  feed.publish('GIT', { id: 'BOX-1' });
  const etag = (await fetch(`${feed.url}/GIT/modified_id.csv`)).headers.get('etag') ?? '';
  expect((await fetch(`${feed.url}/GIT/modified_id.csv`, { headers: { 'if-none-match': etag } })).status).toBe(304);
  const missing = await fetch(`${feed.url}/GIT/BOX-9.json`);
  expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'application/xml']);
  feed.faults.add({ path: 'modified_id.csv', does: { kind: 'status', status: 503 } });
  expect((await fetch(`${feed.url}/GIT/modified_id.csv`)).status).toBe(503);
  feed.publishText('GIT', 'BOX-3', '{ not json');
  expect(await text('/GIT/BOX-3.json')).toBe('{ not json');
});
