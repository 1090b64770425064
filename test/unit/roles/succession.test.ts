import { expect, test } from 'vitest';
import { createSuccession } from '../../../src/roles/conductor/succession.ts';
import { testLog } from '../../support/log.ts';

/** Turns whose begin and end a test decides. */
function turns(fails: (number: number) => boolean = () => false) {
  const said: string[] = [];
  const releases: (() => void)[] = [];
  let number = 0;
  const { log, lines } = testLog();
  const succession = createSuccession({
    pause: 1,
    log,
    async take(signal) {
      number += 1;
      const mine = number;
      if (fails(mine)) throw new Error('no');
      said.push(`begin ${mine}`);
      return {
        number: mine,
        signal,
        async end({ how }: { how: string }) {
          said.push(`${how} ${mine}`);
          if (how === 'stop') await new Promise<void>((release) => releases.push(release));
          said.push(`ended ${mine}`);
        },
      };
    },
  });
  const settled = async () => {
    for (let tick = 0; tick < 20; tick += 1) await Promise.resolve();
  };
  return { succession, said, lines, settled, release: () => releases.shift()?.() };
}

test('a turn begins when the one before it has ended, however soon it is due', async () => {
  const { succession, said, settled, release } = turns();
  const first = new AbortController();
  succession.begin(first.signal);
  expect((await succession.current()).number).toBe(1);
  // Redis was emptied: lost, and gained again in the same moment.
  first.abort();
  succession.begin(new AbortController().signal);
  await settled();
  expect(said).toEqual(['begin 1', 'stop 1']);
  release();
  expect((await succession.current()).number).toBe(2);
  expect(said).toEqual(['begin 1', 'stop 1', 'ended 1', 'begin 2']);
});

test('a turn that cannot begin is tried again and logged, while it is due', async () => {
  const { succession, said, lines } = turns((number) => number < 3);
  succession.begin(new AbortController().signal);
  expect((await succession.current()).number).toBe(3);
  expect(said).toEqual(['begin 3']);
  expect(lines.filter(({ msg }) => String(msg).includes('cannot start'))).toHaveLength(2);
});

test('one that is lost before it began is not tried again; who asks gets the next one', async () => {
  const { succession, said } = turns((number) => number === 1);
  const first = new AbortController();
  succession.begin(first.signal);
  first.abort();
  const asked = succession.current();
  succession.begin(new AbortController().signal);
  expect(await asked).toMatchObject({ number: expect.any(Number) });
  expect(said.filter((text) => text.startsWith('begin'))).toHaveLength(1);
});

test('to end waits for what a lost turn still does; to be killed waits for nothing', async () => {
  const { succession, said, settled, release } = turns();
  const first = new AbortController();
  succession.begin(first.signal);
  const { signal } = await succession.current();
  first.abort();
  let ended = false;
  const end = succession.end({ how: 'stop', grace: 0 }).then(() => {
    ended = true;
  });
  await settled();
  expect([ended, signal.aborted]).toEqual([false, true]);
  release();
  await end;

  succession.begin(new AbortController().signal);
  const second = await succession.current();
  await succession.end({ how: 'kill' });
  expect(second.signal.aborted).toBe(true);
  expect(said.slice(-2)).toEqual(['kill 2', 'ended 2']);
});
