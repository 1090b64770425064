import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Logger } from '../log.ts';
import type { Allowance, QuotaStore } from '../ports/quota.ts';
import { openRedis, type RedisAddress, unreachable } from './connection.ts';

/** Seconds: longer than any window, so that what is not used goes away by itself. */
const keptFor = 2 * 3600;

const allowanceSchema: z.ZodType<Allowance> = z
  .object({
    limit: z.number(),
    remaining: z.number(),
    resetAt: z.number(),
    spent: z.number(),
    blockedUntil: z.number().exactOptional(),
  })
  .readonly();

export interface QuotaStoreOptions {
  readonly redis: RedisAddress;
  readonly prefix?: string;
  readonly log: Logger;
}

export interface RedisQuotaStore extends QuotaStore {
  close(): Promise<void>;
}

/** KEYS: one. ARGV: the text that was read, or nothing; the new text; seconds. Writes where nobody else did meanwhile. */
const swapScript = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
`;

/** Allowances in Redis, one key a token; replaced by compare-and-swap, so that pollers do not overwrite each other. */
export function createQuotaStore(options: QuotaStoreOptions): RedisQuotaStore {
  const { prefix = 'regrow' } = options;
  // Most processes that share the parts never ask for it.
  let opened: Redis | undefined;
  const connection = (): Redis => (opened ??= openRedis(options.redis, { log: options.log, patient: false }));
  const keyOf = (name: string): string => `${prefix}:quota:${name}`;

  async function reaching<T>(asking: Promise<T>): Promise<T> {
    try {
      return await asking;
    } catch (thrown) {
      throw unreachable(options.redis, thrown);
    }
  }

  return {
    async read(name) {
      return parse(await reaching(connection().get(keyOf(name))));
    },
    async change(name, change) {
      for (;;) {
        const text = await reaching(connection().get(keyOf(name)));
        const known = parse(text);
        const next = change(known);
        if (next === undefined) return known;
        const swapped = connection().eval(swapScript, 1, keyOf(name), text ?? '', JSON.stringify(next), keptFor);
        if ((await reaching(swapped)) === 1) return next;
      }
    },
    async close() {
      opened?.disconnect();
    },
  };
}

/** What cannot be read is learned anew. */
function parse(text: string | null): Allowance | undefined {
  if (text === null) return undefined;
  try {
    return allowanceSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
