import { setTimeout as timer } from 'node:timers/promises';

/** Waits for milliseconds, or until the signal aborts. Tests turn a clock instead. */
export type Pause = (milliseconds: number, signal?: AbortSignal) => Promise<void>;

export const realPause: Pause = async (milliseconds, signal) => {
  try {
    await timer(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch {
    // Woken before the time: who waits looks again.
  }
};
