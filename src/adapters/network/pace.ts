import { setTimeout as delay } from 'node:timers/promises';
import { RegrowError } from '../../errors.ts';

export interface PaceOptions {
  /** Requests a second that a host (`HOST` or `HOST:PORT`, as in addresses) is asked at most; undefined: as many as there are. */
  readonly perSecond: (host: string) => number | undefined;
  /** Requests at the same time that a host is asked at most. Default 2. */
  readonly atOnce?: number;
  /** Milliseconds that only grow, and waiting for them; a test turns them by hand. */
  readonly time?: PaceTime;
}

export interface PaceTime {
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** Politeness to the hosts of others, each for itself. */
export interface Pace {
  /**
   * Waits until the host may be asked; what it gives is called when the answer has been read. Throws upstream.rate-limited at once
   * while the host wants to be left alone, and aborted.
   */
  enter(host: string, signal?: AbortSignal): Promise<() => void>;
  /** The host said that it wants to be left alone for so many seconds; a day is the most that is believed. */
  leaveAlone(host: string, seconds: number): void;
}

/** Seconds. */
const longestQuiet = 86_400;

interface HostState {
  asking: number;
  /** When the next request may go out. */
  next: number;
  quietUntil: number;
  readonly waiting: (() => void)[];
}

const machineTime: PaceTime = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    await delay(milliseconds, undefined, { signal });
  },
};

export function createPace({ perSecond, atOnce = 2, time = machineTime }: PaceOptions): Pace {
  const hosts = new Map<string, HostState>();
  const stateOf = (host: string): HostState => {
    const state = hosts.get(host) ?? { asking: 0, next: 0, quietUntil: 0, waiting: [] };
    hosts.set(host, state);
    return state;
  };
  const refuseWhileQuiet = (host: string, { quietUntil }: HostState): void => {
    const left = quietUntil - time.now();
    if (left > 0) throw leftAlone(host, Math.ceil(left / 1000));
  };
  // A turn is handed on, so that nobody who comes in between takes it.
  const leave = (state: HostState): void => {
    const next = state.waiting.shift();
    if (next === undefined) state.asking -= 1;
    else next();
  };
  return {
    async enter(host, signal = new AbortController().signal) {
      const state = stateOf(host);
      refuseWhileQuiet(host, state);
      const limit = perSecond(host);
      if (limit === undefined) return () => {};
      if (state.asking >= atOnce) await turn(state, signal);
      else state.asking += 1;
      try {
        refuseWhileQuiet(host, state);
        const now = time.now();
        const at = Math.max(now, state.next);
        state.next = at + 1000 / limit;
        if (at > now) await time.sleep(at - now, signal);
        refuseWhileQuiet(host, state);
      } catch (thrown) {
        leave(state);
        throw thrown;
      }
      let left = false;
      return () => {
        if (!left) leave(state);
        left = true;
      };
    },
    leaveAlone(host, seconds) {
      const state = stateOf(host);
      state.quietUntil = Math.max(state.quietUntil, time.now() + Math.min(seconds, longestQuiet) * 1000);
    },
  };
}

/** Resolves when another one has left; one that is stopped while it waits gives its turn to nobody. */
function turn(state: HostState, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      state.waiting.splice(state.waiting.indexOf(go), 1);
      reject(new RegrowError('aborted', 'stopped while it waited for its turn', { retry: 'now' }));
    };
    const go = (): void => {
      signal.removeEventListener('abort', stop);
      resolve();
    };
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    state.waiting.push(go);
  });
}

/** What is thrown for a host that said, or is known to have said, that it wants to be left alone. */
export function leftAlone(host: string, retryAfter: number | undefined): RegrowError {
  return new RegrowError('upstream.rate-limited', `${host} asks to be left alone for a while`, {
    retry: 'later',
    ...(retryAfter === undefined ? {} : { retryAfter }),
    remedy: 'nothing to do: it is asked again later; a token raises the limit',
  });
}
