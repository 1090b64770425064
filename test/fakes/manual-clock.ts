import type { Clock } from '../../src/ports/clock.ts';

export interface ManualClock extends Clock {
  /** Moves time on by milliseconds. */
  advance(milliseconds: number): void;
  set(at: Date | string): void;
}

/** A clock that stands still until a test turns it. `start`: ISO 8601 or a Date. */
export function createManualClock(start: Date | string): ManualClock {
  let now = new Date(start).getTime();
  return {
    now: () => new Date(now),
    advance(milliseconds) {
      now += milliseconds;
    },
    set(at) {
      now = new Date(at).getTime();
    },
  };
}
