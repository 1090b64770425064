import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../log.ts';
import type { Ending } from '../host.ts';

/** What someone does while they hold something that only one may hold. */
export interface Turn {
  /** Resolves when nothing of it goes on any more. */
  end(ending: Ending): Promise<void>;
}

export interface SuccessionOptions<T extends Turn> {
  /** Begins a turn. `signal`: aborted when what it is for is no longer held. What it throws is logged, and it is tried again. */
  readonly take: (signal: AbortSignal) => Promise<T>;
  /** Milliseconds between two tries. */
  readonly pause: number;
  readonly log: Logger;
}

export interface Succession<T extends Turn> {
  /** A turn is due, until `signal` aborts. It begins when the one before it has ended. */
  begin(signal: AbortSignal): void;
  /** The turn of now, or of when there is one. */
  current(): Promise<T>;
  /** Ends the turn of now; resolves when no turn goes on. */
  end(ending: Ending): Promise<void>;
}

/** Turns one after another: what is lost and gained again a moment later must not be used by two. */
export function createSuccession<T extends Turn>({ take, pause, log }: SuccessionOptions<T>): Succession<T> {
  let now: { readonly turn: Promise<T | undefined>; readonly end: (ending: Ending) => Promise<void> } | undefined;
  let last: Promise<void> = Promise.resolve();
  let waiting: (() => void)[] = [];

  async function hold(before: Promise<void>, signal: AbortSignal): Promise<T | undefined> {
    await before;
    while (!signal.aborted) {
      try {
        return await take(signal);
      } catch (thrown) {
        if (signal.aborted) break;
        log.error({ err: thrown, pause }, 'the conductor cannot start; it is tried again');
        // Also a pause is over when the signal says so.
        await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  return {
    begin(held) {
      const stop = new AbortController();
      const signal = AbortSignal.any([held, stop.signal]);
      const turn = hold(last, signal);
      let ended: Promise<void> | undefined;
      let settle: () => void = () => undefined;
      last = new Promise((resolve) => {
        settle = resolve;
      });
      const mine = {
        turn,
        end(ending: Ending): Promise<void> {
          if (now === mine) now = undefined;
          ended ??= finish(turn, ending, stop, log).finally(settle);
          return ended;
        },
      };
      now = mine;
      held.addEventListener('abort', () => void mine.end({ how: 'stop', grace: 0 }));
      for (const go of waiting) go();
      waiting = [];
    },
    async current() {
      for (;;) {
        if (now === undefined) await new Promise<void>((go) => waiting.push(go));
        const turn = await now?.turn;
        if (turn !== undefined) return turn;
      }
    },
    async end(ending) {
      await now?.end(ending);
      if (ending.how === 'stop') await last;
    },
  };
}

/** Lets a turn that has begun end in its own way, and one that has not come to nothing. */
async function finish<T extends Turn>(
  turn: Promise<T | undefined>,
  ending: Ending,
  stop: AbortController,
  log: Logger,
): Promise<void> {
  const begun = await Promise.race([turn, Promise.resolve('beginning' as const)]);
  if (begun === 'beginning' || ending.how === 'kill') stop.abort();
  try {
    await (await turn)?.end(ending);
  } catch (thrown) {
    log.error({ err: thrown }, 'the conductor did not end in good order');
  } finally {
    stop.abort();
  }
}
