import { createLedgerReader } from '../adapters/ledger-reader.ts';
import { createApi } from '../api/server.ts';
import { heartbeat } from './conductor/conductor.ts';
import type { RoleHost } from './host.ts';
import { ensureInstance } from './instance.ts';

/** Serves what is, to people and programs. Holds no token but its own. Gives the address. */
export async function startApi(host: RoleHost): Promise<string> {
  const { parts, secrets } = host;
  const { config, objects, queues, clock, log, paths } = parts;
  // The conductor's connection would do in one process; a second one keeps readers from ever holding up a write.
  const ledger = createLedgerReader(paths.ledger);
  const api = await createApi(
    {
      ledger,
      objects,
      queue: queues,
      requests: queues,
      clock,
      log: log.child({ role: 'api' }),
      settings: {
        title: config.api.title,
        instance: ensureInstance(paths.instance),
        targets: config.targets,
        watchInterval: config.watch.interval,
        reconcileInterval: config.reconcile.interval,
        mergeGreen: config.forge.mergeGreen,
        ...(secrets.apiToken === undefined ? {} : { token: secrets.apiToken }),
        ...(secrets.webhookSecret === undefined ? {} : { webhookSecret: secrets.webhookSecret }),
      },
      conductor: async () => (await ledger.get('cursor', heartbeat))?.value.cursor,
    },
    config.api.bullBoard ? { board: queues.bullQueues() } : {},
  );
  host.onEnd(async () => {
    await api.close();
    await ledger.close();
  });
  return api.listen({ host: config.api.host, port: config.api.port });
}
