import { expect, test, vi } from 'vitest';
import type { RecipeChange } from '../../../src/decide/past-updates.ts';
import { indexAdvisories } from '../../../src/decide/vulnerability.ts';
import { RegrowError } from '../../../src/errors.ts';
import { policySchema } from '../../../src/model/policy.ts';
import type { Proposal } from '../../../src/model/proposal.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import type { Ledger } from '../../../src/ports/ledger.ts';
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

test('what could not be written down is written by the next round, and is no fault of the recipe', async () => {
  const clock = createManualClock(at);
  const ledger = createMemoryLedger();
  let isFull = true;
  const full = new RegrowError('ledger.failed', 'the disk is full', { retry: 'later' });
  const put: Ledger['put'] = (kind, ...row) =>
    isFull && kind === 'decision' ? Promise.reject(full) : ledger.put(kind, ...row);
  const book = await openBook({ ...ledger, put }, clock);
  const settings = { policy: policySchema.parse({}) };
  const decide = createDecider({ book, clock, settings } as unknown as ConductorContext);
  const tree = { recipes: new Map([['tool', { path: 'tool.yaml', blob: 'b', text: '', recipe }]]) };
  const world = { tree, proposals: [], problems: new Map() } as unknown as World;
  const advisories = indexAdvisories([]);
  await expect(decide(world, advisories)).rejects.toThrow(full);
  expect(world.problems.size).toBe(0);
  isFull = false;
  await decide(world, advisories);
  expect(await ledger.get('decision', 'tool')).toMatchObject({ value: { reason: 'not-observed-yet' } });
});

test('who changed a recipe last is looked up once for each recipe that it is', async () => {
  const clock = createManualClock(at);
  const book = await openBook(createMemoryLedger(), clock);
  const settings = { policy: policySchema.parse({}) };
  const lastChange = vi.fn<() => Promise<RecipeChange>>(async () => ({ commit: 'c0ffee', at, author: 'Ada' }));
  const decide = createDecider({ book, clock, settings, repository: { lastChange } } as unknown as ConductorContext);
  const tags = [{ tag: 'v1.1.0', prerelease: false }];
  await book.put('observation', `release/${source}`, { kind: 'release', source, tags, observedAt: at });
  const merged = { package: 'tool', version: '1.1.0-r0', number: 3, state: 'merged', closedAt: '2026-05-01T00:00:00Z' };
  const look = (blob: string) => {
    const recipes = new Map([['tool', { path: 'tool.yaml', blob, text: '', recipe }]]);
    return {
      tree: { recipes, time: Date.parse(at) / 1000 },
      proposals: [merged],
      problems: new Map(),
    } as unknown as World;
  };
  const world = look('b');
  for (const advisories of [indexAdvisories([]), indexAdvisories([])]) {
    const [decision] = await decide(world, advisories);
    expect(decision?.because).toContain('last changed by Ada');
  }
  expect(lastChange).toHaveBeenCalledTimes(1);
  await decide(look('another'), indexAdvisories([]));
  expect(lastChange).toHaveBeenCalledTimes(2);
});
