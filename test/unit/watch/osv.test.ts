import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFiles } from '../../../src/adapters/file-http.ts';
import { createOsvFake, type OsvFake } from '../../../src/demo/fakes/osv/osv.ts';
import type { FeedAnswer } from '../../../src/watch/advisories/feed.ts';
import { pollOsvFeed } from '../../../src/watch/advisories/osv.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createLoopbackHttp } from '../../support/loopback-http.ts';
import { sharedData } from '../../support/shared-data.ts';

const http = withFiles(createLoopbackHttp(), ['file:///']);
let clock: ManualClock;
let osv: OsvFake;

beforeEach(async () => {
  clock = createManualClock('2026-11-01T12:00:00.000Z');
  osv = await createOsvFake({ clock });
});
afterEach(() => osv.close());

const poll = (cursor?: string, ecosystems: readonly string[] = ['Go']): Promise<FeedAnswer> =>
  pollOsvFeed({ feed: { name: 'osv', url: `${osv.url}/`, ecosystems }, cursor }, { http, clock });
const ids = (answer: FeedAnswer): string[] => answer.observations.map(({ id }) => id);
const publish = (id: string, ecosystem = 'Go'): void => osv.publish(ecosystem, { id });

function hoursLater(hours: number): void {
  clock.advance(hours * 3_600_000);
}

describe('a bucket', () => {
  it('is read oldest first, then only what is new, with an hour of overlap', async () => {
    publish('GO-1');
    hoursLater(5);
    publish('GO-2');
    const first = await poll();
    expect(ids(first)).toEqual(['GO-1', 'GO-2']);
    expect(first.observations[0]).toMatchObject({ kind: 'advisory', feed: 'osv', id: 'GO-1' });
    expect(first).toMatchObject({ failures: [], more: false });
    hoursLater(0.5);
    publish('GO-3');
    const second = await poll(first.cursor);
    expect(ids(second)).toEqual(['GO-2', 'GO-3']);
    hoursLater(3);
    publish('GO-4');
    const third = await poll(second.cursor);
    expect(ids(third)).toEqual(['GO-2', 'GO-3', 'GO-4']);
    hoursLater(3);
    publish('GO-5');
    expect(ids(await poll(third.cursor))).toEqual(['GO-4', 'GO-5']);
  });

  it('costs one request while nothing changes', async () => {
    publish('GO-1');
    const { cursor } = await poll();
    const before = osv.requests.length;
    const again = await poll(cursor);
    expect(again).toMatchObject({ observations: [], failures: [], cursor, more: false });
    expect(osv.requests.length - before).toBe(1);
  });

  it('says what is withdrawn, and takes an outage for nothing', async () => {
    publish('GO-1');
    const { cursor } = await poll();
    osv.faults.add({ path: 'modified_id.csv', does: { kind: 'status', status: 500 } });
    const outage = await poll(cursor);
    expect(outage).toMatchObject({
      observations: [],
      cursor,
      failures: [{ source: 'advisories:osv/Go/modified_id.csv', code: 'upstream.unreachable' }],
    });
    hoursLater(2);
    osv.withdraw('Go', 'GO-1');
    expect((await poll(outage.cursor)).observations[0]?.osv.withdrawn).toBe('2026-11-01T14:00:00.000Z');
  });

  it('answers HTML with status 200: one failure of the feed, and the cursor stays', async () => {
    publish('GO-1');
    osv.faults.add({ path: 'modified_id.csv', does: { kind: 'html' } });
    expect(await poll()).toMatchObject({
      observations: [],
      failures: [{ kind: 'failure', source: 'advisories:osv/Go/modified_id.csv', code: 'upstream.answer-invalid' }],
      cursor: undefined,
    });
    expect(ids(await poll())).toEqual(['GO-1']);
  });

  it('has a malformed record: one failure, the rest goes on, and it is not asked for ever', async () => {
    publish('GO-1');
    osv.publishText('Go', 'GO-2', '{"id": "GO-2"');
    osv.publishText('Go', 'GO-3', '{"id": "GO-3"}');
    osv.publishText('Go', 'GO-5', '{"id": "GO-5", "modified": "yesterday"}');
    publish('GO-4');
    const answer = await poll();
    expect(ids(answer).toSorted()).toEqual(['GO-1', 'GO-4']);
    expect(answer.failures.map(({ source, code }) => `${source} ${code}`).toSorted()).toEqual([
      'advisories:osv/GO-2 upstream.answer-invalid',
      'advisories:osv/GO-3 upstream.answer-invalid',
      'advisories:osv/GO-5 upstream.answer-invalid',
    ]);
    expect(await poll(answer.cursor)).toMatchObject({ observations: [], failures: [] });
  });

  it('asks again for a record that could not be fetched, although nothing changed', async () => {
    publish('GO-1');
    hoursLater(9);
    publish('GO-2');
    osv.faults.add({ path: 'GO-1.json', does: { kind: 'status', status: 500 } });
    const first = await poll();
    expect(ids(first)).toEqual(['GO-2']);
    expect(first.failures).toHaveLength(1);
    const second = await poll(first.cursor);
    expect(ids(second)).toContain('GO-1');
    expect((await poll(second.cursor)).observations).toEqual([]);
  });

  it('keeps one ecosystem apart from the other', async () => {
    publish('GO-1');
    publish('RUSTSEC-1', 'crates.io');
    osv.faults.add({ path: '/Go/modified_id.csv', does: { kind: 'cut' } });
    const first = await poll(undefined, ['Go', 'crates.io']);
    expect(ids(first)).toEqual(['RUSTSEC-1']);
    expect(first.failures[0]).toMatchObject({ source: 'advisories:osv/Go/modified_id.csv' });
    expect(ids(await poll(first.cursor, ['Go', 'crates.io']))).toEqual(['GO-1']);
    const unknown = await poll(undefined, ['None']);
    expect(unknown.observations).toEqual([]);
  });

  it('is read in parts when it is large, even where a part is of one time', async () => {
    for (let number = 0; number < 1_150; number += 1) {
      if (number === 10) hoursLater(1);
      if (number === 1_100) hoursLater(1);
      publish(`GO-${number}`);
    }
    const first = await poll();
    expect(first.more).toBe(true);
    expect(first.observations).toHaveLength(1_000);
    const second = await poll(first.cursor);
    expect(second).toMatchObject({ more: false });
    expect(second.observations).toHaveLength(150);
    expect((await poll(second.cursor)).observations).toEqual([]);
  });

  /** Every part of one poll, as the conductor asks for them. */
  async function pollAll(start?: string, ecosystems?: readonly string[]): Promise<FeedAnswer[]> {
    const answers: FeedAnswer[] = [];
    let cursor = start;
    do {
      const answer = await poll(cursor, ecosystems);
      answers.push(answer);
      cursor = answer.cursor;
    } while (answers.at(-1)?.more === true && answers.length < 20);
    return answers;
  }

  it('holds no more than one part, whatever the number of ecosystems', async () => {
    for (let number = 0; number < 700; number += 1) publish(`GO-${number}`);
    for (let number = 0; number < 700; number += 1) publish(`RUST-${number}`, 'crates.io');
    publish('PY-1', 'PyPI');
    const answers = await pollAll(undefined, ['Go', 'crates.io', 'PyPI']);
    expect(answers.map(({ observations }) => observations.length)).toEqual([1_000, 401]);
    expect(new Set(answers.flatMap(ids)).size).toBe(1_401);
    expect((await pollAll(answers.at(-1)?.cursor, ['Go', 'crates.io', 'PyPI'])).flatMap(ids)).toEqual([]);
  });

  it('waits for an outage of the records: one failure, no endless asking, and nothing is lost', async () => {
    for (let number = 0; number < 300; number += 1) publish(`GO-${number}`);
    osv.faults.add({ path: '.json', does: { kind: 'status', status: 503 }, times: 1_000 });
    const before = osv.requests.length;
    const answers = await pollAll();
    expect(answers).toHaveLength(1);
    expect(answers[0]).toMatchObject({
      observations: [],
      failures: [{ source: 'advisories:osv/Go/modified_id.csv', code: 'upstream.unreachable' }],
      cursor: undefined,
      more: false,
    });
    expect(osv.requests.length - before).toBeLessThan(100);
    osv.faults.clear();
    expect((await pollAll()).flatMap(ids)).toHaveLength(300);
  });

  it('asks once in a poll for records that do not answer, and goes on with the others', async () => {
    publish('GO-7');
    hoursLater(9);
    for (let number = 8; number < 1_108; number += 1) publish(`GO-${number}`);
    const isFailing = { kind: 'status', status: 500 } as const;
    osv.faults.add({ path: '/GO-7.json', does: isFailing, times: 1_000 });
    const first = await pollAll();
    expect(first.flatMap(ids)).toHaveLength(1_100);
    const before = osv.requests.length;
    const second = await pollAll(first.at(-1)?.cursor);
    expect(second.at(-1)?.more).toBe(false);
    expect(osv.requests.slice(before).filter((path) => path.endsWith('/GO-7.json'))).toHaveLength(1);
    osv.faults.clear();
    expect((await pollAll(second.at(-1)?.cursor)).flatMap(ids)).toContain('GO-7');
  });

  it('keeps what came before a rate limit', async () => {
    for (let number = 0; number < 40; number += 1) publish(`GO-${String(number).padStart(2, '0')}`);
    osv.faults.add({ path: 'GO-20.json', does: { kind: 'status', status: 429 } });
    const answers = await pollAll();
    expect(answers[0]?.observations).toHaveLength(16);
    expect(answers.flatMap(ids)).toHaveLength(40);
  });

  it('starts again with a cursor that cannot be read', async () => {
    publish('GO-1');
    expect(ids(await poll('nonsense'))).toEqual(['GO-1']);
    expect(ids(await poll('{"Go":1}'))).toEqual(['GO-1']);
  });

  it('stops for a rate limit and for a signal', async () => {
    publish('GO-1');
    osv.faults.add({ path: 'GO-1.json', does: { kind: 'status', status: 429 } });
    await expect(poll()).rejects.toMatchObject({ code: 'upstream.rate-limited' });
    const feed = { name: 'osv', url: osv.url, ecosystems: ['Go'] };
    const aborted = pollOsvFeed({ feed, signal: AbortSignal.abort() }, { http, clock });
    await expect(aborted).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a file', () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'regrow-osv-'));
    path = join(directory, 'feed.jsonl');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const read = (cursor?: string, at = path): Promise<FeedAnswer> =>
    pollOsvFeed({ feed: { name: 'file', url: pathToFileURL(at).href, ecosystems: [] }, cursor }, { http, clock });
  const line = (id: string): string => JSON.stringify({ id, modified: '2026-01-01T00:00:00Z' });

  it('is read whole when it changes, packed or not', async () => {
    await writeFile(path, `${line('A')}\n\n${line('B')}\n`);
    const first = await read();
    expect(ids(first)).toEqual(['A', 'B']);
    expect(await read(first.cursor)).toMatchObject({ observations: [], failures: [], cursor: first.cursor });
    const packed = `${path}.gz`;
    await writeFile(packed, gzipSync(`${line('A')}\n`));
    expect(ids(await read(undefined, packed))).toEqual(['A']);
  });

  it('is read in parts when it is large, and from its beginning when it becomes another file', async () => {
    const long = (id: string): string =>
      JSON.stringify({ id, modified: '2026-01-01T00:00:00Z', details: 'x'.repeat(8 * 1024 * 1024) });
    const names = ['A', 'B', 'C', 'D', 'E', 'F'];
    await writeFile(path, names.map(long).join('\n'));
    const first = await read();
    expect(ids(first)).toEqual(['A', 'B', 'C', 'D']);
    expect(first.more).toBe(true);
    const second = await read(first.cursor);
    expect(ids(second)).toEqual(['E', 'F']);
    expect(second.more).toBe(false);
    await writeFile(path, `${line('G')}\n`);
    expect(ids(await read(first.cursor))).toEqual(['G']);
  });

  it('has a bad line: one failure that names it', async () => {
    const lines = Array.from({ length: 30 }, (_, index) => line(`A-${index}`));
    await writeFile(path, [...lines, '{"id": "B-1"}', '{'].join('\n'));
    const answer = await read();
    expect(answer.observations).toHaveLength(30);
    expect(answer.failures.map(({ source }) => source)).toEqual(['advisories:file/B-1', 'advisories:file/line 32']);
  });

  it('is not a feed: one failure, nothing else', async () => {
    for (const text of ['<html>\n<body>\n', '', '{}\n{}\n']) {
      await writeFile(path, text);
      expect(await read('kept')).toMatchObject({
        observations: [],
        failures: [{ source: 'advisories:file', code: 'upstream.answer-invalid' }],
        cursor: 'kept',
      });
    }
    const broken = `${path}.gz`;
    await writeFile(broken, gzipSync('x'.repeat(5000)).subarray(0, 20));
    expect((await read(undefined, broken)).failures[0]?.code).toBe('upstream.answer-invalid');
    expect((await read(undefined, join(directory, 'none.jsonl'))).failures[0]?.code).toBe('upstream.not-found');
  });

  const real = sharedData('go-vulndb.osv.jsonl.gz');
  it.skipIf(real === undefined)('reads the whole Go vulnerability database', async () => {
    const answer = await read(undefined, real);
    expect(answer.failures).toEqual([]);
    expect(answer.observations).toHaveLength(4_291);
  });
});
