import type { Decision } from '../../src/model/decision.ts';
import { type Explanation, explanationSchema } from '../../src/model/explanation.ts';
import { explain } from '../../src/report/explain.ts';
import { gatherFacts } from '../../src/report/facts.ts';
import { createRepositoryView } from '../../src/report/repository.ts';
import type { ReportSettings } from '../../src/report/stage.ts';
import { before, bump, createWorld, noon, proposal, publish, settings, type World } from './report-world.ts';

export async function ask(world: World, name = 'zlib', with_: ReportSettings = settings): Promise<Explanation> {
  const repository = createRepositoryView(world.objects);
  const facts = await gatherFacts({ ledger: world.ledger, repository, queue: world.queue }, name);
  if (facts === undefined) throw new Error(`${name} is not known`);
  return explanationSchema.parse(explain(facts, with_, noon));
}

/** zlib 1.0-r0 is published for both targets, and this was decided. */
export async function decided(value: Decision): Promise<World> {
  const world = createWorld();
  await publish(world, 3, settings.targets, { zlib: '1.0-r0' });
  await world.ledger.put('decision', value.package, value, before(30), value.package);
  return world;
}

/** Pull request #7 would bring zlib to 1.1-r0. */
export async function proposed(): Promise<World> {
  const world = await decided(bump('zlib', '1.1'));
  await world.ledger.put('proposal', '7', proposal('zlib', 7, '1.1-r0'), before(20), 'zlib');
  return world;
}

export const failure = {
  class: 'package' as const,
  code: 'build.step-failed',
  message: 'the command ended with exit code 2',
  step: 'make',
  tail: ['main.c:1: error'],
};
