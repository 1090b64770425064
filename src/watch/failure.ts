import { reportError, toRegrowError } from '../errors.ts';
import type { WatchFailure } from '../model/observation.ts';

/** Throws again what is not about the source: aborted, and upstream.rate-limited, which ends by itself. */
export function rethrowUnlessAboutSource(thrown: unknown): void {
  const { code } = toRegrowError(thrown);
  if (code === 'aborted' || code === 'upstream.rate-limited') throw thrown;
}

export function failureOf(source: string, thrown: unknown, now: Date): WatchFailure {
  const { code, message } = reportError(thrown);
  return { kind: 'failure', source, code, message, observedAt: now.toISOString() };
}
