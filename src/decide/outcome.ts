import type { Decision } from '../model/decision.ts';

/** A decision without what is the same for every outcome of one package. */
export type Outcome = Pick<Decision, 'action' | 'reason' | 'because'> & Partial<Decision>;

export function ignore(reason: Decision['reason'], because: string): Outcome {
  return { action: 'ignore', reason, because };
}

export function hold(reason: Decision['reason'], because: string): Outcome {
  return { action: 'hold', reason, because };
}

export function current(because: string): Outcome {
  return { action: 'current', reason: 'up-to-date', because };
}
