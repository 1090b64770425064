import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { Clock } from '../../../ports/clock.ts';
import { createFaultBoard, type FaultBoard, portalPage } from './faults.ts';
import { initRepository } from './git.ts';
import { Refusal } from './refusal.ts';
import { driveRepository, type FakeRepository } from './repository.ts';
import { commitRoutes } from './routes/commits.ts';
import { gitDataRoutes } from './routes/git-data.ts';
import { issueRoutes } from './routes/issues.ts';
import { pullRoutes } from './routes/pulls.ts';
import { repositoryRoutes } from './routes/repositories.ts';
import { nextId, now, type RateLimit, repositoryKey, type World } from './state.ts';
import { websiteRoutes } from './website.ts';

export interface GitHubOptions {
  /** Folder of the bare repositories, `OWNER/NAME.git`. */
  readonly directory: string;
  readonly clock: Clock;
  /** Login by token. Left out: every request acts as `login`. */
  readonly tokens?: Readonly<Record<string, string>>;
  readonly login?: string;
  /**
   * Seconds since 1970 of a commit that a request gives no time for, by its parent's. Left out: the clock. With it the
   * commits that a bot makes are the same ones however long it took.
   */
  readonly commitTime?: (parent: number) => number;
}

/** One request as it came, for tests that count or check them. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  status: number;
  answer: unknown;
}

/**
 * A GitHub on loopback: the part of its REST API that a bot needs, its archives and release files, and clones over HTTP,
 * over real bare repositories. Deterministic: ids count up, times come from the clock that is given.
 */
export interface GitHubFake {
  /** Stands for `https://github.com`. */
  readonly url: string;
  /** Stands for `https://api.github.com`. */
  readonly apiUrl: string;
  readonly faults: FaultBoard;
  readonly rateLimit: RateLimit;
  /** Every API request since the start or the last `forget`. */
  readonly requests: readonly SeenRequest[];
  forget(): void;
  createRepository(owner: string, name: string, options?: { readonly description?: string }): Promise<FakeRepository>;
  repository(owner: string, name: string): FakeRepository;
  close(): Promise<void>;
}

export async function createGitHubFake(options: GitHubOptions): Promise<GitHubFake> {
  const world: World = {
    clock: options.clock,
    directory: options.directory,
    url: '',
    repositories: new Map(),
    tokens: options.tokens === undefined ? undefined : new Map(Object.entries(options.tokens)),
    defaultLogin: options.login ?? 'regrow-bot',
    userIds: new Map(),
    lastId: 1000,
    commitTime: options.commitTime,
    limit: { limit: 5000, remaining: 5000, reset: Math.floor(options.clock.now().getTime() / 1000) + 3600 },
  };
  const faults = createFaultBoard();
  const requests: SeenRequest[] = [];
  const app = fastify({
    forceCloseConnections: true,
    bodyLimit: 64 * 1024 * 1024,
    routerOptions: { maxParamLength: 1000 },
  });
  hooks(app, world, faults, requests);
  repositoryRoutes(app, world);
  gitDataRoutes(app, world);
  commitRoutes(app, world);
  pullRoutes(app, world);
  issueRoutes(app, world);
  websiteRoutes(app, world);
  world.url = await app.listen({ host: '127.0.0.1', port: 0 });
  const drivers = new Map<string, FakeRepository>();
  return {
    url: world.url,
    apiUrl: `${world.url}/api/v3`,
    faults,
    rateLimit: world.limit,
    requests,
    forget() {
      requests.length = 0;
    },
    async createRepository(owner, name, { description = '' } = {}) {
      const directory = join(options.directory, owner, `${name}.git`);
      await initRepository(directory, 'main');
      const at = now(world);
      const state = {
        id: nextId(world),
        owner,
        name,
        description,
        defaultBranch: 'main',
        directory,
        createdAt: at,
        pushedAt: at,
        releases: [],
        labels: new Map(),
        pulls: new Map(),
        comments: [],
        statuses: [],
        lastNumber: 0,
      };
      const driver = driveRepository(world, state);
      world.repositories.set(repositoryKey(owner, name), state);
      drivers.set(repositoryKey(owner, name), driver);
      return driver;
    },
    repository(owner, name) {
      const found = drivers.get(repositoryKey(owner, name));
      if (found === undefined) throw new Error(`the fake GitHub has no repository ${owner}/${name}`);
      return found;
    },
    async close() {
      await app.close();
    },
  };
}

function hooks(app: FastifyInstance, world: World, faults: FaultBoard, requests: SeenRequest[]): void {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : JSON.parse(String(body)));
    } catch {
      done(new Refusal(400, 'Problems parsing JSON'));
    }
  });
  const seen = new WeakMap<object, SeenRequest>();

  app.addHook('onRequest', async (request, reply) => {
    const { pathname, search } = new URL(request.url, 'http://fake');
    if (faults.latency > 0) await wait(faults.latency);
    const fault = faults.take(request.method, pathname);
    if (fault?.kind === 'hang') return new Promise<FastifyReply>(() => undefined);
    if (fault?.kind === 'cut') {
      reply.hijack();
      request.raw.socket.destroy();
      return reply;
    }
    if (fault?.kind === 'html') return reply.type('text/html; charset=utf-8').send(portalPage);
    if (fault?.kind === 'status') throw new Refusal(fault.status, fault.message ?? 'Server Error');
    if (fault?.kind === 'secondary-rate-limit') {
      reply.header('retry-after', String(fault.retryAfter));
      throw new Refusal(
        403,
        'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
      );
    }
    if (!pathname.startsWith('/api/')) return;
    const record = {
      method: request.method,
      path: pathname,
      query: search,
      body: undefined,
      headers: request.headers,
      status: 0,
      answer: undefined,
    };
    seen.set(request, record);
    requests.push(record);
    spendLimit(world, pathname);
  });

  app.addHook('preHandler', async (request) => {
    const record = seen.get(request) as { body: unknown } | undefined;
    if (record !== undefined) record.body = request.body;
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const record = seen.get(request);
    if (record === undefined) return payload;
    limitHeaders(world, reply);
    const text = typeof payload === 'string' ? payload : '';
    if (text !== '') record.answer = JSON.parse(text);
    const etag = `W/"${createHash('sha256').update(text).digest('hex')}"`;
    if (request.method === 'GET' && reply.statusCode === 200) {
      reply.header('etag', etag).header('cache-control', 'public, max-age=60, s-maxage=60');
      if (request.headers['if-none-match'] === etag) {
        // A conditional request that is answered 304 costs nothing of the limit.
        world.limit.remaining += 1;
        limitHeaders(world, reply);
        reply.code(304);
        record.status = 304;
        return '';
      }
    }
    record.status = reply.statusCode;
    return payload;
  });

  app.setErrorHandler((error: FastifyError | Refusal, _request, reply) => {
    const refusal = error instanceof Refusal ? error : new Refusal(error.statusCode ?? 500, error.message);
    return reply.code(refusal.status).send(refusal.body());
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send(new Refusal(404, 'Not Found').body()));
}

function spendLimit(world: World, path: string): void {
  if (path.endsWith('/rate_limit')) return;
  const seconds = Math.floor(world.clock.now().getTime() / 1000);
  if (seconds >= world.limit.reset) {
    world.limit.reset = seconds + 3600;
    world.limit.remaining = world.limit.limit;
  }
  if (world.limit.remaining <= 0) throw new Refusal(403, 'API rate limit exceeded.');
  world.limit.remaining -= 1;
}

function limitHeaders(world: World, reply: FastifyReply): void {
  const { limit, remaining, reset } = world.limit;
  reply.headers({
    'x-ratelimit-limit': String(limit),
    'x-ratelimit-remaining': String(remaining),
    'x-ratelimit-used': String(limit - remaining),
    'x-ratelimit-reset': String(reset),
    'x-ratelimit-resource': 'core',
    'x-github-api-version-selected': '2022-11-28',
  });
}
