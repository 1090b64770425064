import { expect, test } from 'vitest';
import { indexAdvisories } from '../../../src/decide/vulnerability.ts';
import { policySchema } from '../../../src/model/policy.ts';
import type { Proposal } from '../../../src/model/proposal.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { createDecider } from '../../../src/roles/conductor/deciding.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';

const at = '2026-06-01T09:00:00.000Z';
const source = 'github:o/tool/releases';
const recipe = parseRecipe(
  'tool.yaml',
  'package:\n  name: tool\n  version: "1.0.0"\n  epoch: 0\nupdate:\n  enabled: true\n  github:\n    identifier: o/tool\n    strip-prefix: v\n',
).recipe;

test('a version that a person closed long ago, which the forge no longer tells of, is still left alone', async () => {
  const clock = createManualClock(at);
  const book = await openBook(createMemoryLedger(), clock);
  const settings = { policy: policySchema.parse({}) };
  const decide = createDecider({ book, clock, settings } as unknown as ConductorContext);
  const see = (tag: string) =>
    book.put('observation', `release/${source}`, {
      kind: 'release',
      source,
      tags: [{ tag, prerelease: false }],
      observedAt: at,
    });
  const file = { path: 'tool.yaml', blob: 'b', text: '', recipe };
  const tree = { recipes: new Map([['tool', file]]), problems: new Map() };
  const world = { tree, proposals: [], problems: new Map() } as unknown as World;
  const closed: Proposal = {
    package: 'tool',
    version: '1.1.0-r0',
    number: 3,
    url: 'https://forge.example/3',
    branch: 'regrow/tool',
    title: 'tool/1.1.0 package update',
    state: 'closed',
    head: 'h',
    base: 'b',
    changes: [],
    fixes: [],
    labels: [],
    openedAt: '2025-01-01T00:00:00Z',
    closedAt: '2025-01-02T00:00:00Z',
    closedBy: 'ada',
  };
  const advisories = indexAdvisories([]);
  await see('v1.1.0');
  expect(await decide(world, advisories)).toMatchObject([{ action: 'bump' }]);
  await book.put('proposal', '3', closed, 'tool');
  // One that was open when it was last heard of holds nothing.
  await book.put('proposal', '4', { ...closed, number: 4, version: '1.2.0-r0', state: 'open' }, 'tool');
  expect(await decide(world, advisories)).toMatchObject([{ action: 'hold', reason: 'closed-by-hand' }]);
  await see('v1.2.0');
  expect(await decide(world, advisories)).toMatchObject([{ action: 'bump', to: { version: '1.2.0' } }]);
});
