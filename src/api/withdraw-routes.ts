import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import type { Generation } from '../model/publication.ts';
import { changesContent, lostText, planWithdrawal, type Withdrawal } from '../model/withdrawal.ts';
import type { RepositoryView } from '../report/repository.ts';
import { checkCaller } from './caller.ts';
import type { ApiPorts } from './ports.ts';
import { notFound } from './replies.ts';
import { packageNameSchema, parseInput } from './view-routes.ts';

const withdrawalSchema = z.strictObject({
  name: packageNameSchema,
  version: z.string().regex(/^[0-9][^\s/]{0,200}-r[0-9]+$/, 'is not a full version, such as 1.2.3-r0'),
  reason: z.string().trim().min(1).max(500),
  force: z.boolean().default(false),
});
const rollbackSchema = z.strictObject({
  to: z.number().int().positive().optional(),
  undo: z.boolean().default(false),
});

/** What may be taken back of what is published: one version, or all that came since a generation. */
export function addWithdrawRoutes(app: FastifyInstance, ports: ApiPorts, repository: RepositoryView): void {
  const { settings, requests } = ports;

  app.post('/v1/withdrawals', async (request, reply) => {
    checkCaller(request, settings.token);
    const order = parseInput(withdrawalSchema, request.body);
    const current = await published(repository);
    const plan = await planWithdrawal(repository, current, order);
    const out = current.withdrawn?.find((one) => one.origin === order.name && one.version === order.version);
    if (plan === undefined && out?.rolledBackTo !== undefined) {
      await requests.withdraw(order);
      return reply.code(202).send({ asked: [`withdraw ${out.origin} ${out.version}, which a rollback holds back`] });
    }
    if (plan === undefined) {
      throw notFound(
        `${order.name} ${order.version} is not published`,
        `\`regrow explain ${order.name}\` says which version is`,
      );
    }
    if (plan.lost.length > 0 && !order.force) {
      throw new RegrowError('request.invalid', lostText(plan.lost), {
        remedy: 'withdraw what needs it first, or use --force',
      });
    }
    await requests.withdraw(order);
    return reply.code(202).send({ asked: whatIsWithdrawn(plan) });
  });

  app.post('/v1/rollbacks', async (request, reply) => {
    checkCaller(request, settings.token);
    const { to, undo } = parseInput(rollbackSchema, request.body ?? {});
    const current = await published(repository);
    if (undo) {
      const held = (current.withdrawn ?? []).filter((one) => one.rolledBackTo !== undefined);
      if (held.length === 0) {
        throw new RegrowError('request.invalid', 'no rollback holds anything back', {
          remedy: '`regrow generations` says what came and went',
        });
      }
      await requests.rollBack(undefined);
      return reply.code(202).send({ asked: [`free ${held.length} versions that a rollback holds back`] });
    }
    // The one before the content of now.
    const goal = to ?? (current.rolledBackTo ?? current.generation) - 1;
    const older = goal === current.generation ? current : await repository.generation(goal);
    if (older === undefined) {
      throw notFound(`generation ${goal} is not kept`, '`regrow generations` lists those that are');
    }
    if (older === current) {
      throw notFound(`generation ${goal} is the one of now`, '`regrow generations` lists the older ones');
    }
    if (!(await changesContent(repository, current, older))) {
      throw notFound(
        `generation ${goal} has nothing else than what is published now; what was withdrawn stays away`,
        '`regrow generations` says what came and went',
      );
    }
    await requests.rollBack(goal);
    return reply.code(202).send({ asked: [`roll back to generation ${goal}`] });
  });
}

async function published(repository: RepositoryView): Promise<Generation> {
  const current = await repository.current();
  if (current === undefined) throw notFound('nothing is published yet', '`regrow status` says what is on its way');
  return current;
}

function whatIsWithdrawn({ origin, version, leaving, restored, lost }: Withdrawal): string[] {
  const names = [...new Set(leaving.map(({ info }) => info.name))].toSorted().join(', ');
  const targets = [...new Set(leaving.map(({ target }) => target))].toSorted().join(', ');
  const back = restored[0]?.info.version;
  return [
    `withdraw ${origin} ${version} (${names}) from ${targets}`,
    ...(back === undefined ? [] : [`publish ${origin} ${back} again`]),
    ...(lost.length === 0 ? [] : [`although ${lostText(lost)}`]),
  ];
}
