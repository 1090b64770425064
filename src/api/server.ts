import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { RegrowError, reportError, toRegrowError } from '../errors.ts';
import { createRepositoryView } from '../report/repository.ts';
import { renderErrorPage } from '../web/package-page.ts';
import { addActionRoutes } from './action-routes.ts';
import { addBoardRoutes, type BoardQueue } from './board-routes.ts';
import { addCollectionRoutes } from './collection-routes.ts';
import { createEventFeed } from './event-feed.ts';
import { createEventStreams } from './event-stream.ts';
import { addHealthRoutes } from './health-routes.ts';
import { addHookRoutes } from './hook-routes.ts';
import { addOciRoutes } from './oci-routes.ts';
import { addPageRoutes, sendHtml } from './page-routes.ts';
import type { ApiPorts } from './ports.ts';
import { notFound, statusOf } from './replies.ts';
import { addRepositoryRoutes } from './repository-routes.ts';
import { createSnapshots } from './snapshots.ts';
import { addViewRoutes } from './view-routes.ts';
import { addWithdrawRoutes } from './withdraw-routes.ts';

export interface ApiOptions {
  /** Queues for bull-board; without them there is no /queues. */
  readonly board?: readonly BoardQueue[];
}

export interface Api {
  /**
   * Listens, and gives the address that it can be reached at, `http://HOST:PORT`. Port 0: any that is free.
   * Errors: daemon.address-taken.
   */
  listen(address: { readonly host: string; readonly port: number }): Promise<string>;
  close(): Promise<void>;
}

/** Bytes of a request body: nothing that may be asked has one. */
const bodyLimit = 16 * 1024;

/** Errors that fastify itself gives have an HTTP status; ours have a code. */
function toAnswer(error: unknown): { status: number; error: RegrowError } {
  if (error instanceof RegrowError) return { status: statusOf(error.code), error };
  const status = (error as Partial<FastifyError>).statusCode;
  if (error instanceof Error && status !== undefined && status >= 400 && status < 500) {
    return { status, error: new RegrowError('request.invalid', error.message, { cause: error }) };
  }
  return { status: 500, error: toRegrowError(error) };
}

function wantsHtml(request: FastifyRequest): boolean {
  const isPage = request.url === '/' || request.url.startsWith('/packages');
  return isPage && (request.headers.accept ?? '').includes('text/html');
}

function sendError(request: FastifyRequest, reply: FastifyReply, thrown: unknown, brand: string): FastifyReply {
  const { status, error } = toAnswer(thrown);
  if (status >= 500) request.log.error({ err: error, url: request.url }, 'request failed');
  reply.code(status).removeHeader('etag').removeHeader('content-length').header('cache-control', 'no-store');
  // What an internal error says may name files of this machine: it is for the log.
  const report =
    error.code === 'internal'
      ? { code: error.code, message: 'something went wrong here; the log has it', retry: error.retry }
      : reportError(error);
  return wantsHtml(request) ? sendHtml(reply, renderErrorPage(brand, report.message)) : reply.send({ error: report });
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there, perhaps another regrow',
  EACCES: 'this user may not use that port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no address has that name',
};

function cannotListen(host: string, port: number, thrown: unknown): RegrowError {
  const system = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const reason = listenReasons[system];
  if (reason === undefined) return toRegrowError(thrown);
  return new RegrowError('daemon.address-taken', `the api cannot listen at ${host}:${port}: ${reason}`, {
    cause: thrown,
    field: system === 'EADDRINUSE' || system === 'EACCES' ? 'api.port' : 'api.host',
    remedy: 'set api.port (and api.host) to an address that is free; `regrow doctor` says who answers there',
  });
}

async function build(ports: ApiPorts, options: ApiOptions): Promise<{ app: FastifyInstance; stop: () => void }> {
  const { ledger, objects, log, settings } = ports;
  const fastifyLog: FastifyBaseLogger = log;
  const app: FastifyInstance = fastify({
    loggerInstance: fastifyLog,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 512 },
    exposeHeadRoutes: true,
    // Event streams never end by themselves.
    forceCloseConnections: true,
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
    // A log opened in a browser is text from outside: it may run nothing.
    if (!request.url.startsWith('/queues')) reply.header('content-security-policy', "default-src 'none'; sandbox");
  });
  app.setErrorHandler((error, request, reply) => sendError(request, reply, error, settings.title));
  app.setNotFoundHandler((request, reply) =>
    sendError(
      request,
      reply,
      notFound('there is nothing at this address', 'docs/api.md lists what there is'),
      settings.title,
    ),
  );

  const repository = createRepositoryView(objects);
  const views = createSnapshots(ports, repository);
  const feed = createEventFeed(ledger, log);
  const streams = createEventStreams(ledger, feed);
  addPageRoutes(app, ports, repository, views);
  addViewRoutes(app, ports, repository, views, streams);
  addActionRoutes(app, ports);
  addWithdrawRoutes(app, ports, repository);
  addCollectionRoutes(app, ports, repository);
  addHookRoutes(app, ports);
  addRepositoryRoutes(app, objects, repository);
  addOciRoutes(app, objects, repository);
  addHealthRoutes(app, ports, views);
  if (options.board !== undefined) await addBoardRoutes(app, options.board);
  return {
    app,
    stop() {
      streams.close();
      feed.close();
    },
  };
}

/** The HTTP side of the daemon. It reads; all that it can make happen is that the daemon looks sooner. */
export async function createApi(ports: ApiPorts, options: ApiOptions = {}): Promise<Api> {
  const { app, stop } = await build(ports, options);
  return {
    async listen({ host, port }) {
      try {
        return await app.listen({ host, port });
      } catch (thrown) {
        throw cannotListen(host, port, thrown);
      }
    },
    async close() {
      stop();
      await app.close();
    },
  };
}
