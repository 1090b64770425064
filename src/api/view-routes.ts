import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import type { BuildAttempt } from '../model/build.ts';
import type { Explanation } from '../model/explanation.ts';
import { type Objects, stagingKey } from '../ports/objects.ts';
import { summariseBuild } from '../report/builds.ts';
import { explainName } from '../report/explain.ts';
import { readJobs } from '../report/facts.ts';
import { readEventsAfter, readHistory } from '../report/history.ts';
import type { RepositoryView } from '../report/repository.ts';
import { listProposals } from '../report/status.ts';
import type { EventStreams } from './event-stream.ts';
import type { ApiPorts } from './ports.ts';
import { notFound, sendObject } from './replies.ts';
import type { Snapshots } from './snapshots.ts';

export const packageNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$/);
/** A package, or an image with its tag. */
const explainedSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}(?::[\w.-]{1,128})?$/);
const buildKeySchema = z.string().regex(/^[a-z0-9][a-z0-9-]{5,127}$/);
const limitSchema = z.object({ limit: z.coerce.number().int().min(1).max(1000).default(100) });
const stateSchema = z.object({ state: z.enum(['open', 'all']).default('open') });
const eventsSchema = limitSchema.extend({
  after: z.coerce.number().int().nonnegative().optional(),
  package: packageNameSchema.optional(),
});

/** What a request says, parsed. Errors: request.invalid. */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new RegrowError('request.invalid', `${field === '' ? 'the request' : field}: ${issue?.message ?? ''}`, {
    field,
    remedy: 'docs/api.md says what each request takes',
  });
}

/** Explains a package, or an image. Errors: request.not-found. */
export async function explainPackage(ports: ApiPorts, repository: RepositoryView, name: string): Promise<Explanation> {
  const { ledger, queue, clock, settings } = ports;
  const known = explainedSchema.safeParse(name).success;
  const now = clock.now().toISOString();
  const explanation = known ? await explainName({ ledger, repository, queue }, settings, name, now) : undefined;
  if (explanation !== undefined) return explanation;
  throw notFound(
    `there is no package or image ${known ? name : 'of this name'}`,
    '`regrow status --packages` lists the packages that are known, `regrow status` the images',
  );
}

/** Every attempt of a build key, first one first. Errors: request.invalid, request.not-found. */
async function readAttempts(ports: Pick<ApiPorts, 'ledger'>, key: string): Promise<BuildAttempt[]> {
  parseInput(buildKeySchema, key);
  const attempts: BuildAttempt[] = [];
  for (;;) {
    const entry = await ports.ledger.get('build', `${key}.${attempts.length + 1}`);
    if (entry === undefined) break;
    attempts.push(entry.value);
  }
  if (attempts.length === 0)
    throw notFound(`there is no build ${key}`, '`regrow explain PACKAGE` lists its newest builds');
  return attempts;
}

function addPackageRoutes(app: FastifyInstance, ports: ApiPorts, repository: RepositoryView, views: Snapshots): void {
  app.get('/v1/packages', async () => ({ packages: await views.packages() }));
  app.get<{ Params: { name: string } }>('/v1/packages/:name', async (request) =>
    explainPackage(ports, repository, request.params.name),
  );
  app.get<{ Params: { name: string } }>('/v1/packages/:name/history', async (request) => {
    const name = parseInput(packageNameSchema, request.params.name);
    const { limit } = parseInput(limitSchema, request.query);
    return { package: name, events: await readHistory(ports.ledger, { package: name, limit }) };
  });
}

function addBuildRoutes(app: FastifyInstance, ports: ApiPorts, objects: Objects): void {
  app.get<{ Params: { key: string } }>('/v1/builds/:key', async (request) => {
    const attempts = await readAttempts(ports, request.params.key);
    const verdict = (await ports.ledger.get('verdict', request.params.key))?.value;
    const verdicts = new Map(verdict === undefined ? [] : [[request.params.key, verdict]]);
    const jobs = await readJobs(ports.queue);
    return {
      build: attempts.slice(-1).map((attempt) => summariseBuild(attempt, verdicts, jobs))[0],
      attempts,
      ...(verdict === undefined ? {} : { verdict }),
    };
  });
  app.route<{ Params: { key: string } }>({
    method: ['GET', 'HEAD'],
    url: '/v1/builds/:key/log',
    async handler(request, reply) {
      const attempts = await readAttempts(ports, request.params.key);
      // Not where its builder says that it is: that could be any object.
      const object = await objects.stream(stagingKey(request.params.key, 'log'));
      const state = attempts.at(-1)?.state ?? 'queued';
      if (object === undefined) {
        throw notFound(
          state === 'queued' ? 'the build has not written a log yet' : 'the log of this build is no longer kept',
        );
      }
      return sendObject(request, reply, object, {
        type: 'text/plain; charset=utf-8',
        cacheControl: 'no-cache',
        headers: { 'x-regrow-build-state': state },
      });
    },
  });
}

/** The views as JSON, under /v1. */
export function addViewRoutes(
  app: FastifyInstance,
  ports: ApiPorts,
  repository: RepositoryView,
  views: Snapshots,
  streams: EventStreams,
): void {
  const { ledger, queue, objects } = ports;
  addPackageRoutes(app, ports, repository, views);
  addBuildRoutes(app, ports, objects);
  app.get('/v1/status', async () => views.status());
  app.get('/v1/queue', async (request) => {
    const { limit } = parseInput(limitSchema, request.query);
    const [queues, jobs] = await Promise.all([queue.counts(), queue.list(limit)]);
    return { queues, jobs };
  });
  app.get('/v1/proposals', async (request) => ({
    proposals: await listProposals({ ledger, queue }, parseInput(stateSchema, request.query).state),
  }));
  app.get('/v1/generations', async (request) => {
    const { limit } = parseInput(limitSchema, request.query);
    const current = await repository.current();
    const all = (await ledger.list('publication')).map((entry) => entry.value);
    const newest = all.sort((a, b) => b.generation - a.generation).slice(0, limit);
    return { ...(current === undefined ? {} : { current: current.generation }), generations: newest };
  });
  app.get('/v1/findings', async () => ({
    findings: (await ledger.list('finding')).map((entry) => ({ ...entry.value, since: entry.at })),
  }));
  app.get('/v1/events', async (request, reply) => {
    const { limit, after, package: about } = parseInput(eventsSchema, request.query);
    const one = about === undefined ? {} : { package: about };
    if (!(request.headers.accept ?? '').includes('text/event-stream')) {
      if (after === undefined) return { events: await readHistory(ledger, { ...one, limit }) };
      const { events } = await readEventsAfter(ledger, after, limit);
      return { events: events.filter((event) => about === undefined || event.package === about).reverse() };
    }
    const resume = parseInput(eventsSchema.shape.after, request.headers['last-event-id']) ?? after;
    await streams.open(request, reply, { ...one, ...(resume === undefined ? {} : { after: resume }) });
    return reply;
  });
}
