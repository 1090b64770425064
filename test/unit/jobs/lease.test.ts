import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLease, type Lease } from '../../../src/jobs/lease.ts';
import { testLog } from '../../support/log.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

let redis: TestRedis;
let leases: Lease[] = [];
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(async () => {
  await redis.stop();
});
beforeEach(async () => {
  await redis.client.flushall();
  leases = [];
});
afterEach(() => {
  for (const lease of leases) lease.kill();
});

interface Seen {
  readonly lease: Lease;
  readonly tokens: number[];
  readonly signals: AbortSignal[];
  lost: number;
}

function contend(): Seen {
  const tokens: number[] = [];
  const signals: AbortSignal[] = [];
  const lease = createLease({
    redis: { socket: redis.socket },
    name: 'conductor',
    ttl: 300,
    log: testLog().log,
    onGained(token, signal) {
      tokens.push(token);
      signals.push(signal);
    },
    onLost() {
      seen.lost += 1;
    },
  });
  const seen: Seen = { lease, tokens, signals, lost: 0 };
  leases.push(lease);
  return seen;
}

const wait = { timeout: 10_000, interval: 10 };

describe('a lease', () => {
  test('is held by one, who keeps it; handed over when it is given back, with a higher token', async () => {
    const first = contend();
    await expect.poll(() => first.lease.token(), wait).toBeDefined();
    const second = contend();
    // Longer than it lasts unrenewed: three renewals seen in Redis.
    const deadline = performance.now() + 700;
    await expect.poll(() => performance.now() > deadline, wait).toBe(true);
    expect(first.lost).toBe(0);
    expect(second.lease.token()).toBeUndefined();
    await first.lease.close();
    expect(first.signals[0]?.aborted).toBe(true);
    await expect.poll(() => second.lease.token(), wait).toBeGreaterThan(first.tokens[0] ?? 0);
  });

  test('runs out when its holder dies', async () => {
    const first = contend();
    await expect.poll(() => first.lease.token(), wait).toBeDefined();
    first.lease.kill();
    const second = contend();
    await expect.poll(() => second.lease.token(), wait).toBeGreaterThan(first.tokens[0] ?? 0);
  });

  test('is gained anew when Redis is emptied, with a higher token still', async () => {
    const first = contend();
    await expect.poll(() => first.lease.token(), wait).toBeDefined();
    await redis.client.flushall();
    await expect.poll(() => first.tokens.length, wait).toBe(2);
    expect(first.lost).toBe(1);
    expect(first.signals[0]?.aborted).toBe(true);
    expect(first.tokens[1]).toBeGreaterThan(first.tokens[0] ?? 0);
  });

  test('is lost in time when Redis does not answer, and gained again when it does', async () => {
    const first = contend();
    await expect.poll(() => first.lease.token(), wait).toBeDefined();
    await redis.crash();
    await expect.poll(() => first.lost, wait).toBe(1);
    expect(first.lease.token()).toBeUndefined();
    await redis.start();
    await expect.poll(() => first.lease.token(), wait).toBeDefined();
  });
});
