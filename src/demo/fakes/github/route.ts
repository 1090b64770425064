import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type FieldProblem, notFound, Refusal } from './refusal.ts';
import { type RepositoryState, repositoryKey, type World } from './state.ts';

/** One request to one repository, with who sent it. */
export interface Call {
  readonly world: World;
  readonly repository: RepositoryState;
  /** `undefined`: nobody who is known. */
  readonly login: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler = (call: Call) => Promise<Answer>;
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const stringsSchema = z.record(z.string(), z.coerce.string());

/** Who sends a request, by its token. A token that nobody has is 401, as on GitHub, also where none is needed. */
export function authenticate(world: World, request: FastifyRequest): string | undefined {
  const header = request.headers.authorization;
  if (world.tokens === undefined) return world.defaultLogin;
  if (header === undefined) return undefined;
  const login = world.tokens.get(header.replace(/^(token|bearer) /i, ''));
  if (login === undefined) throw new Refusal(401, 'Bad credentials');
  return login;
}

/** Adds a route below a repository; `path` is what stands behind `/repos/OWNER/REPO`. */
export function repositoryRoute(
  app: FastifyInstance,
  world: World,
  method: Method,
  path: string,
  handler: Handler,
): void {
  app.route({
    method,
    url: `/api/v3/repos/:owner/:repo${path}`,
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const login = authenticate(world, request);
      const params = stringsSchema.parse(request.params);
      const repository = world.repositories.get(repositoryKey(params['owner'] ?? '', params['repo'] ?? ''));
      if (repository === undefined) throw notFound();
      if (method !== 'GET' && login === undefined) throw new Refusal(401, 'Requires authentication');
      const query = stringsSchema.parse(request.query);
      const answer = await handler({ world, repository, login, params, query, body: request.body });
      reply.code(answer.status ?? 200).headers(answer.headers ?? {});
      return answer.body === undefined ? reply.send() : reply.send(answer.body);
    },
  });
}

/** Who writes; the route has already refused nobody. */
export function writer(call: Call): string {
  return call.login ?? call.world.defaultLogin;
}

/** A body by its schema; 422 in GitHub's words where it does not fit. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown, resource: string): T {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(
    (issue): FieldProblem => ({
      resource,
      field: issue.path.join('.'),
      code: issue.code === 'invalid_type' && issue.input === undefined ? 'missing_field' : 'invalid',
      message: issue.message,
    }),
  );
  throw new Refusal(422, 'Invalid request.', errors);
}

/** A whole number in a path; anything else is not found. */
export function numberParam(call: Call, name: string): number {
  const text = call.params[name] ?? '';
  if (!/^\d+$/.test(text)) throw notFound();
  return Number(text);
}

/** One page of a list with GitHub's Link header (`per_page` at most 100, 30 unless told). */
export function paginate<T>(
  call: Call,
  path: string,
  items: readonly T[],
): { page: readonly T[]; headers: Record<string, string> } {
  const size = Math.min(100, Math.max(1, Number(call.query['per_page'] ?? 30) || 30));
  const page = Math.max(1, Number(call.query['page'] ?? 1) || 1);
  const last = Math.max(1, Math.ceil(items.length / size));
  const link = (number: number, relation: string): string => {
    const query = new URLSearchParams({ ...call.query, per_page: String(size), page: String(number) });
    const { owner, name } = call.repository;
    return `<${call.world.url}/api/v3/repos/${owner}/${name}${path}?${query.toString()}>; rel="${relation}"`;
  };
  const links = [
    ...(page > 1 ? [link(page - 1, 'prev')] : []),
    ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
    ...(page > 1 ? [link(1, 'first')] : []),
  ];
  return {
    page: items.slice((page - 1) * size, page * size),
    headers: links.length === 0 ? {} : { link: links.join(', ') },
  };
}
