import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PurposePlan } from '../../../src/roles/conductor/building.ts';
import { extend } from '../../../src/roles/conductor/extending.ts';
import { createProposingWorld, type ProposingWorld, recipe } from '../../support/proposing-world.ts';

const [a, b] = ['a', 'b'].map((letter) => letter.repeat(40)) as [string, string];
let world: ProposingWorld;

const user = (name: string, needs: string) =>
  `package:\n  name: ${name}\n  version: "2.0"\n  epoch: 3\nenvironment:\n  contents:\n    packages: [${needs}]\n`;

beforeEach(async () => {
  world = await createProposingWorld();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await world.hand.push({
    'tool.yaml': recipe('1.0.0', a, { update: '  shared: true\n', more: 'subpackages:\n  - name: tool-dev\n' }),
    'far.yaml': user('far', 'near'),
    'near.yaml': user('near', 'tool-dev, other'),
    'next.yaml': user('next', 'tool'),
    'other.yaml': user('other', ''),
  });
});
afterEach(() => world.close());

/** What the proposal changes when its builds are done. */
async function extended(sharedFollowers: number) {
  const conductor = await world.start(undefined, { sharedFollowers });
  await conductor.propose();
  const { world: seen } = await conductor.decide();
  const [proposal] = await conductor.open();
  if (proposal === undefined) throw new Error('there is no proposal');
  const plan: PurposePlan = { purpose: proposal.number, builds: [], waits: [] };
  const moved = await extend(conductor.context, seen, proposal, plan);
  const [after] = await conductor.open();
  return { moved, proposal, after, problems: [...seen.problems.values()] };
}

test('what is built with a shared package is rebuilt in the same proposal, and nobody else', async () => {
  const { moved, after, problems } = await extended(2);
  expect(moved).toBe(true);
  expect(after?.changes.map(({ package: name, from, to }) => `${name} ${from} ${to}`)).toEqual([
    'tool 1.0.0-r0 1.1.0-r0',
    'near 2.0-r3 2.0-r4',
    'next 2.0-r3 2.0-r4',
  ]);
  expect(after?.changes[1]?.why).toBe('it is built with tool, whose recipe says shared: true');
  expect(await world.hand.read('near.yaml', after?.head ?? '')).toContain('epoch: 4');
  expect(problems).toEqual([]);
});

test('of too many none is rebuilt, and the proposal and explain say so', async () => {
  const { moved, proposal, after, problems } = await extended(1);
  expect(moved).toBe(false);
  expect(after?.head).toBe(proposal.head);
  expect(problems).toMatchObject([{ area: 'followers', name: 'tool', code: 'plan.too-many-followers' }]);
  expect(problems[0]?.message).toContain('2 packages are built with tool');
  const record = await world.hand.run('cat-file', '-p', `refs/regrow/proposals/${proposal.number}`);
  expect(record).toContain('2 packages are built with tool');
});
