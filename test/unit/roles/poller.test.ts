import { beforeEach, describe, expect, test } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import type { JobPayload } from '../../../src/jobs/catalogue.ts';
import type { Queues } from '../../../src/jobs/queues.ts';
import type { UpstreamTag } from '../../../src/model/observation.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import type { WatchRequest } from '../../../src/model/request.ts';
import { type WatchedResult, watchedResultSchema } from '../../../src/model/result.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { requestKey, storeRequest } from '../../../src/roles/effects.ts';
import { createPoller } from '../../../src/roles/poller.ts';
import { releaseSources } from '../../../src/watch/registry.ts';
import type { PollRequest, ReleaseSource, TellAnswer, WatchPorts } from '../../../src/watch/source.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';

let clock: ManualClock;
let objects: Objects;
/** What the conductor was told, each effect once, as the queue remembers it. */
let told: JobPayload<'result'>[];

beforeEach(() => {
  clock = createManualClock('2026-06-01T09:00:00.000Z');
  objects = createMemoryObjects();
  told = [];
});

const queues = {
  async enqueue(_type: 'result', payload: JobPayload<'result'>) {
    if (!told.some(({ effect }) => effect === payload.effect)) told.push(payload);
    return payload.effect;
  },
} as unknown as Queues;

/** Puts a source in the place of GitHub's while `work` runs. */
async function withSource(
  pollMany: (requests: readonly PollRequest[], tell: TellAnswer) => Promise<void>,
  work: () => Promise<void>,
): Promise<void> {
  const index = releaseSources.findIndex(({ kind }) => kind === 'github');
  const real = releaseSources[index];
  if (real === undefined) throw new Error('no such source');
  const fake: ReleaseSource = { ...real, pollMany: (requests, _ports, tell) => pollMany(requests, tell) };
  Object.assign(releaseSources, { [index]: fake });
  try {
    await work();
  } finally {
    Object.assign(releaseSources, { [index]: real });
  }
}

const { update } = parseRecipe(
  'a.yaml',
  'package:\n  name: a\n  version: "1.0"\n  epoch: 0\nupdate:\n  enabled: true\n  ignore-regex-patterns:\n    - beta\n  github:\n    identifier: o/a\n    tag-filter-prefix: lts-\n    strip-prefix: lts-\n',
).recipe;
if (update === undefined) throw new Error('the recipe has no update block');
const watcher = { package: 'a', update, chosenBy: 'update' } as const;

const source = (name: string) => `github:o/${name}/releases`;
function requestOf(names: readonly string[], change: Partial<WatchRequest> = {}): WatchRequest {
  const sources = names.map((name) => ({ source: source(name), cursor: 'c'.repeat(5000), watchers: [watcher] }));
  return { kind: 'watch', slot: 1, urgent: false, sources, ...change };
}

const tags = (...names: readonly string[]): UpstreamTag[] => names.map((tag) => ({ tag, prerelease: false }));
async function tell(to: TellAnswer, request: PollRequest, ...names: readonly string[]): Promise<void> {
  const observedAt = clock.now().toISOString();
  const observation = { kind: 'release' as const, source: request.source, tags: tags(...names), observedAt };
  await to(request, { kind: 'observed', observation, cursor: undefined });
}

async function run(request: WatchRequest): Promise<void> {
  const poller = createPoller({ objects, queues, ports: { clock } as unknown as WatchPorts, feeds: [] });
  const context = { signal: new AbortController().signal, log: testLog().log, attempt: 1 };
  await poller['watch-releases']?.({ request: requestKey(request) }, context);
}

async function pieces(): Promise<readonly WatchedResult[]> {
  const all: WatchedResult[] = [];
  for (const { key } of told) {
    all.push(watchedResultSchema.parse(JSON.parse(new TextDecoder().decode((await objects.get(key))?.bytes))));
  }
  return all;
}

const sourcesOf = (results: readonly WatchedResult[]) =>
  results.flatMap(({ answers }) => answers.map((one) => one.source));
const names = (count: number) => Array.from({ length: count }, (_, n) => `p${n}`);

describe('a watch job', () => {
  test('asks what the request says, as it says', async () => {
    const request = requestOf(['a'], { urgent: true });
    await storeRequest(objects, request);
    const asked: PollRequest[] = [];
    await withSource(
      async (requests, to) => {
        asked.push(...requests);
        for (const one of requests) await tell(to, one, 'lts-1.0');
      },
      () => run(request),
    );
    expect(asked).toMatchObject([{ source: source('a'), urgent: true, cursor: 'c'.repeat(5000) }]);
    expect(asked[0]?.enough?.(tags('2.0', 'lts-1.0-beta'))).toBe(false);
    expect(asked[0]?.enough?.(tags('2.0', 'lts-1.0'))).toBe(true);
    expect(await pieces()).toMatchObject([
      { request: requestKey(request), answers: [{ source: source('a'), kind: 'observed' }], end: { unasked: [] } },
    ]);
  });

  test('a recipe with a bad pattern makes nobody read on', async () => {
    const broken = { ...watcher, package: 'b', update: { ...update, 'ignore-regex-patterns': ['(?=x)'] } };
    const request = requestOf([], { sources: [{ source: source('a'), watchers: [broken] }] });
    await storeRequest(objects, request);
    let enough: PollRequest['enough'];
    await withSource(
      async ([one]) => {
        enough = one?.enough;
      },
      () => run(request),
    );
    expect(enough?.([])).toBe(true);
  });

  test('leaves answers in pieces as they come, each once, the end in the last', async () => {
    const request = requestOf(names(120));
    await storeRequest(objects, request);
    const seen: number[] = [];
    await withSource(
      async (requests, to) => {
        for (const one of requests) {
          await tell(to, one, 'v1');
          seen.push(told.length);
        }
      },
      () => run(request),
    );
    expect([seen[48], seen[49], seen[98], seen[99], seen[119]]).toEqual([0, 1, 1, 2, 2]);
    const all = await pieces();
    expect(all.map(({ answers, end }) => [answers.length, end !== undefined])).toEqual([
      [50, false],
      [50, false],
      [20, true],
    ]);
    expect(sourcesOf(all)).toEqual(names(120).map(source));
  });

  test('an answer does not wait long for others, and a huge one is a piece by itself', async () => {
    const request = requestOf(['slow', 'late', 'huge', 'small']);
    await storeRequest(objects, request);
    const huge = Array.from({ length: 20_000 }, (_, n) => `v${n}`);
    await withSource(
      async ([slow, late, large, small], to) => {
        if (slow === undefined || late === undefined || large === undefined || small === undefined) return;
        await tell(to, slow, 'v1');
        clock.advance(6000);
        await tell(to, late, 'v1');
        await tell(to, large, ...huge);
        await tell(to, small, 'v1');
      },
      () => run(request),
    );
    const all = await pieces();
    expect(all.map((one) => sourcesOf([one]))).toEqual([
      [source('slow'), source('late')],
      [source('huge')],
      [source('small')],
    ]);
  });

  test('that dies in the middle has left what was told; tried again, it says the rest', async () => {
    const request = requestOf(names(3));
    await storeRequest(objects, request);
    const aborted = new RegrowError('aborted', 'stopping', { retry: 'now' });
    const dying = withSource(
      async ([first], to) => {
        if (first !== undefined) await tell(to, first, 'v1');
        throw aborted;
      },
      () => run(request),
    );
    await expect(dying).rejects.toBe(aborted);
    expect(await pieces()).toMatchObject([{ answers: [{ source: source('p0') }] }]);
    expect((await pieces())[0]).not.toHaveProperty('end');
    await withSource(
      async (requests, to) => {
        for (const one of requests) await tell(to, one, 'v1');
      },
      () => run(request),
    );
    const all = await pieces();
    expect(sourcesOf(all.slice(1))).toEqual(names(3).map(source));
    expect(all.at(-1)?.end).toEqual({ unasked: [] });
  });

  test('gives back what a host did not let be asked, and is done', async () => {
    const request = requestOf(names(3));
    await storeRequest(objects, request);
    await withSource(
      async ([first], to) => {
        if (first !== undefined) await tell(to, first, 'v1');
        throw new RegrowError('upstream.rate-limited', 'slow down', { retry: 'later', retryAfter: 90 });
      },
      () => run(request),
    );
    expect(await pieces()).toMatchObject([
      { answers: [{ source: source('p0') }], end: { unasked: [source('p1'), source('p2')], retryAfter: 90 } },
    ]);
  });

  test('whose request was answered before has nothing to do', async () => {
    await withSource(
      () => Promise.reject(new Error('asked')),
      () => run(requestOf(['a'])),
    );
    expect(told).toEqual([]);
  });
});
