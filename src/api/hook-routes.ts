import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { checkSignature } from './caller.ts';
import type { ApiPorts } from './ports.ts';
import { parseInput } from './view-routes.ts';

/** Bytes. GitHub sends up to 25 MB, but what is said about one tag is never that long. */
const bodyLimit = 1024 * 1024;

const eventSchema = z.object({
  repository: z.object({ full_name: z.string().regex(/^[\w.-]+\/[\w.-]+$/) }),
  ref: z.string().optional(),
  ref_type: z.string().optional(),
});
type HookEvent = z.infer<typeof eventSchema>;

/** The events that tell of a release or a tag, by the name in `X-GitHub-Event`. */
const tellsOfRelease: Readonly<Record<string, (event: HookEvent) => boolean>> = {
  release: () => true,
  create: ({ ref_type }) => ref_type === 'tag',
  push: ({ ref }) => ref?.startsWith('refs/tags/') === true,
};

/** GitHub's webhooks: a release or a tag of a repository makes every recipe that watches it be looked at now. */
export function addHookRoutes(app: FastifyInstance, ports: ApiPorts): void {
  const { settings, requests } = ports;
  // Apart from the others: here the body is taken as bytes, because the signature is of those.
  void app.register(async (hooks) => {
    hooks.removeAllContentTypeParsers();
    hooks.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) => done(null, body));
    hooks.post('/v1/hooks/github', { bodyLimit }, async (request, reply) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      checkSignature(request, body, settings.webhookSecret);
      const name = String(request.headers['x-github-event'] ?? '');
      const tells = Object.hasOwn(tellsOfRelease, name) ? tellsOfRelease[name] : undefined;
      if (tells === undefined) return reply.code(202).send({ asked: [] });
      const event = parseInput(eventSchema, readBody(request, body));
      if (!tells(event)) return reply.code(202).send({ asked: [] });
      const repository = event.repository.full_name;
      await requests.poke({ what: 'repository', name: repository });
      return reply.code(202).send({ asked: [`watch ${repository}`] });
    });
  });
}

/** GitHub sends JSON, or a form whose one field is the JSON: the webhook's setting. Errors: request.invalid. */
function readBody(request: FastifyRequest, body: Buffer): unknown {
  const text = body.toString('utf8');
  const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  try {
    return JSON.parse(isForm ? (new URLSearchParams(text).get('payload') ?? '') : text);
  } catch (cause) {
    throw new RegrowError('request.invalid', 'the body of this webhook is no JSON', { cause });
  }
}
