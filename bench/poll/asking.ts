import type { WatchedSource } from '../../src/roles/conductor/watched-sources.ts';
import { enoughFor } from '../../src/roles/enough.ts';
import { pollSources } from '../../src/watch/poll.ts';
import type { PollAnswer, PollRequest, WatchPorts } from '../../src/watch/source.ts';
import type { GraphQLFake } from '../../test/fakes/github-graphql/server.ts';
import { versionsFrom } from './package.ts';

/** What one look at all sources gave. */
export interface Pass {
  readonly answers: ReadonlyMap<string, PollAnswer>;
  /** Sources that were told more than once. */
  readonly duplicates: number;
  readonly requests: number;
  readonly points: number;
  readonly seconds: number;
}

/** Asks every source as a poller does. `cursors`: of the pass before. */
export async function askAll(
  sources: readonly WatchedSource[],
  ports: WatchPorts,
  github: GraphQLFake,
  options: { readonly before?: Pass; readonly batch?: number } = {},
): Promise<Pass> {
  const answers = new Map<string, PollAnswer>();
  let duplicates = 0;
  github.forget();
  const requests = sources.map(({ source, watchers }): PollRequest => {
    const before = options.before?.answers.get(source);
    return {
      source,
      enough: enoughFor(source, watchers),
      cursor: before?.kind === 'observed' ? before.cursor : undefined,
    };
  });
  const begun = performance.now();
  for (const batch of inBatches(requests, options.batch ?? requests.length)) {
    await pollSources(batch, ports, async ({ source }, answer) => {
      if (answers.has(source)) duplicates += 1;
      answers.set(source, answer);
    });
  }
  return {
    answers,
    duplicates,
    requests: github.questions.length,
    points: github.questions.reduce((sum, { points }) => sum + points, 0),
    seconds: Math.round((performance.now() - begun) / 100) / 10,
  };
}

function* inBatches<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size);
}

/** The newest version that each package finds, by its name; of a source that has not changed, what it found before. */
export function newestVersions(
  sources: readonly WatchedSource[],
  { answers }: Pass,
  before?: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { source, watchers } of sources) {
    const answer = answers.get(source);
    for (const watcher of watchers) {
      const name = watcher.package;
      const version =
        answer?.kind === 'observed'
          ? versionsFrom(source, watcher, answer.observation.tags)[0]?.version
          : answer?.kind === 'unchanged'
            ? before?.get(name)
            : undefined;
      if (version !== undefined) found.set(name, version);
    }
  }
  return found;
}
