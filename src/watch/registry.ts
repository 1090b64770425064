import { RegrowError, reportError, toRegrowError } from '../errors.ts';
import type { WatchFailure } from '../model/observation.ts';
import type { Recipe } from '../model/recipe/recipe.ts';
import type { PollAnswer, PollRequest, ReleaseSource, WatchPorts } from './source.ts';
import { githubSource } from './sources/github.ts';

/** Every kind of source, one file each in `sources/`; a test compares the two. */
export const releaseSources: readonly ReleaseSource[] = [githubSource];

/** The key of the source that a recipe watches; undefined where regrow has none for it. */
export function sourceOf(recipe: Recipe): string | undefined {
  for (const source of releaseSources) {
    const key = source.key(recipe);
    if (key !== undefined) return key;
  }
  return undefined;
}

/**
 * Asks one source. Whatever is wrong with it is an answer, about that source alone. Throws only what is not about the source:
 * aborted, and upstream.rate-limited, which ends by itself and must not make a failing source of it.
 */
export async function pollSource(request: PollRequest, ports: WatchPorts): Promise<PollAnswer> {
  const kind = request.source.slice(0, request.source.indexOf(':'));
  try {
    const source = releaseSources.find((candidate) => candidate.kind === kind);
    if (source === undefined) throw new RegrowError('internal', `there is no kind of source for ${request.source}`);
    return await source.poll(request, ports);
  } catch (thrown) {
    rethrowUnlessAboutSource(thrown);
    return { kind: 'failed', failure: failureOf(request.source, thrown, ports.clock.now()) };
  }
}

export function rethrowUnlessAboutSource(thrown: unknown): void {
  const { code } = toRegrowError(thrown);
  if (code === 'aborted' || code === 'upstream.rate-limited') throw thrown;
}

export function failureOf(source: string, thrown: unknown, now: Date): WatchFailure {
  const { code, message } = reportError(thrown);
  return { kind: 'failure', source, code, message, observedAt: now.toISOString() };
}
