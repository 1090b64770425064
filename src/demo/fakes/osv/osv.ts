import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Clock } from '../../../ports/clock.ts';
import { createFaultBoard, type FaultBoard, portalPage } from '../github/faults.ts';

/** A record to publish: OSV JSON of which `id` alone is needed; `modified` and `published` come from the clock where left out. */
export type OsvRecord = Readonly<Record<string, unknown>> & { readonly id: string };

export interface OsvOptions {
  readonly clock: Clock;
}

/**
 * An OSV bulk feed on loopback, with the files of OSV's export bucket: `/ECOSYSTEM/modified_id.csv` (`TIME,ID`, newest
 * first) and `/ECOSYSTEM/ID.json`; `/modified_id.csv` has `TIME,ECOSYSTEM/ID`. Withdrawn records stay, as in the bucket.
 */
export interface OsvFake {
  readonly url: string;
  readonly faults: FaultBoard;
  /** Paths asked for, in order. */
  readonly requests: readonly string[];
  publish(ecosystem: string, record: OsvRecord): void;
  /** Text as it is under an id, to be malformed on purpose. */
  publishText(ecosystem: string, id: string, text: string): void;
  withdraw(ecosystem: string, id: string): void;
  close(): Promise<void>;
}

interface Entry {
  readonly ecosystem: string;
  readonly id: string;
  readonly modified: string;
  readonly text: string;
  readonly sequence: number;
}

export async function createOsvFake(options: OsvOptions): Promise<OsvFake> {
  const entries = new Map<string, Entry>();
  const faults = createFaultBoard();
  const requests: string[] = [];
  const app = fastify({ forceCloseConnections: true, routerOptions: { maxParamLength: 500 } });
  let sequence = 0;

  const put = (ecosystem: string, id: string, modified: string, text: string) => {
    sequence += 1;
    entries.set(`${ecosystem}/${id}`, { ecosystem, id, modified, text, sequence });
  };
  const newestFirst = (ecosystem: string | undefined) =>
    [...entries.values()]
      .filter((entry) => ecosystem === undefined || entry.ecosystem === ecosystem)
      .sort((a, b) => b.modified.localeCompare(a.modified) || b.sequence - a.sequence);

  app.addHook('onRequest', async (request, reply) => {
    const { pathname } = new URL(request.url, 'http://fake');
    requests.push(pathname);
    if (faults.latency > 0) await wait(faults.latency);
    const fault = faults.take(request.method, pathname);
    if (fault === undefined) return undefined;
    if (fault.kind === 'hang') return new Promise<FastifyReply>(() => undefined);
    if (fault.kind === 'cut') {
      reply.hijack();
      request.raw.socket.destroy();
      return reply;
    }
    if (fault.kind === 'html') return reply.type('text/html').send(portalPage);
    const status = fault.kind === 'status' ? fault.status : 429;
    return reply.code(status).type('application/xml').send('<?xml version="1.0"?><Error><Code>Fault</Code></Error>');
  });

  const list = (ecosystem: string | undefined): string =>
    newestFirst(ecosystem)
      .map((entry) => `${entry.modified},${ecosystem === undefined ? `${entry.ecosystem}/` : ''}${entry.id}\n`)
      .join('');
  app.get('/modified_id.csv', (request, reply) => answer(request, reply, list(undefined), 'text/csv'));
  app.get<{ Params: { ecosystem: string } }>('/:ecosystem/modified_id.csv', (request, reply) =>
    answer(request, reply, list(request.params.ecosystem), 'text/csv'),
  );
  app.get<{ Params: { ecosystem: string; file: string } }>('/:ecosystem/:file', (request, reply) => {
    const { ecosystem, file } = request.params;
    const entry = file.endsWith('.json') ? entries.get(`${ecosystem}/${file.slice(0, -'.json'.length)}`) : undefined;
    if (entry !== undefined) return answer(request, reply, entry.text, 'application/json');
    return reply.code(404).type('application/xml').send('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>');
  });

  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    faults,
    requests,
    publish(ecosystem, record) {
      const at = options.clock.now().toISOString();
      const full = { schema_version: '1.7.0', published: at, modified: at, ...record };
      put(ecosystem, record.id, full.modified, `${JSON.stringify(full, null, 2)}\n`);
    },
    publishText(ecosystem, id, text) {
      put(ecosystem, id, options.clock.now().toISOString(), text);
    },
    withdraw(ecosystem, id) {
      const entry = entries.get(`${ecosystem}/${id}`);
      if (entry === undefined) throw new Error(`the fake OSV feed has no ${ecosystem}/${id}`);
      const at = options.clock.now().toISOString();
      const record = { ...JSON.parse(entry.text), modified: at, withdrawn: at };
      put(ecosystem, id, at, `${JSON.stringify(record, null, 2)}\n`);
    },
    async close() {
      await app.close();
    },
  };
}

function answer(request: FastifyRequest, reply: FastifyReply, text: string, type: string): FastifyReply {
  const etag = `"${createHash('md5').update(text).digest('hex')}"`;
  reply.header('etag', etag);
  return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.type(type).send(text);
}
