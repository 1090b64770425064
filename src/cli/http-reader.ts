import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { collectionSchema } from '../model/collection.ts';
import { ledgerEventSchema } from '../model/event.ts';
import { explanationSchema } from '../model/explanation.ts';
import { generationSchema } from '../model/publication.ts';
import { queueCountsSchema, queueJobSchema } from '../model/queue.ts';
import { packageRowSchema, proposalRowSchema, statusSchema } from '../model/status.ts';
import type { Reader } from './reader.ts';

export interface HttpReaderOptions {
  /** `http://127.0.0.1:PORT` */
  readonly server: string;
  /** The api token, for what changes something. */
  readonly token?: string;
}

/** Milliseconds for one answer. */
const patience = 30_000;

const errorSchema = z.object({
  error: z.object({
    code: z
      .enum([
        'request.invalid',
        'request.not-found',
        'request.refused',
        'queue.unreachable',
        'ledger.failed',
        'storage.full',
        'storage.failed',
        'repository.corrupt',
      ])
      .catch('request.refused'),
    message: z.string(),
    remedy: z.string().optional(),
  }),
});
const packagesSchema = z.object({ packages: z.array(packageRowSchema) });
const proposalsSchema = z.object({ proposals: z.array(proposalRowSchema) });
const queueSchema = z.object({ queues: z.record(z.string(), queueCountsSchema), jobs: z.array(queueJobSchema) });
const eventsSchema = z.object({ events: z.array(ledgerEventSchema.extend({ sequence: z.number().int() })) });
const generationsSchema = z.object({ generations: z.array(generationSchema) });
const collectionsSchema = z.object({ last: collectionSchema.optional(), looked: collectionSchema.optional() });
const askedSchema = z.object({ asked: z.array(z.string()) });
const collectingSchema = z.object({ at: z.iso.datetime() });

function unreachable(server: string, cause: unknown): RegrowError {
  return new RegrowError('daemon.unreachable', `no regrow daemon answers at ${server}`, {
    cause,
    retry: 'later',
    remedy: 'start it with `regrow run`, or say where it is with --server URL',
  });
}

const aliveSchema = z.object({
  status: z.literal('ok'),
  distribution: z.object({ title: z.string(), instance: z.string().optional() }).default({ title: 'regrow' }),
});

/** Which distribution a daemon is for. */
export type Distribution = z.infer<typeof aliveSchema>['distribution'];

/** The daemon that answers there within a second; undefined where none does. */
export async function findDaemon(server: string): Promise<Distribution | undefined> {
  try {
    const answer = await fetch(new URL('/healthz', server), { signal: AbortSignal.timeout(1000) });
    return aliveSchema.parse(await answer.json()).distribution;
  } catch {
    return undefined;
  }
}

/** Reads a running daemon. */
export function createHttpReader({ server, token }: HttpReaderOptions): Reader {
  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const url = new URL(path, server);
    try {
      return await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(patience), ...init });
    } catch (cause) {
      throw unreachable(server, cause);
    }
  }

  async function refuse(answer: Response): Promise<never> {
    const parsed = errorSchema.safeParse(await answer.json().catch(() => undefined));
    if (!parsed.success) throw unreachable(server, new Error(`HTTP ${answer.status} that is not regrow's`));
    const { code, message, remedy } = parsed.data.error;
    throw new RegrowError(code, message, remedy === undefined ? {} : { remedy });
  }

  async function read<T>(schema: z.ZodType<T>, path: string, init: RequestInit = {}): Promise<T> {
    const answer = await ask(path, init);
    if (!answer.ok) return refuse(answer);
    const parsed = schema.safeParse(await answer.json().catch(() => undefined));
    if (parsed.success) return parsed.data;
    throw new RegrowError('daemon.unreachable', `what answers at ${server}${path} is not this version of regrow`, {
      cause: parsed.error,
      remedy: 'use the same version of the command and the daemon',
    });
  }

  function send<T>(schema: z.ZodType<T>, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    return read(schema, path, { method: 'POST', headers, ...content });
  }

  const post = async (path: string, body?: unknown) => (await send(askedSchema, path, body)).asked;

  const named = (name: string): string => `/v1/packages/${encodeURIComponent(name)}`;
  return {
    where: server,
    status: () => read(statusSchema, '/v1/status'),
    packages: async () => (await read(packagesSchema, '/v1/packages')).packages,
    explain: (name) => read(explanationSchema, named(name)),
    proposals: async (state) => (await read(proposalsSchema, `/v1/proposals?state=${state}`)).proposals,
    queue: (limit) => read(queueSchema, `/v1/queue?limit=${limit}`),
    async events({ package: about, limit }) {
      const path = about === undefined ? `/v1/events?limit=${limit}` : `${named(about)}/history?limit=${limit}`;
      return (await read(eventsSchema, path)).events;
    },
    async log(buildKey, offset) {
      const path = `/v1/builds/${encodeURIComponent(buildKey)}`;
      const answer = await ask(`${path}/log`, offset === 0 ? {} : { headers: { range: `bytes=${offset}-` } });
      const ended = answer.headers.get('x-regrow-build-state') !== 'queued';
      if (answer.status === 416) return { bytes: new Uint8Array(), ended };
      if (answer.ok) return { bytes: new Uint8Array(await answer.arrayBuffer()), ended };
      // No log and no build are both 404: only the first is worth waiting for.
      const build = answer.status === 404 ? await ask(path, { method: 'HEAD' }) : undefined;
      return build?.ok === true ? undefined : refuse(answer);
    },
    poke: (name) => post(name === undefined ? '/v1/reconcile' : `${named(name)}/poke`),
    release: (name) => post(`${named(name)}/release`),
    generations: async (limit) => (await read(generationsSchema, `/v1/generations?limit=${limit}`)).generations,
    withdraw: (order) => post('/v1/withdrawals', order),
    rollBack: (order) => post('/v1/rollbacks', order),
    collections: () => read(collectionsSchema, '/v1/collections'),
    collect: async (dry) => (await send(collectingSchema, '/v1/collections', { dry })).at,
    async close() {},
  };
}
