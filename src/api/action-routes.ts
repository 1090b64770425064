import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RegrowError } from '../errors.ts';
import { sourcesOf } from '../report/facts.ts';
import type { ApiPorts } from './ports.ts';
import { notFound } from './replies.ts';
import { packageNameSchema, parseInput } from './view-routes.ts';

const loopback = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const loopbackHost = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Who may ask for something. With a token configured: whoever has it. Without: this machine, and there no web page of
 * another origin, nor one that a name of its own leads here (both are seen in what browsers send).
 */
function mayAct(request: FastifyRequest, token: string | undefined): boolean {
  if (token !== undefined) {
    const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), digest(token));
  }
  const { origin, host = '' } = request.headers;
  const site = request.headers['sec-fetch-site'];
  return (
    loopback.test(request.ip) &&
    loopbackHost.test(host) &&
    (origin === undefined || origin === `http://${host}`) &&
    (site === undefined || site === 'same-origin' || site === 'none')
  );
}

/** What may be asked of the daemon: to look sooner than it would by itself. */
export function addActionRoutes(app: FastifyInstance, ports: ApiPorts): void {
  const { settings, requests, ledger } = ports;

  function check(request: FastifyRequest): void {
    if (mayAct(request, settings.token)) return;
    throw new RegrowError('request.refused', 'this request is not allowed from here', {
      remedy:
        settings.token === undefined
          ? 'ask from the machine that the daemon runs on, or configure api.token'
          : 'send the configured api.token as a bearer token',
    });
  }

  app.post('/v1/reconcile', async (request, reply) => {
    check(request);
    await requests.reconcile();
    return reply.code(202).send({ asked: ['reconcile'] });
  });

  app.post<{ Params: { name: string } }>('/v1/packages/:name/poke', async (request, reply) => {
    check(request);
    const name = parseInput(packageNameSchema, request.params.name);
    const decision = await ledger.get('decision', name);
    if (decision === undefined) throw notFound(`there is no recipe ${name} on main`);
    const sources: string[] = [];
    for (const source of sourcesOf(decision.value)) {
      const known = await Promise.all([
        ledger.get('observation', `release/${source}`),
        ledger.get('observation', `failure/${source}`),
      ]);
      if (known.some((entry) => entry !== undefined)) sources.push(source);
    }
    for (const source of sources) await requests.watch(source);
    await requests.reconcile();
    return reply.code(202).send({ asked: [...sources.map((source) => `watch ${source}`), 'reconcile'] });
  });
}
