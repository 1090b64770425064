import type { Git } from '../../src/ports/git.ts';
import type { HttpAnswer, HttpRequest } from '../../src/ports/http.ts';
import type { WatchPorts } from '../../src/watch/source.ts';
import { createManualClock } from '../fakes/manual-clock.ts';

function unused(): Promise<never> {
  return Promise.reject(new Error('this test opens no such door'));
}

/** The doors of a poller, those shut that a test does not give. */
export function watchPorts({
  git = {},
  http = unused,
  clock = createManualClock('2026-11-25T12:00:00.000Z'),
}: {
  readonly git?: Partial<Git>;
  readonly http?: (request: HttpRequest) => Promise<HttpAnswer>;
  readonly clock?: WatchPorts['clock'];
}): WatchPorts {
  return {
    releases: { releases: unused, tags: unused },
    git: { lsRemote: unused, checkout: unused, files: unused, ...git },
    http: { request: http },
    clock,
  };
}

/** An answer over HTTP with status 200, unless it says otherwise. */
export function httpAnswer(body: string, more: Partial<HttpAnswer> = {}): HttpAnswer {
  return { status: 200, headers: {}, body: new TextEncoder().encode(body), ...more };
}
