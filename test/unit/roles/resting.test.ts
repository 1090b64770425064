import { expect, test } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import type { Problem } from '../../../src/model/plan.ts';
import type { Proposal } from '../../../src/model/proposal.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { unlessRefused } from '../../../src/roles/conductor/resting.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';

const refused = new RegrowError('forge.refused', 'a review is missing', { retry: 'later' });

async function start() {
  const clock = createManualClock('2026-06-01T09:00:00.000Z');
  const book = await openBook(createMemoryLedger(), clock);
  let asked = 0;
  /** One round of a conductor: what was asked so far, and the problems that are left in the ledger. */
  async function round(
    head: string,
    main: string,
    answer: boolean | Error = refused,
    what: 'merge' | 'remake' = 'merge',
  ) {
    const problems = new Map<string, Problem>();
    const world = { tree: { commit: main }, problems } as unknown as World;
    const proposal = { number: 7, package: 'jq', head } as Proposal;
    const done = await unlessRefused(
      { book, clock } as unknown as ConductorContext,
      world,
      proposal,
      what,
      async () => {
        asked += 1;
        if (answer instanceof Error) throw answer;
        return answer;
      },
    );
    await book.replace('problem', new Map([...problems].map(([key, value]) => [key, { value, about: 'jq' }])));
    return { done, asked, problems: [...book.all('problem')].map(({ value }) => `${value.code}: ${value.message}`) };
  }
  return { clock, round };
}

const problem = 'forge.refused: pull request #7: a review is missing';

test('what was refused is a problem that stays, and is asked again when head or main is another one, or after a while', async () => {
  const { clock, round } = await start();
  expect(await round('h1', 'm1')).toEqual({ done: false, asked: 1, problems: [problem] });
  for (let minute = 0; minute < 10; minute += 1) {
    clock.advance(60_000);
    expect(await round('h1', 'm1')).toEqual({ done: false, asked: 1, problems: [problem] });
  }
  expect(await round('h1', 'm2')).toMatchObject({ asked: 2 });
  expect(await round('h2', 'm2')).toMatchObject({ asked: 3 });
  expect(await round('h2', 'm2')).toMatchObject({ asked: 3 });
  clock.advance(15 * 60_000);
  expect(await round('h2', 'm2')).toMatchObject({ asked: 4 });
  clock.advance(14 * 60_000);
  expect(await round('h2', 'm2', true)).toMatchObject({ asked: 4 });
  clock.advance(60_000);
  expect(await round('h2', 'm2', true)).toEqual({ done: true, asked: 5, problems: [] });
});

test('what goes away at once, or is not about the proposal, is thrown', async () => {
  const { round } = await start();
  const now = new RegrowError('forge.conflict', 'moved', { retry: 'now' });
  const away = new RegrowError('upstream.unreachable', 'away', { retry: 'later' });
  await expect(round('h', 'm', now)).rejects.toBe(now);
  await expect(round('h', 'm', away)).rejects.toBe(away);
  await expect(round('h', 'm', new TypeError('bug'))).rejects.toThrow('bug');
  // Sources that cannot be had keep an update from being made again: not tried in every round.
  expect(await round('h', 'm', away, 'remake')).toMatchObject({ done: false, asked: 4 });
  expect(await round('h', 'm', away, 'remake')).toMatchObject({ asked: 4 });
});
