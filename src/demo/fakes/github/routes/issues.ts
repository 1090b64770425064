import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { closePull, reopenPull } from '../pulls.ts';
import { invalid, notFound, Refusal } from '../refusal.ts';
import { type Call, numberParam, paginate, parseBody, repositoryRoute, writer } from '../route.ts';
import { commentShape, issueShape, labelShape } from '../shapes/pull.ts';
import { type CommentState, labelOf, nextId, now, type World } from '../state.ts';
import { findPull } from './pulls.ts';

const labelNames = z.union([
  z.array(z.string().min(1)),
  z.object({ labels: z.array(z.union([z.string().min(1), z.object({ name: z.string() })])) }),
]);
const commentSchema = z.object({ body: z.string().min(1) });
const issueSchema = z.object({
  title: z.string().optional(),
  body: z.string().nullable().optional(),
  state: z.enum(['open', 'closed']).optional(),
  labels: z.array(z.string()).optional(),
});

function namesOf(call: Call): string[] {
  const body = parseBody(labelNames, call.body, 'Label');
  const given = Array.isArray(body) ? body : body.labels;
  return given.map((label) => (typeof label === 'string' ? label : label.name));
}

function findComment(call: Call): CommentState {
  const comment = call.repository.comments.find(({ id }) => id === numberParam(call, 'id'));
  if (comment === undefined) throw notFound();
  return comment;
}

/** Labels and comments of pull requests. Issues that are no pull request do not exist in the fake. */
export function issueRoutes(app: FastifyInstance, world: World): void {
  labelRoutes(app, world);

  repositoryRoute(app, world, 'GET', '/issues/:number', async (call) => ({
    body: issueShape(world, call.repository, findPull(call, 'number')),
  }));

  repositoryRoute(app, world, 'PATCH', '/issues/:number', async (call) => {
    const pull = findPull(call, 'number');
    const body = parseBody(issueSchema, call.body, 'Issue');
    if (body.state === 'open' && pull.state === 'closed') await reopenPull(world, call.repository, pull);
    if (body.state === 'closed' && pull.state === 'open') closePull(world, pull, writer(call));
    pull.title = body.title ?? pull.title;
    if (body.body !== undefined) pull.body = body.body;
    pull.labels = body.labels ?? pull.labels;
    pull.updatedAt = now(world);
    return { body: issueShape(world, call.repository, pull) };
  });

  repositoryRoute(app, world, 'GET', '/issues/:number/comments', async (call) => {
    const { number } = findPull(call, 'number');
    const since = call.query['since'];
    const comments = call.repository.comments.filter(
      (comment) => comment.number === number && (since === undefined || comment.updatedAt >= since),
    );
    const { page, headers } = paginate(call, `/issues/${number}/comments`, comments);
    return { headers, body: page.map((comment) => commentShape(world, call.repository, comment)) };
  });

  repositoryRoute(app, world, 'POST', '/issues/:number/comments', async (call) => {
    const pull = findPull(call, 'number');
    const { body } = parseBody(commentSchema, call.body, 'IssueComment');
    // GitHub's limit of one body; a build log has to be cut to it.
    if (body.length > 65_536)
      throw invalid({
        resource: 'IssueComment',
        field: 'body',
        code: 'unprocessable',
        message: 'body is too long (maximum is 65536 characters)',
      });
    const at = now(world);
    const comment = {
      id: nextId(world),
      number: pull.number,
      author: writer(call),
      body,
      createdAt: at,
      updatedAt: at,
    };
    call.repository.comments.push(comment);
    pull.updatedAt = at;
    return { status: 201, body: commentShape(world, call.repository, comment) };
  });

  repositoryRoute(app, world, 'GET', '/issues/comments/:id', async (call) => ({
    body: commentShape(world, call.repository, findComment(call)),
  }));

  repositoryRoute(app, world, 'PATCH', '/issues/comments/:id', async (call) => {
    const comment = findComment(call);
    comment.body = parseBody(commentSchema, call.body, 'IssueComment').body;
    comment.updatedAt = now(world);
    return { body: commentShape(world, call.repository, comment) };
  });

  repositoryRoute(app, world, 'DELETE', '/issues/comments/:id', async (call) => {
    call.repository.comments.splice(call.repository.comments.indexOf(findComment(call)), 1);
    return { status: 204 };
  });
}

function labelRoutes(app: FastifyInstance, world: World): void {
  const shown = (call: Call, names: readonly string[]) => names.map((name) => labelShape(world, call.repository, name));

  repositoryRoute(app, world, 'GET', '/labels/:name', async (call) => {
    const label = call.repository.labels.get((call.params['name'] ?? '').toLowerCase());
    if (label === undefined) throw notFound();
    return { body: labelShape(world, call.repository, label.name) };
  });

  repositoryRoute(app, world, 'POST', '/labels', async (call) => {
    const schema = z.object({
      name: z.string().min(1),
      color: z
        .string()
        .regex(/^[0-9a-f]{6}$/i)
        .optional(),
      description: z.string().max(100).optional(),
    });
    const body = parseBody(schema, call.body, 'Label');
    if (call.repository.labels.has(body.name.toLowerCase())) {
      throw invalid({ resource: 'Label', field: 'name', code: 'already_exists' });
    }
    const label = labelOf(world, call.repository, body.name);
    label.color = body.color ?? label.color;
    label.description = body.description ?? '';
    return { status: 201, body: labelShape(world, call.repository, body.name) };
  });

  repositoryRoute(app, world, 'GET', '/issues/:number/labels', async (call) => ({
    body: shown(call, findPull(call, 'number').labels),
  }));

  repositoryRoute(app, world, 'POST', '/issues/:number/labels', async (call) => {
    const pull = findPull(call, 'number');
    pull.labels = [...new Set([...pull.labels, ...namesOf(call)])];
    return { body: shown(call, pull.labels) };
  });

  repositoryRoute(app, world, 'PUT', '/issues/:number/labels', async (call) => {
    const pull = findPull(call, 'number');
    pull.labels = [...new Set(namesOf(call))];
    return { body: shown(call, pull.labels) };
  });

  repositoryRoute(app, world, 'DELETE', '/issues/:number/labels/:name', async (call) => {
    const pull = findPull(call, 'number');
    const name = call.params['name'] ?? '';
    if (!pull.labels.includes(name)) throw new Refusal(404, 'Label does not exist');
    pull.labels = pull.labels.filter((label) => label !== name);
    return { body: shown(call, pull.labels) };
  });
}
