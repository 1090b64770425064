import { beforeEach, describe, expect, test } from 'vitest';
import type { JobState } from '../../../src/jobs/queues.ts';
import type { UpstreamTag } from '../../../src/model/observation.ts';
import { parseRecipe } from '../../../src/model/recipe/recipe.ts';
import { type WatchRequest, watchRequestSchema } from '../../../src/model/request.ts';
import type { WatchAnswer, WatchedResult } from '../../../src/model/result.ts';
import type { Ledger } from '../../../src/ports/ledger.ts';
import type { Objects } from '../../../src/ports/objects.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import type { RecipeTree } from '../../../src/roles/conductor/recipes.ts';
import { watchedSources } from '../../../src/roles/conductor/watched-sources.ts';
import { createWatching, type WatchContext, type Watching } from '../../../src/roles/conductor/watching.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';

const minute = 60_000;
let clock: ManualClock;
let ledger: Ledger;
let book: Book;
let objects: Objects;
let watching: Watching;
/** What the queue says of requests: those that it was given and nobody has done. */
let queued: Map<string, JobState>;

beforeEach(async () => {
  clock = createManualClock('2026-06-01T09:00:00.000Z');
  ledger = createMemoryLedger();
  objects = createMemoryObjects();
  queued = new Map();
  await begin();
});

/** A conductor that begins, with what the ledger holds. */
async function begin(): Promise<void> {
  book = await openBook(ledger, clock);
  const find = async (_type: string, { request }: { request: string }) => queued.get(request);
  const settings = { watch: { shortest: 5 * minute, longest: 30 * minute }, policy: { anyStream: [] } };
  watching = createWatching({ book, objects, clock, queues: { find }, settings } as unknown as WatchContext);
}

/** Recipes by name: what stands below `update:`, indented by two. */
function treeOf(updates: Readonly<Record<string, string>>): RecipeTree {
  const recipes = Object.entries(updates).map(([name, update]) => {
    const text = `package:\n  name: ${name}\n  version: "1.0"\n  epoch: 0\nupdate:\n  enabled: true\n${update}`;
    return [
      name,
      { path: `${name}.yaml`, blob: name, text, recipe: parseRecipe(`${name}.yaml`, text).recipe },
    ] as const;
  });
  return { recipes: new Map(recipes) } as unknown as RecipeTree;
}

const github = (identifier: string, more = '') => `  github:\n    identifier: ${identifier}\n${more}`;
const many = (count: number) =>
  treeOf(Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, github(`o/p${n}`)])));
const source = (name: string) => `github:o/${name}/releases`;

interface Asked extends WatchRequest {
  readonly key: string;
  readonly urgency: string | undefined;
}

async function read(jobs: Awaited<ReturnType<Watching['due']>>): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (const job of jobs) {
    if (job.type !== 'watch-releases') throw new Error(`a ${job.type} job`);
    const key = job.payload.request;
    const object = await objects.get(key);
    queued.set(key, 'waiting');
    const request = watchRequestSchema.parse(JSON.parse(new TextDecoder().decode(object?.bytes)));
    asked.push({ ...request, key, urgency: job.urgency });
  }
  return asked;
}

const due = async (tree: RecipeTree) => read(await watching.due(tree, Math.floor(clock.now().getTime() / minute)));
const poke = async (tree: RecipeTree, what: 'package' | 'repository', name: string) =>
  read(await watching.poked(tree, { what, name }, Math.floor(clock.now().getTime() / 1000)));
const sourcesOf = (asked: readonly Asked[]) => asked.map(({ sources }) => sources.map((one) => one.source));

function tag(name: string, daysAgo?: number): UpstreamTag {
  const date =
    daysAgo === undefined ? {} : { publishedAt: new Date(clock.now().getTime() - daysAgo * 86_400_000).toISOString() };
  return { tag: name, prerelease: false, ...date };
}

const observed = (name: string, tags: readonly UpstreamTag[], more?: boolean): WatchAnswer => ({
  kind: 'observed',
  source: name,
  observation: {
    kind: 'release',
    source: name,
    tags: [...tags],
    observedAt: clock.now().toISOString(),
    ...(more === undefined ? {} : { more }),
  },
  cursor: `etag of ${name}`,
});

/** A poller answers a request, all of it where nothing else is said. */
async function answer(
  { key, sources }: Asked,
  answers: readonly WatchAnswer[] = sources.map((one) => ({ kind: 'unchanged', source: one.source })),
  end: WatchedResult['end'] = { unasked: [] },
): Promise<void> {
  queued.set(key, 'completed');
  const at = clock.now().toISOString();
  await watching.record({ kind: 'watched', effect: key, at, request: key, answers: [...answers], end });
}

async function answerAll(asked: readonly Asked[]): Promise<void> {
  for (const one of asked) await answer(one);
}

describe('what is due', () => {
  test('a source that was never asked is, at once, and once however many recipes share it', async () => {
    const tree = treeOf({ b: github('o/x'), a: github('o/x', '    strip-prefix: v\n'), c: github('o/y') });
    const [asked] = await due(tree);
    expect(asked).toMatchObject({
      kind: 'watch',
      urgent: false,
      urgency: 'low',
      sources: [
        {
          source: source('x'),
          watchers: [{ package: 'a', update: { github: { 'strip-prefix': 'v' } } }, { package: 'b' }],
        },
        { source: source('y'), watchers: [{ package: 'c' }] },
      ],
    });
    expect(asked?.sources[0]).not.toHaveProperty('cursor');
  });

  test('updates that are disabled are not watched', async () => {
    const tree = treeOf({ a: github('o/x') });
    for (const { recipe } of tree.recipes.values()) Object.assign(recipe.update ?? {}, { enabled: false });
    expect(await due(tree)).toEqual([]);
  });

  test('after it answered, when its own interval is over; with what to compare by', async () => {
    const tree = treeOf({ busy: github('o/busy'), calm: github('o/calm') });
    const [first] = await due(tree);
    if (first === undefined) throw new Error('nothing asked');
    const days = [1, 2, 3].map((ago) => tag(`v${ago}`, ago));
    await answer(first, [observed(source('busy'), days), observed(source('calm'), [tag('v1')])]);
    const seen: string[] = [];
    for (let passed = 1; passed <= 31; passed += 1) {
      clock.advance(minute);
      const asked = await due(tree);
      for (const one of sourcesOf(asked).flat()) seen.push(`${passed} ${one}`);
      expect(
        asked.flatMap(({ sources }) => sources).every(({ cursor, source: of }) => cursor === `etag of ${of}`),
      ).toBe(true);
      await answerAll(asked);
    }
    const busy = [5, 10, 15, 20, 25].map((passed) => `${passed} ${source('busy')}`);
    expect(seen.slice(0, 5)).toEqual(busy);
    expect(seen.slice(5).toSorted()).toEqual([`30 ${source('busy')}`, `30 ${source('calm')}`].toSorted());
  });

  test('the oldest first, so many of a kind together', async () => {
    const tree = many(4100);
    const first = await due(tree);
    expect(sourcesOf(first).map((one) => one.length)).toEqual([2000, 2000, 100]);
    for (const one of first.toReversed()) {
      await answer(one);
      clock.advance(1000);
    }
    clock.advance(31 * minute);
    const again = await due(tree);
    expect(sourcesOf(again).flat().slice(0, 100).toSorted()).toEqual(sourcesOf(first)[2]?.toSorted());
    expect(new Set(sourcesOf(again).flat()).size).toBe(4100);
  });

  test('what a schedule puts off, unless another recipe that shares the source is more eager', async () => {
    const weekly = '  schedule:\n    period: weekly\n';
    const tree = treeOf({
      a: github('o/lazy', weekly),
      b: github('o/shared', weekly),
      c: github('o/shared'),
    });
    await answerAll(await due(tree));
    clock.advance(31 * minute);
    const asked = await due(tree);
    expect(sourcesOf(asked)).toEqual([[source('shared')]]);
    await answerAll(asked);
    clock.advance(7 * 24 * 60 * minute);
    expect(sourcesOf(await due(tree)).flat()).toContain(source('lazy'));
  });

  test('what the rules of a host put off', () => {
    const uri = 'https://downloads.sourceforge.net/project/o/x-${{package.version}}.tar.gz';
    const fetched = `pipeline:\n  - uses: fetch\n    with: {uri: "${uri}"}\n`;
    const daily = '  schedule:\n    period: daily\n';
    const periods = (updates: Readonly<Record<string, string>>) =>
      [...watchedSources(treeOf(updates), { anyStream: [] }).values()].map(({ period }) => period / minute);
    expect(periods({ a: fetched })).toEqual([30]);
    expect(periods({ a: `${daily}${fetched}` })).toEqual([24 * 60]);
    expect(periods({ a: github('o/x') })).toEqual([0]);
  });

  test('a source that fails is asked ever more seldom', async () => {
    const tree = treeOf({ a: github('o/x') });
    const times: number[] = [];
    for (let passed = 0; passed <= 10 * 60; passed += 10) {
      for (const one of await due(tree)) {
        times.push(passed);
        const failure = { kind: 'failure' as const, source: source('x'), code: 'upstream.unreachable', message: 'no' };
        const observedAt = clock.now().toISOString();
        await answer(one, [{ kind: 'failed', source: source('x'), failure: { ...failure, observedAt } }]);
      }
      clock.advance(10 * minute);
    }
    expect(times).toEqual([0, 30, 60, 120, 240, 480]);
  });

  test('a recipe that goes away, or names another place, ends the polls of the old one and its failure', async () => {
    const [asked] = await due(treeOf({ a: github('o/x') }));
    if (asked === undefined) throw new Error('nothing asked');
    const failure = { kind: 'failure' as const, source: source('x'), code: 'upstream.not-found', message: 'gone' };
    await answer(asked, [
      { kind: 'failed', source: source('x'), failure: { ...failure, observedAt: clock.now().toISOString() } },
    ]);
    clock.advance(31 * minute);
    expect(sourcesOf(await due(treeOf({ a: github('o/moved') })))).toEqual([[source('moved')]]);
    expect([...book.all('watch')].map(({ key, value }) => [key, value.packages])).toEqual([
      [source('x'), []],
      [source('moved'), ['a']],
    ]);
    expect(book.get('observation', `failure/${source('x')}`)).toBeUndefined();
  });

  test('tags left unread that a recipe may look for are asked for anew, without what would say unchanged', async () => {
    const picky = treeOf({ a: github('o/x', '    tag-filter-prefix: lts-\n    strip-prefix: lts-\n') });
    const [first] = await due(picky);
    if (first === undefined) throw new Error('nothing asked');
    await answer(first, [observed(source('x'), [tag('9.0')], true)]);
    clock.advance(31 * minute);
    const [lacking] = await due(picky);
    expect(lacking?.sources[0]).not.toHaveProperty('cursor');
    if (lacking === undefined) throw new Error('nothing asked');
    await answer(lacking, [observed(source('x'), [tag('9.0'), tag('lts-8.0')], true)]);
    clock.advance(31 * minute);
    expect((await due(picky))[0]?.sources[0]).toMatchObject({ cursor: `etag of ${source('x')}` });
  });
});

test('a package that keeps to a stream looks for a version of that, however far back', async () => {
  const named = (name: string, version: string) => {
    const text = `package:\n  name: ${name}\n  version: "${version}"\n  epoch: 0\nupdate:\n  enabled: true\n${github('o/x')}`;
    return [name, { recipe: parseRecipe(`${name}.yaml`, text).recipe }] as const;
  };
  const tree = { recipes: new Map([named('tool-1.2', '1.2.3'), named('tool', '9.0')]) } as unknown as RecipeTree;
  const [first] = await due(tree);
  expect(first?.sources[0]?.watchers).toMatchObject([{ package: 'tool' }, { package: 'tool-1.2', stream: '1.2' }]);
  expect(first?.sources[0]?.watchers[0]).not.toHaveProperty('stream');
  if (first === undefined) throw new Error('nothing asked');
  await answer(first, [observed(source('x'), [tag('9.1')], true)]);
  clock.advance(31 * minute);
  expect((await due(tree))[0]?.sources[0]).not.toHaveProperty('cursor');
});

describe('what is being asked', () => {
  test('is not asked again while the queue has it, however long', async () => {
    const tree = many(2);
    const [asked] = await due(tree);
    for (let passed = 0; passed < 120; passed += 1) {
      clock.advance(minute);
      expect(await due(tree)).toEqual([]);
    }
    if (asked !== undefined) await answer(asked);
    clock.advance(31 * minute);
    expect(sourcesOf(await due(tree)).flat()).toHaveLength(2);
  });

  test('is asked again when the queue has lost it', async () => {
    const tree = many(2);
    await due(tree);
    queued.clear();
    clock.advance(minute);
    expect(sourcesOf(await due(tree)).flat()).toHaveLength(2);
  });

  test('and when its job is over and no answer comes', async () => {
    const tree = many(1);
    const [asked] = await due(tree);
    queued.set(asked?.key ?? '', 'failed');
    for (let passed = 1; passed < 5; passed += 1) {
      clock.advance(minute);
      expect(await due(tree)).toEqual([]);
    }
    clock.advance(minute);
    expect(await due(tree)).toHaveLength(1);
  });

  test('an answer in pieces: what has not come yet is still under way after the last piece', async () => {
    const tree = many(2);
    const [asked] = await due(tree);
    if (asked === undefined) throw new Error('nothing asked');
    await answer(asked, [{ kind: 'unchanged', source: source('p1') }]);
    clock.advance(minute);
    expect(await due(tree)).toEqual([]);
  });

  test('what a host did not let be asked is still due, and rests as long as the host said', async () => {
    const tree = many(3);
    const [asked] = await due(tree);
    if (asked === undefined) throw new Error('nothing asked');
    await answer(asked, [{ kind: 'unchanged', source: source('p0') }], {
      unasked: [source('p1'), source('p2')],
      retryAfter: 600,
    });
    const seen: number[] = [];
    for (let passed = 1; passed <= 12; passed += 1) {
      clock.advance(minute);
      const again = await due(tree);
      if (again.length > 0) seen.push(passed);
      for (const one of again) expect(sourcesOf([one])).toEqual([[source('p1'), source('p2')]]);
    }
    expect(seen).toEqual([10]);
  });

  test('the same batch of one slot is one request, also of a conductor that begins again', async () => {
    const tree = many(3);
    const [asked] = await due(tree);
    await begin();
    const [again] = await due(tree);
    expect(again?.key).toBe(asked?.key);
    clock.advance(minute);
    await begin();
    expect((await due(tree))[0]?.key).not.toBe(asked?.key);
  });

  test('the request is taken away with its last answer', async () => {
    const [asked] = await due(many(1));
    if (asked === undefined) throw new Error('nothing asked');
    await answer(asked);
    expect(await objects.list('requests/')).toEqual([]);
  });
});

describe('a clock that is put back', () => {
  test('by a month: nothing waits that long, and nothing is asked oftener', async () => {
    const tree = many(1);
    await answerAll(await due(tree));
    clock.set('2026-05-01T09:00:00.000Z');
    let asked = 0;
    for (let passed = 0; passed < 120; passed += 1) {
      const again = await due(tree);
      asked += again.length;
      await answerAll(again);
      clock.advance(minute);
    }
    expect(asked).toBe(3);
  });

  test('while something is under way or rests: it is asked in the end', async () => {
    const tree = many(2);
    const [asked] = await due(tree);
    if (asked === undefined) throw new Error('nothing asked');
    await answer(asked, [], { unasked: [source('p0')], retryAfter: 3600 });
    clock.set('2026-05-01T09:00:00.000Z');
    const seen = new Set<string>();
    for (let passed = 0; passed < 7; passed += 1) {
      for (const one of sourcesOf(await due(tree)).flat()) seen.add(one);
      clock.advance(minute);
    }
    expect(seen).toEqual(new Set([source('p0'), source('p1')]));
  });
});

describe('a poke', () => {
  test('asks the source of a package now, urgently, also when it is not due', async () => {
    const tree = treeOf({ a: github('o/x'), b: github('o/x'), c: github('o/y') });
    await answerAll(await due(tree));
    const asked = await poke(tree, 'package', 'b');
    expect(asked).toMatchObject([
      {
        urgent: true,
        urgency: 'security',
        sources: [{ source: source('x'), watchers: [{ package: 'a' }, { package: 'b' }] }],
      },
    ]);
    clock.advance(minute);
    expect(await due(tree)).toEqual([]);
  });

  test('a repository that nobody watches costs nothing, however often it is told of', async () => {
    const tree = many(2);
    expect(await poke(tree, 'repository', 'o/elsewhere')).toEqual([]);
    expect([...book.all('watch')]).toEqual([]);
    expect(await poke(tree, 'repository', 'o/p1')).toHaveLength(1);
    expect([...book.all('watch')]).toHaveLength(2);
  });

  test('of a repository asks every list of it, whatever the case of its name', async () => {
    const tree = treeOf({
      a: github('Acme/Tool'),
      b: github('acme/tool', '    use-tag: true\n'),
      c: github('acme/tool-extra'),
    });
    expect(
      sourcesOf(await poke(tree, 'repository', 'acme/TOOL'))
        .flat()
        .toSorted(),
    ).toEqual(['github:Acme/Tool/releases', 'github:acme/tool/tags']);
    expect(await poke(tree, 'repository', 'acme/other')).toEqual([]);
    expect(await poke(tree, 'package', 'none')).toEqual([]);
  });

  test('again, while the first still waits, is one question; once that is under way, another', async () => {
    const tree = many(1);
    const [first] = await poke(tree, 'package', 'p0');
    clock.advance(1000);
    expect(await poke(tree, 'package', 'p0')).toEqual([]);
    queued.set(first?.key ?? '', 'active');
    clock.advance(1000);
    expect(await poke(tree, 'package', 'p0')).toHaveLength(1);
  });
});
