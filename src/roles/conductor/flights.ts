import type { JobState } from '../../jobs/queues.ts';
import type { Clock } from '../../ports/clock.ts';

/** How long an answer may take from its poller to the ledger once the queue has its job no more, milliseconds. */
const longestWay = 5 * 60_000;
/** How long what was given back rests where the host did not say, and at most, milliseconds. */
const usualRest = 60_000;
const longestRest = 3600_000;

interface Flight {
  readonly sources: Set<string>;
  readonly urgent: boolean;
  /** When the queue had its job last. */
  seen: number;
}

interface Rest {
  readonly from: number;
  readonly until: number;
}

/**
 * What is being asked and has not answered, so that it is not asked again. Only in memory: a conductor that begins asks again
 * what was under way, which costs a question and does no harm. No time that lies ahead counts, so that a clock that is put
 * back holds nothing up.
 */
export interface Flights {
  begin(request: string, sources: readonly string[], urgent: boolean): void;
  /** A source of a request has answered. */
  landed(request: string, source: string): void;
  /** A request gives sources back that were not asked; they are left alone for `seconds`. */
  returned(request: string, unasked: readonly string[], seconds: number | undefined): void;
  /** Lets go of requests that the queue has lost, and of those whose answers do not come. */
  check(find: (request: string) => Promise<JobState | undefined>): Promise<void>;
  /** Whether a source is to be left alone now. */
  has(source: string): boolean;
  /** Requests under way in which somebody waits for the source. */
  urgentOf(source: string): readonly string[];
}

export function createFlights(clock: Clock): Flights {
  const flights = new Map<string, Flight>();
  const rests = new Map<string, Rest>();
  const now = () => clock.now().getTime();

  function isResting(source: string): boolean {
    const rest = rests.get(source);
    return rest !== undefined && rest.from <= now() && now() < rest.until;
  }

  function leave(request: string, source: string): void {
    const sources = flights.get(request)?.sources;
    sources?.delete(source);
    if (sources?.size === 0) flights.delete(request);
  }

  return {
    begin(request, sources, urgent) {
      flights.set(request, { sources: new Set(sources), urgent, seen: now() });
    },
    landed(request, source) {
      leave(request, source);
      rests.delete(source);
    },
    returned(request, unasked, seconds) {
      const rest = seconds === undefined ? usualRest : Math.min(seconds * 1000, longestRest);
      for (const source of unasked) {
        leave(request, source);
        rests.set(source, { from: now(), until: now() + rest });
      }
    },
    async check(find) {
      for (const [request, flight] of flights) {
        const state = await find(request);
        flight.seen = state === 'completed' || state === 'failed' ? Math.min(flight.seen, now()) : now();
        if (state === undefined || now() - flight.seen >= longestWay) flights.delete(request);
      }
      for (const source of rests.keys()) if (!isResting(source)) rests.delete(source);
    },
    has(source) {
      if (isResting(source)) return true;
      for (const { sources } of flights.values()) if (sources.has(source)) return true;
      return false;
    },
    urgentOf: (source) =>
      [...flights].flatMap(([request, { urgent, sources }]) => (urgent && sources.has(source) ? [request] : [])),
  };
}
