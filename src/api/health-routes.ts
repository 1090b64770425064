import type { FastifyInstance } from 'fastify';
import { reportError } from '../errors.ts';
import { createMetrics } from '../report/metrics.ts';
import type { ApiPorts } from './ports.ts';
import type { Snapshots } from './snapshots.ts';

/** Milliseconds that one part may take to show that it is there. */
const patience = 2000;
/** Rounds that the conductor may miss. */
const roundsMissed = 3;

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message?: string;
}

async function check(name: string, probe: () => Promise<string | undefined>): Promise<Check> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${patience} ms`), patience);
  });
  try {
    const message = await Promise.race([probe(), late]);
    return message === undefined ? { name, ok: true } : { name, ok: false, message };
  } catch (error) {
    return { name, ok: false, message: reportError(error).message };
  } finally {
    clearTimeout(timer);
  }
}

/** /healthz: the process answers, and for which distribution. /readyz: so does everything that it stands on. /metrics: for Prometheus. */
export function addHealthRoutes(app: FastifyInstance, ports: ApiPorts, views: Snapshots): void {
  const { ledger, objects, queue, conductor, clock, settings } = ports;
  const metrics = createMetrics(ledger);

  const { title, instance } = settings;
  const distribution = { title, ...(instance === undefined ? {} : { instance }) };
  app.get('/healthz', async () => ({ status: 'ok', distribution }));

  app.get('/readyz', async (_request, reply) => {
    const checks = await Promise.all([
      check('queue', async () => void (await queue.counts())),
      check('ledger', async () => void (await ledger.events({ limit: 1 }))),
      check('objects', async () => void (await objects.has('repository/current'))),
      check('conductor', async () => {
        const seen = await conductor();
        if (seen === undefined) return 'no conductor has made a round yet';
        const age = clock.now().getTime() - Date.parse(seen);
        return age > roundsMissed * settings.reconcileInterval * 60_000 ? `last seen at ${seen}` : undefined;
      }),
    ]);
    const ready = checks.every((one) => one.ok);
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', checks });
  });

  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.scrape(await views.status())),
  );
}
