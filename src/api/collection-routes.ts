import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RepositoryView } from '../report/repository.ts';
import { checkCaller } from './caller.ts';
import type { ApiPorts } from './ports.ts';
import { parseInput } from './view-routes.ts';

const orderSchema = z.strictObject({ dry: z.boolean().default(false) });

/** What nothing in the object store uses: what came of the last look for it, and asking for another. */
export function addCollectionRoutes(app: FastifyInstance, ports: ApiPorts, repository: RepositoryView): void {
  const { settings, requests } = ports;

  app.get('/v1/collections', async () => {
    const [last, looked] = await Promise.all([repository.collection(false), repository.collection(true)]);
    return { ...(last === undefined ? {} : { last }), ...(looked === undefined ? {} : { looked }) };
  });

  app.post('/v1/collections', async (request, reply) => {
    checkCaller(request, settings.token);
    const { dry } = parseInput(orderSchema, request.body ?? {});
    const at = ports.clock.now().toISOString();
    await requests.collect(dry);
    return reply.code(202).send({ asked: [dry ? 'look for what nothing uses' : 'remove what nothing uses'], at });
  });
}
