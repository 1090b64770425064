import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type DocumentNode, execute, type FieldNode, GraphQLError, Kind, parse, validate, visit } from 'graphql';
import { z } from 'zod';
import type { Clock } from '../../../src/ports/clock.ts';
import { costOf } from './cost.ts';
import { createLimits, type Limits, limitHeaders, rateLimitObject, type TokenLimit } from './limits.ts';
import { gitHubSchema } from './schema.ts';
import { type LightRepository, repositoryObject } from './state.ts';

/** What a question gets instead of an answer. */
export type GraphQLFault =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'html' }
  | { readonly kind: 'hang' }
  /** A secondary limit: 403, with `retry-after` in seconds where that is told. */
  | { readonly kind: 'secondary'; readonly retryAfter?: number }
  /** The same as GraphQL gives it: 200 with an error. */
  | { readonly kind: 'rate-limited' }
  /** 200, with GitHub's error for something that took too long. */
  | { readonly kind: 'went-wrong' }
  /** The part of the answer about this repository (`OWNER/NAME`) is left out with an error of this type. */
  | { readonly kind: 'part'; readonly repository: string; readonly type: string; readonly message: string };

/** One question as it came. */
export interface SeenQuestion {
  readonly token: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Repositories in it. */
  readonly repositories: readonly string[];
  status: number;
  points: number;
}

export interface GraphQLFakeOptions {
  readonly clock: Clock;
  /** Points in an hour, by token. */
  readonly tokens: Readonly<Record<string, number>>;
}

export interface GraphQLFake {
  /** Stands for `https://api.github.com`. */
  readonly apiUrl: string;
  readonly limits: Limits;
  readonly questions: readonly SeenQuestion[];
  /** How many questions were under way at the same time, at most. */
  readonly mostTogether: number;
  /** Milliseconds that every answer waits. */
  latency: number;
  /** Looked at for each question, which is counted from 1 since the last `forget`. */
  fault: (question: SeenQuestion, number: number) => GraphQLFault | undefined;
  forget(): void;
  /** Made, or replaced. */
  put(repository: LightRepository): void;
  get(fullName: string): LightRepository;
  /** It is gone: nobody finds it any more. */
  remove(fullName: string): void;
  /** It answers under a new name, and to its old one. */
  rename(fullName: string, to: string): void;
  close(): Promise<void>;
}

const bodySchema = z.object({ query: z.string(), variables: z.record(z.string(), z.unknown()).default({}) });

/**
 * GitHub's GraphQL on loopback: the published schema, executed over light repositories, with GitHub's rules for cost, nodes and
 * pages, points per hour, and faults.
 */
export async function createGraphQLFake({ clock, tokens }: GraphQLFakeOptions): Promise<GraphQLFake> {
  const schema = gitHubSchema();
  const repositories = new Map<string, LightRepository>();
  const renamed = new Map<string, string>();
  const questions: SeenQuestion[] = [];
  const limits = createLimits(tokens, clock);
  let web = '';
  let together = 0;
  let mostTogether = 0;
  const name = (fullName: string): string => fullName.toLowerCase();

  function find(fullName: string): LightRepository | undefined {
    const now = renamed.get(name(fullName));
    return now === undefined ? repositories.get(name(fullName)) : find(now);
  }

  function resolve(owner: string, repository: string, fault: GraphQLFault | undefined): object {
    const fullName = `${owner}/${repository}`;
    if (fault?.kind === 'part' && name(fault.repository) === name(fullName)) {
      throw new GraphQLError(fault.message, { extensions: { type: fault.type } });
    }
    const found = find(fullName);
    if (found !== undefined) return repositoryObject(found, web);
    throw new GraphQLError(`Could not resolve to a Repository with the name '${fullName}'.`, {
      extensions: { type: 'NOT_FOUND' },
    });
  }

  /** The answer to a question that is let through. Points are taken also for one that is wrong. */
  async function answer(seen: SeenQuestion, limit: TokenLimit, fault: GraphQLFault | undefined): Promise<object> {
    let document: DocumentNode;
    try {
      document = parse(seen.query);
    } catch (thrown) {
      return { errors: [{ message: String(thrown) }] };
    }
    const invalid = validate(schema, document);
    if (invalid.length > 0) return { errors: invalid.map((error) => ({ ...error.toJSON() })) };
    const { points, nodes, problem } = costOf(document, seen.variables);
    if (problem !== undefined) return { data: null, errors: [problem] };
    if (limit.used + points > limit.limit) {
      limit.used = limit.limit;
      return { errors: [{ type: 'RATE_LIMITED', message: 'API rate limit exceeded for user ID 1.' }] };
    }
    limit.used += points;
    seen.points = points;
    const result = await execute({
      schema,
      document,
      variableValues: seen.variables,
      rootValue: {
        rateLimit: () => rateLimitObject(limit, points, nodes),
        repository: ({ owner, name: repository }: { owner: string; name: string }) => resolve(owner, repository, fault),
      },
    });
    return {
      data: result.data,
      ...(result.errors === undefined
        ? {}
        : {
            errors: result.errors.map(({ extensions, path, locations, message }) => ({
              ...(typeof extensions['type'] === 'string' ? { type: extensions['type'] } : {}),
              path,
              locations,
              message,
            })),
          }),
    };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = (request.headers.authorization ?? '').replace(/^(token|bearer) /i, '');
    const send = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    };
    const text = await bodyOf(request);
    const limit = limits.of(token);
    if (limit === undefined) return send(401, { message: 'Bad credentials', status: '401' });
    if (request.method === 'GET' && request.url === '/rate_limit') return send(200, rateLimits(limit));
    if (request.method !== 'POST' || !/^\/(api\/)?graphql$/.test(request.url ?? '')) {
      return send(404, { message: 'Not Found', status: '404' });
    }
    const { query, variables } = bodySchema.parse(JSON.parse(text));
    const seen = { token, query, variables, repositories: namesIn(query, variables), status: 200, points: 0 };
    questions.push(seen);
    const fault = fake.fault(seen, questions.length);
    if (fake.latency > 0) await wait(fake.latency);
    if (fault?.kind === 'hang') return;
    const headers = (): Record<string, string> => limitHeaders(limit);
    if (fault?.kind === 'status') {
      seen.status = fault.status;
      return send(fault.status, { message: 'not now' }, headers());
    }
    if (fault?.kind === 'html') return send(200, '<!DOCTYPE html>', { 'content-type': 'text/html' });
    if (fault?.kind === 'secondary') {
      seen.status = 403;
      const after = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
      return send(403, secondaryLimit, { ...headers(), ...after });
    }
    if (fault?.kind === 'rate-limited') {
      return send(200, { errors: [{ type: 'RATE_LIMITED', message: 'API rate limit exceeded.' }] }, headers());
    }
    if (fault?.kind === 'went-wrong') {
      return send(200, { data: null, errors: [{ message: 'Something went wrong while executing your query.' }] });
    }
    const body = await answer(seen, limit, fault);
    send(200, body, headers());
  }

  const server = createServer((request, response) => {
    together += 1;
    mostTogether = Math.max(mostTogether, together);
    response.once('close', () => {
      together -= 1;
    });
    serve(request, response).catch((thrown: unknown) => {
      response.writeHead(500).end(String(thrown));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  web = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const fake: GraphQLFake = {
    apiUrl: web,
    limits,
    questions,
    get mostTogether() {
      return mostTogether;
    },
    latency: 0,
    fault: () => undefined,
    forget() {
      questions.length = 0;
    },
    put(repository) {
      repositories.set(name(`${repository.owner}/${repository.name}`), repository);
    },
    get(fullName) {
      const found = find(fullName);
      if (found === undefined) throw new Error(`the fake GitHub has no repository ${fullName}`);
      return found;
    },
    remove(fullName) {
      repositories.delete(name(fullName));
    },
    rename(fullName, to) {
      const repository = fake.get(fullName);
      const [owner = '', newName = ''] = to.split('/');
      repositories.delete(name(fullName));
      repositories.set(name(to), { ...repository, owner, name: newName });
      renamed.set(name(fullName), to);
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return fake;
}

const secondaryLimit = {
  documentation_url:
    'https://docs.github.com/graphql/overview/rate-limits-and-node-limits-for-the-graphql-api#secondary-rate-limits',
  message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
};

function rateLimits({ limit, used, resetAt }: TokenLimit): object {
  const one = { limit, used, remaining: Math.max(0, limit - used), reset: resetAt / 1000 };
  const untouched = { ...one, used: 0, remaining: limit };
  return { resources: { core: untouched, search: untouched, graphql: one }, rate: untouched };
}

/** The repositories that a query asks for; none of a text that is no query. */
function namesIn(query: string, variables: Readonly<Record<string, unknown>>): string[] {
  const names: string[] = [];
  const valueOf = (field: FieldNode, argument: string): string => {
    const value = field.arguments?.find(({ name }) => name.value === argument)?.value;
    if (value?.kind === Kind.VARIABLE) return String(variables[value.name.value]);
    return value?.kind === Kind.STRING ? value.value : '';
  };
  try {
    visit(parse(query), {
      Field(field) {
        if (field.name.value === 'repository') names.push(`${valueOf(field, 'owner')}/${valueOf(field, 'name')}`);
      },
    });
  } catch {
    return [];
  }
  return names;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
