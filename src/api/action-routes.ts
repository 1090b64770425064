import type { FastifyInstance } from 'fastify';
import { RegrowError } from '../errors.ts';
import type { Ledger } from '../ports/ledger.ts';
import { stoppedVersion } from '../report/stopped.ts';
import { checkCaller } from './caller.ts';
import type { ApiPorts } from './ports.ts';
import { packageNameSchema, parseInput } from './view-routes.ts';

/** What may be asked of the daemon: to look sooner than it would by itself, and to go on with what it stopped. */
export function addActionRoutes(app: FastifyInstance, ports: ApiPorts): void {
  const { settings, requests, ledger } = ports;

  app.post('/v1/reconcile', async (request, reply) => {
    checkCaller(request, settings.token);
    await requests.reconcile();
    return reply.code(202).send({ asked: ['reconcile'] });
  });

  app.post<{ Params: { name: string } }>('/v1/packages/:name/poke', async (request, reply) => {
    checkCaller(request, settings.token);
    const name = parseInput(packageNameSchema, request.params.name);
    const known = await whatIsKnown(ledger, name);
    await requests.poke({ what: 'package', name });
    await requests.reconcile();
    return reply.code(202).send({ asked: [known, 'reconcile'] });
  });

  app.post<{ Params: { name: string } }>('/v1/packages/:name/release', async (request, reply) => {
    checkCaller(request, settings.token);
    const name = parseInput(packageNameSchema, request.params.name);
    const version = await whatIsStopped(ledger, name);
    if (version === undefined) {
      throw new RegrowError('request.invalid', `no version of ${name} is stopped`, {
        remedy: `\`regrow explain ${name}\` says what it waits for`,
      });
    }
    await requests.release(name);
    return reply.code(202).send({ asked: [`release ${name} ${version}`] });
  });
}

/**
 * What a poke of a package comes to, as far as the ledger knows. The conductor looks at main as it is now, so that a recipe that
 * came a moment ago is asked about too: that there is none is never certain here.
 */
async function whatIsKnown(ledger: Ledger, name: string): Promise<string> {
  const rows = await ledger.list('watch');
  const source = rows.find(({ value }) => value.packages.includes(name))?.value.source;
  if (source !== undefined) return `watch ${source}`;
  const decision = await ledger.get('decision', name);
  return decision === undefined ? `watch ${name} (if main has such a recipe)` : `watch ${name} (if it is watched)`;
}

async function whatIsStopped(ledger: Ledger, name: string): Promise<string | undefined> {
  const [decision, proposals, problems] = await Promise.all([
    ledger.get('decision', name),
    ledger.list('proposal', name),
    ledger.list('problem', name),
  ]);
  return stoppedVersion({
    decision: decision?.value,
    proposals: proposals.map(({ value }) => value),
    problems: problems.map(({ value }) => value),
  });
}
