import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryQuota } from '../../src/adapters/memory-quota.ts';
import { createQuotaStore, type RedisQuotaStore } from '../../src/jobs/quota-store.ts';
import type { Allowance, QuotaStore } from '../../src/ports/quota.ts';
import { testLog } from '../support/log.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';

let redis: TestRedis;
let opened: RedisQuotaStore[] = [];
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(async () => {
  for (const store of opened) await store.close();
  opened = [];
  await redis.stop();
});

const open = (): QuotaStore => {
  const store = createQuotaStore({ redis: { socket: redis.socket }, log: testLog().log });
  opened.push(store);
  return store;
};
const allowance: Allowance = { limit: 5000, remaining: 4990, resetAt: 1_800_000_000_000, spent: 3 };

describe.each([
  ['Redis', open],
  ['memory', createMemoryQuota],
])('allowances in %s', (kind, make) => {
  it('are there after they were written, by name', async () => {
    const store = make();
    const name = `${kind}-kept`;
    expect(await store.read(name)).toBeUndefined();
    expect(await store.change(name, () => allowance)).toEqual(allowance);
    expect(await store.change(name, () => undefined)).toEqual(allowance);
    const blocked = { ...allowance, blockedUntil: 5 };
    expect(await store.change(name, (known) => known && { ...known, blockedUntil: 5 })).toEqual(blocked);
    expect(await store.read(name)).toEqual(blocked);
    expect(await store.read(`${kind}-other`)).toBeUndefined();
  });

  it('are changed in one step, whoever else changes them', async () => {
    const one = make();
    const other = kind === 'memory' ? one : make();
    const name = `${kind}-counted`;
    await one.change(name, () => allowance);
    const spend = (store: QuotaStore) => store.change(name, (known) => known && { ...known, spent: known.spent + 1 });
    await Promise.all(Array.from({ length: 50 }, (_, index) => spend(index % 2 === 0 ? one : other)));
    expect((await one.read(name))?.spent).toBe(53);
  });
});

describe('allowances in Redis', () => {
  it('outlive the poller, go with their window, and what cannot be read is learned anew', async () => {
    await open().change('lasting', () => allowance);
    expect(await open().read('lasting')).toEqual(allowance);
    expect(await redis.client.ttl('regrow:quota:lasting')).toBeGreaterThan(3600);
    await redis.client.set('regrow:quota:lasting', '{"limit":"many"}');
    expect(await open().read('lasting')).toBeUndefined();
    await redis.client.set('regrow:quota:lasting', 'nonsense');
    expect(await open().change('lasting', (known) => known ?? allowance)).toEqual(allowance);
  });

  it('that cannot be reached are an error of Redis, not of an upstream', async () => {
    const store = createQuotaStore({ redis: { socket: '/nowhere/redis.sock' }, log: testLog().log });
    opened.push(store);
    await expect(store.read('x')).rejects.toMatchObject({ code: 'queue.unreachable' });
  });
});
