import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createOsvFake, type OsvFake } from '../../../src/demo/fakes/osv/osv.ts';
import { type JobPayload, packJob } from '../../../src/jobs/catalogue.ts';
import type { Queues } from '../../../src/jobs/queues.ts';

import { observedResultSchema } from '../../../src/model/result.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { advisoryJob, recordObserved } from '../../../src/roles/conductor/observing.ts';
import { createPoller } from '../../../src/roles/poller.ts';
import type { WatchPorts } from '../../../src/watch/source.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';
import { createLoopbackHttp } from '../../support/loopback-http.ts';

const feed = 'osv';
let clock: ManualClock;
let osv: OsvFake;
let objects: Objects;
let book: Book;
let context: ConductorContext;
/** What is in the queues: each id once, as BullMQ remembers it. */
let results: Map<string, JobPayload<'result'>>;
let watches: JobPayload<'watch-advisories'>[];

beforeEach(async () => {
  clock = createManualClock('2026-11-01T12:00:00.000Z');
  osv = await createOsvFake({ clock });
  objects = createMemoryObjects();
  book = await openBook(createMemoryLedger(), clock);
  results = new Map();
  watches = [];
  context = { book, objects, queues, clock } as unknown as ConductorContext;
});
afterEach(() => osv.close());

const queues = {
  async enqueue(type: 'result' | 'watch-advisories', payload: never) {
    packJob(type, payload);
    if (type === 'watch-advisories') watches.push(payload);
    else {
      const result: JobPayload<'result'> = payload;
      if (!results.has(result.effect)) results.set(result.effect, result);
    }
    return '';
  },
} as unknown as Queues;

/** Runs a poller's job; gives the results that it left. */
async function poll(job: JobPayload<'watch-advisories'>): Promise<readonly string[]> {
  const known = new Set(results.keys());
  const ports = { http: createLoopbackHttp(), clock } as unknown as WatchPorts;
  const ecosystems = ['Go'];
  const poller = createPoller({ objects, queues, ports, feeds: [{ name: feed, url: osv.url, ecosystems }] });
  await poller['watch-advisories']?.(job, { signal: new AbortController().signal, log: testLog().log, attempt: 1 });
  return [...results.values()].flatMap(({ effect, key }) => (known.has(effect) ? [] : [key]));
}

async function record(keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const object = await objects.get(key);
    const text = new TextDecoder().decode(object?.bytes);
    await recordObserved(context, observedResultSchema.parse(JSON.parse(text)));
  }
}

const firstJob = (slot: number) => advisoryJob(context, { feed, slot, part: 0 });
const known = (): number => [...book.all('observation')].filter(({ value }) => value.kind === 'advisory').length;

function publish(count: number, prefix = 'GO'): void {
  for (let number = 0; number < count; number += 1) osv.publish('Go', { id: `${prefix}-${number}` });
}

describe('a feed in parts', () => {
  test('is read to its end, each part asked for when the one before is written down', async () => {
    publish(1_200);
    await record(await poll(await firstJob(1)));
    expect(known()).toBe(1_000);
    expect(watches).toMatchObject([{ feed, slot: 1, part: 1, cursor: 'cursors/osv' }]);
    for (const job of watches.splice(0)) await record(await poll(job));
    expect(known()).toBe(1_200);
    expect(watches).toEqual([]);
  });

  test('asks for the next part again when the conductor was killed before it did', async () => {
    publish(1_200);
    const left = await poll(await firstJob(1));
    await record(left);
    const [asked] = watches.splice(0);
    await record(left);
    expect(watches).toEqual([asked]);
  });

  test('leaves a part whose beginning was never written down, and reads it again', async () => {
    publish(1_200);
    const first = await poll(await firstJob(1));
    const cursor = observedResultSchema.parse(
      JSON.parse(new TextDecoder().decode((await objects.get(first[0] ?? ''))?.bytes)),
    ).cursor?.cursor;
    await objects.put('cursors/elsewhere', new TextEncoder().encode(cursor));
    const second = await poll({ feed, slot: 1, part: 1, cursor: 'cursors/elsewhere' });
    await record(second);
    expect(known()).toBe(0);
    expect(book.get('cursor', `watch/${feed}`)).toBeUndefined();
    await record(await poll(await firstJob(2)));
    for (const job of watches.splice(0)) await record(await poll(job));
    expect(known()).toBe(1_200);
  });

  test('that is tried again in the same slot says what is new since', async () => {
    publish(2);
    const job = await firstJob(1);
    expect(await poll(job)).toHaveLength(1);
    expect(await poll(job)).toHaveLength(0);
    publish(1, 'NEW');
    const again = await poll(job);
    expect(again).toHaveLength(1);
    await record(again);
    expect(known()).toBe(3);
  });

  test('has a cursor of any length: many records that do not answer stop nothing', async () => {
    publish(200, `GO-${'x'.repeat(60)}`);
    for (let number = 0; number < 60; number += 1) {
      const does = { kind: 'status', status: 500 } as const;
      osv.faults.add({ path: `x-${number}.json`, times: 2, does });
    }
    await record(await poll(await firstJob(1)));
    expect(book.get('cursor', `watch/${feed}`)?.value.cursor?.length).toBeGreaterThan(2048);
    expect(known()).toBe(140);
    clock.advance(3 * 3_600_000);
    await record(await poll(await firstJob(2)));
    await record(await poll(await firstJob(3)));
    expect(known()).toBe(200);
  });

  test('an outage is over with the first list that answers, and an unchanged record is no news', async () => {
    publish(3);
    osv.faults.add({ path: 'modified_id.csv', does: { kind: 'status', status: 500 } });
    await record(await poll(await firstJob(1)));
    expect(book.get('observation', 'failure/advisories:osv/Go/modified_id.csv')).toBeDefined();
    await record(await poll(await firstJob(2)));
    expect(book.get('observation', 'failure/advisories:osv/Go/modified_id.csv')).toBeUndefined();
    const before = [...book.all('observation')];
    clock.advance(60_000);
    publish(1, 'NEW');
    await record(await poll(await firstJob(3)));
    expect([...book.all('observation')].slice(0, 3)).toEqual(before);
    expect(known()).toBe(4);
  });
});
