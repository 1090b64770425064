import { beforeEach, describe, expect, test } from 'vitest';
import type { Generation, Withdrawn } from '../../../src/model/publication.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import { planAll } from '../../../src/roles/conductor/building.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { recordGenerations } from '../../../src/roles/conductor/generations.ts';
import { tellUndone } from '../../../src/roles/conductor/withdrawn.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';

const target = 'x86_64-gnu';
const clock = createManualClock('2026-06-01T09:00:00.000Z');
const at = '2026-06-01T08:00:00.000Z';
const backDoor: Withdrawn = { origin: 'xz', version: '5.6.1-r0', reason: 'a back door', at };
const held: Withdrawn = { origin: 'jq', version: '1.8-r0', reason: 'rolled back to generation 1', at, rolledBackTo: 1 };

let ledger: ReturnType<typeof createMemoryLedger>;
let book: Book;
let context: ConductorContext;
beforeEach(async () => {
  ledger = createMemoryLedger();
  book = await openBook(ledger, clock);
  context = {
    book,
    clock,
    objects: createMemoryObjects(),
    settings: { targets: [target] },
  } as unknown as ConductorContext;
});

function generationOf(number: number, more: Partial<Generation> = {}): Generation {
  const parent = number === 1 ? {} : { parent: number - 1 };
  return { schema: 1, generation: number, ...parent, token: 1, at, targets: {}, added: [], removed: [], ...more };
}

/** Main has one recipe; nothing is published. */
function worldOf(generation: Generation, name: string, version: string): World {
  const text = `package:\n  name: ${name}\n  version: "${version}"\n  epoch: 0\n  description: d\n`;
  const { recipe } = parseRecipe(`${name}.yaml`, text);
  const recipes = new Map([[name, { path: `${name}.yaml`, text, blob: '', recipe }]]);
  return {
    tree: { recipes, problems: new Map() },
    proposals: [],
    generation,
    published: new Map([[target, []]]),
    problems: new Map(),
    isPublished: () => false,
  } as unknown as World;
}

async function events(): Promise<readonly string[]> {
  return (await ledger.events({ limit: 10 })).map(({ kind, text }) => `${kind}: ${text}`);
}

describe('what main asks for and was withdrawn', () => {
  test.each([
    [backDoor, 'raise the epoch of the recipe, or update it: a withdrawn version is never published again'],
    [held, 'raise the epoch of the recipe, update it, or take the rollback back: `regrow rollback --undo`'],
  ])('is not built again, and said to be so: $origin', async (out, remedy) => {
    const world = worldOf(generationOf(2, { withdrawn: [out] }), out.origin, out.version.replace('-r0', ''));
    const plans = await planAll(context, world);
    expect(plans.get('main')?.builds).toEqual([]);
    expect(world.problems.get(`publish/${out.origin}`)).toMatchObject({
      code: 'package.withdrawn',
      message: expect.stringContaining(`at ${at}: ${out.reason}`),
      remedy,
      file: `${out.origin}.yaml`,
    });
  });

  test('another version is no affair of it', async () => {
    const world = worldOf(generationOf(2, { withdrawn: [backDoor] }), 'xz', '5.6.2');
    await planAll(context, world).catch(() => undefined);
    expect([...world.problems.values()].map(({ code }) => code)).not.toContain('package.withdrawn');
  });
});

describe('history', () => {
  const record = (generation: Generation) =>
    recordGenerations(context, { generation, published: new Map() } as unknown as World);

  test('says what was withdrawn, once, and not again with the next generation', async () => {
    await record(generationOf(1, { withdrawn: [backDoor] }));
    await record(generationOf(2, { withdrawn: [backDoor], at: '2026-06-01T08:30:00.000Z' }));
    expect(await events()).toEqual(['withdrawn: xz 5.6.1-r0 is withdrawn in generation 1: a back door']);
  });

  test('says that the repository went back, and that this was undone', async () => {
    await record(generationOf(1));
    await record(
      generationOf(3, { parent: 2, withdrawn: [backDoor, held], rolledBackTo: 1, at: '2026-06-01T08:20:00.000Z' }),
    );
    await record(generationOf(4, { parent: 3, withdrawn: [backDoor], at: '2026-06-01T08:30:00.000Z' }));
    expect(await events()).toEqual([
      'rolled-back: what a rollback held back may be published again since generation 4',
      'rolled-back: generation 3 has what generation 1 had; 1 newer versions are held back',
    ]);
  });

  test('does not say that a rollback was undone when what it held back is withdrawn for good', async () => {
    await record(generationOf(1, { withdrawn: [held] }));
    const { rolledBackTo: _, ...final } = { ...held, reason: 'it is broken' };
    await record(generationOf(2, { withdrawn: [final] }));
    expect(await events()).toEqual(['withdrawn: jq 1.8-r0 is withdrawn in generation 2: it is broken']);
  });

  test('says what the publisher did not do, of orders alone', async () => {
    const failure = { class: 'package' as const, code: 'request.invalid', message: 'user needs tool', tail: [] };
    for (const effect of ['withdraw-tool-2-r0-7', 'publish-abc']) {
      await tellUndone(context, { kind: 'published', effect, at, failure });
    }
    expect(await events()).toEqual(['problem: withdraw was not done: user needs tool']);
  });
});
