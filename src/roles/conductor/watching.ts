import type { AnyJobRequest } from '../../jobs/queues.ts';
import type { ReleaseObservation } from '../../model/observation.ts';
import type { WatchRequest } from '../../model/request.ts';
import type { WatchedResult } from '../../model/result.ts';
import { dueAt } from '../../model/watch.ts';
import { isOfGitHubRepository } from '../../watch/repository.ts';
import { watchInterval } from '../../watch/rhythm.ts';
import { storeRequest } from '../effects.ts';
import { saysSomething } from '../enough.ts';
import type { ConductorContext } from './context.ts';
import { createFlights } from './flights.ts';
import { recordWatched, storedCursor } from './observing.ts';
import type { RecipeTree } from './recipes.ts';
import { type WatchedSource, watchedSources } from './watched-sources.ts';

/**
 * How many sources of one kind are asked in one job. GitHub is asked about dozens at a time, and those of which one page is not
 * enough share their further pages: the more of them in one job, the fewer questions. Most others are asked one by one.
 */
const batchSizes: Readonly<Record<string, number>> = { github: 2000 };
const usualBatchSize = 25;

export type WatchContext = Pick<ConductorContext, 'book' | 'objects' | 'queues' | 'clock' | 'settings'>;

/** What is poked: a package, or a repository on GitHub, `OWNER/REPO`. */
export interface Poked {
  readonly what: 'package' | 'repository';
  readonly name: string;
}

export interface Watching {
  /** The jobs that ask every source that is due and is not being asked. `slot`: of the schedule. */
  due(tree: RecipeTree, slot: number): Promise<readonly AnyJobRequest[]>;
  /** The jobs that ask sources now, whether they are due or not. `slot`: seconds since 1970. */
  poked(tree: RecipeTree, about: Poked, slot: number): Promise<readonly AnyJobRequest[]>;
  /** Writes down what sources said. Says whether anything is new. */
  record(result: WatchedResult): Promise<boolean>;
}

/** When which upstream is asked. What was asked when is in the ledger; what is being asked is in memory. */
export function createWatching(context: WatchContext): Watching {
  const { book, clock, queues, objects } = context;
  const { watch: bounds, policy } = context.settings;
  const flights = createFlights(clock);

  /** Brings the rows of what is watched up to date: recipes come, go and change, and the rhythm of a source does. */
  async function watch(tree: RecipeTree): Promise<ReadonlyMap<string, WatchedSource>> {
    const watched = watchedSources(tree, policy);
    for (const { source, watchers, period } of watched.values()) {
      const asked = pastOrNow(book.get('watch', source)?.value.asked, clock.now());
      const failure = book.get('observation', `failure/${source}`)?.value;
      const facts = { observation: observationOf(source), failingSince: failure?.observedAt, asked, period };
      const interval = watchInterval(facts, bounds, clock.now()) / 1000;
      const packages = watchers.map((watcher) => watcher.package);
      await book.put('watch', source, { source, packages, interval, ...(asked === undefined ? {} : { asked }) });
    }
    const gone = [...book.all('watch')].filter(({ key, value }) => value.packages.length > 0 && !watched.has(key));
    for (const { key, value } of gone) {
      // What it said stays for a while: a recipe that cannot be read today may be mended tomorrow.
      await book.put('watch', key, { ...value, packages: [] });
      await book.remove('observation', `failure/${key}`);
    }
    return watched;
  }

  function observationOf(source: string): ReleaseObservation | undefined {
    const observation = book.get('observation', `release/${source}`)?.value;
    return observation?.kind === 'release' ? observation : undefined;
  }

  async function ask(sources: readonly WatchedSource[], slot: number, urgent: boolean): Promise<AnyJobRequest> {
    const request: WatchRequest = {
      kind: 'watch',
      slot,
      urgent,
      sources: sources.map(({ source, watchers }) => {
        const observation = observationOf(source);
        const cursor = storedCursor(context, source);
        // Older tags that were not read may be what a recipe of today looks for: `unchanged` would be no answer to it.
        const lacks = observation?.more === true && !saysSomething(source, watchers, observation.tags);
        return {
          source,
          watchers: [...watchers],
          ...(cursor === undefined || cursor === '' || lacks ? {} : { cursor }),
        };
      }),
    };
    const key = await storeRequest(objects, request);
    flights.begin(
      key,
      sources.map(({ source }) => source),
      urgent,
    );
    return { type: 'watch-releases', payload: { request: key }, urgency: urgent ? 'security' : 'low' };
  }

  const find = (request: string) => queues.find('watch-releases', { request });

  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: two that write the same row at once would undo each other's part of it. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.catch(() => undefined).then(work);
    last = turn;
    return turn;
  }

  return {
    due: (tree, slot) =>
      inTurn(async () => {
        const watched = await watch(tree);
        await flights.check(find);
        const now = clock.now().getTime();
        const due = [...book.all('watch')]
          .map(({ value }) => ({ source: value.source, at: dueAt(value) }))
          .filter(({ source, at }) => at <= now && !flights.has(source))
          .sort((a, b) => (a.at === b.at ? 0 : a.at < b.at ? -1 : 1));
        const sources = due.flatMap(({ source }) => watched.get(source) ?? []);
        const jobs: AnyJobRequest[] = [];
        for (const batch of batches(sources)) jobs.push(await ask(batch, slot, false));
        return jobs;
      }),

    poked: (tree, about, slot) =>
      inTurn(async () => {
        const meant = [...watchedSources(tree, policy).values()].filter((source) => isMeant(source, about));
        // A webhook of a whole organization tells of many repositories that nobody watches.
        if (meant.length === 0) return [];
        await watch(tree);
        const sources: WatchedSource[] = [];
        for (const source of meant) if (!(await isAboutToBeAsked(source.source))) sources.push(source);
        const jobs: AnyJobRequest[] = [];
        for (const batch of batches(sources)) jobs.push(await ask(batch, slot, true));
        return jobs;
      }),

    record: (result) =>
      inTurn(async () => {
        const changed = await recordWatched(context, result);
        for (const { source } of result.answers) flights.landed(result.request, source);
        if (result.end !== undefined) {
          flights.returned(result.request, result.end.unasked, result.end.retryAfter);
          await objects.remove(result.request);
        }
        return changed;
      }),
  };

  /** Whether somebody who pokes already waits in the queue: what that job will see is what this one would. */
  async function isAboutToBeAsked(source: string): Promise<boolean> {
    for (const request of flights.urgentOf(source)) if ((await find(request)) === 'waiting') return true;
    return false;
  }
}

/** A clock that was put back must not make a source wait until that time comes again. */
function pastOrNow(asked: string | undefined, now: Date): string | undefined {
  return asked !== undefined && Date.parse(asked) > now.getTime() ? now.toISOString() : asked;
}

function isMeant({ source, watchers }: WatchedSource, { what, name }: Poked): boolean {
  return what === 'package' ? watchers.some((one) => one.package === name) : isOfGitHubRepository(source, name);
}

/** The sources by kind, in their order, so many at a time. */
function batches(sources: readonly WatchedSource[]): readonly (readonly WatchedSource[])[] {
  const open = new Map<string, WatchedSource[]>();
  const all: WatchedSource[][] = [];
  for (const source of sources) {
    const kind = source.source.slice(0, source.source.indexOf(':'));
    const batch = open.get(kind);
    if (batch === undefined || batch.length >= (batchSizes[kind] ?? usualBatchSize)) {
      const fresh = [source];
      open.set(kind, fresh);
      all.push(fresh);
    } else batch.push(source);
  }
  return all;
}
