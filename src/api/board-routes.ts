import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';

/** The queues that the board shows, as jobs gives them. */
export type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];

/** The raw queues under /queues, to look at and not to touch: only where the configuration asks for it. */
export async function addBoardRoutes(app: FastifyInstance, queues: readonly BoardQueue[]): Promise<void> {
  const server = new FastifyAdapter();
  server.setBasePath('/queues');
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    // Its own adapter does not fit its own interface under exactOptionalPropertyTypes.
    serverAdapter: server as unknown as Parameters<typeof createBullBoard>[0]['serverAdapter'],
  });
  await app.register(server.registerPlugin(), { prefix: '/queues' });
}
