import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { packageStateSchema } from '../model/explanation.ts';
import { readHistory } from '../report/history.ts';
import type { RepositoryView } from '../report/repository.ts';
import { pageCss, pageJs } from '../web/assets.ts';
import { renderPackagePage } from '../web/package-page.ts';
import { renderPackagesPage, renderStatusPage } from '../web/status-page.ts';
import type { ApiPorts } from './ports.ts';
import type { Snapshots } from './snapshots.ts';
import { explainPackage, parseInput } from './view-routes.ts';

/** Everything from this server, nothing inline; no form, no frame. */
const pagePolicy =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const packagesSchema = z.object({ state: packageStateSchema.optional() });
const jobsShown = 12;
const eventsShown = 30;

export function sendHtml(reply: FastifyReply, text: string): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', pagePolicy)
    .header('cache-control', 'no-store')
    .send(text);
}

/** Pages for people. */
export function addPageRoutes(
  app: FastifyInstance,
  ports: ApiPorts,
  repository: RepositoryView,
  views: Snapshots,
): void {
  const { ledger, queue, settings } = ports;
  const brand = settings.title;

  app.get('/', async (_request, reply) => {
    const [status, packages, jobs, events] = await Promise.all([
      views.status(),
      views.packages(),
      queue.list(jobsShown).catch(() => []),
      readHistory(ledger, { limit: eventsShown }),
    ]);
    return sendHtml(reply, renderStatusPage({ brand, status, packages, jobs, events }));
  });

  app.get('/packages', async (request, reply) => {
    const { state } = parseInput(packagesSchema, request.query);
    const packages = await views.packages();
    return sendHtml(reply, renderPackagesPage({ brand, packages, ...(state === undefined ? {} : { state }) }));
  });

  app.get<{ Params: { name: string } }>('/packages/:name', async (request, reply) => {
    const explanation = await explainPackage(ports, repository, request.params.name);
    const events = await readHistory(ledger, { package: explanation.package, limit: eventsShown });
    return sendHtml(reply, renderPackagePage({ brand, explanation, events }));
  });

  app.get('/page.css', async (_request, reply) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'max-age=60').send(pageCss),
  );
  app.get('/page.js', async (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').header('cache-control', 'max-age=60').send(pageJs),
  );
}
