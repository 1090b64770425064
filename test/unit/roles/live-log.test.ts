import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../../../src/log.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { createLiveLog } from '../../../src/roles/live-log.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';

const log = createLogger({ level: 'silent' });
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function textOf(objects: Objects): Promise<string | undefined> {
  const object = await objects.get('staging/key/log');
  return object === undefined ? undefined : Buffer.from(object.bytes).toString();
}

test('a log that grows can be followed, a long one less often, as each time all of it is written', async () => {
  const objects = createMemoryObjects();
  const live = createLiveLog(objects, log);
  live.add('key', 'one\n');
  await vi.advanceTimersByTimeAsync(1000);
  expect(await textOf(objects)).toBe('one\n');
  live.add('key', 'x'.repeat(10 * 2 ** 20));
  await vi.advanceTimersByTimeAsync(5000);
  expect(await textOf(objects)).toBe('one\n');
  await vi.advanceTimersByTimeAsync(6000);
  expect((await textOf(objects))?.length).toBe(4 + 10 * 2 ** 20);
  await live.end('key');
});

test('a write that is slow comes neither over a later one nor over the whole log', async () => {
  const store = createMemoryObjects();
  const waiting: (() => void)[] = [];
  const slow: Objects = {
    ...store,
    put: async (key, bytes) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      await store.put(key, bytes);
    },
  };
  const live = createLiveLog(slow, log);
  live.add('key', 'one\n');
  await vi.advanceTimersByTimeAsync(1000);
  live.add('key', 'two\n');
  await vi.advanceTimersByTimeAsync(1000);
  let ended = false;
  const end = live.end('key').then(() => {
    ended = true;
  });
  // The second one waits for the first.
  expect(waiting).toHaveLength(1);
  waiting[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect([waiting.length, ended]).toEqual([2, false]);
  waiting[1]?.();
  await end;
  expect(await textOf(store)).toBe('one\ntwo\n');
});
