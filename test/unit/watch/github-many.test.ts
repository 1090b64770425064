import { beforeEach, describe, expect, it } from 'vitest';
import { RegrowError } from '../../../src/errors.ts';
import type { UpstreamTag } from '../../../src/model/observation.ts';
import type { AskOptions, PageAnswer, RepositoryAnswer, RepositoryQuestion } from '../../../src/ports/releases.ts';
import { pollSource, pollSources } from '../../../src/watch/poll.ts';
import type { PollAnswer, PollRequest, WatchPorts } from '../../../src/watch/source.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';

type Asked = { readonly names: readonly string[]; readonly sizes: readonly number[]; readonly urgent: boolean };

/** Tags of each list, newest first, by `OWNER/NAME`. What has none is not there. */
let lists: Map<string, readonly string[]>;
let asked: Asked[];
/** Says before each question what is wrong with it as a whole. */
let trouble: (names: readonly string[], options: AskOptions) => RegrowError | undefined;
/** Parts of answers that are left out. */
let gaps: (name: string, together: number) => boolean;

beforeEach(() => {
  lists = new Map();
  asked = [];
  trouble = () => undefined;
  gaps = () => false;
});

const gone = new RegrowError('upstream.not-found', 'there is no such repository');
const hiccup = new RegrowError('upstream.answer-invalid', 'left out', { retry: 'now' });
const unreachable = new RegrowError('upstream.unreachable', 'bad gateway', { retry: 'later' });
const tagOf = (tag: string): UpstreamTag => ({ tag, prerelease: false });

function pageOf(name: string, wanted: { size: number; after?: string }, together: number): PageAnswer {
  if (gaps(name, together)) return { kind: 'failed', error: hiccup };
  const tags = lists.get(name);
  if (tags === undefined) return { kind: 'failed', error: gone };
  const start = Number(wanted.after ?? 0);
  const end = start + wanted.size;
  return {
    kind: 'page',
    tags: tags.slice(start, end).map(tagOf),
    ...(end < tags.length ? { next: String(end) } : {}),
  };
}

const clock = createManualClock('2026-11-01T12:00:00.000Z');
const ports = {
  clock,
  releases: {
    repositories: {
      async ask(questions: readonly RepositoryQuestion[], options: AskOptions): Promise<readonly RepositoryAnswer[]> {
        const names = questions.map(({ owner, repository }) => `${owner}/${repository}`);
        const sizes = questions.flatMap(({ pages }) => Object.values(pages).map(({ size }) => size));
        asked.push({ names, sizes, urgent: options.urgent });
        const wrong = trouble(names, options);
        if (wrong !== undefined) throw wrong;
        return questions.map(({ pages: { releases, tags } }, index) => {
          const name = names[index] ?? '';
          const page = (wanted: { size: number; after?: string }) => pageOf(name, wanted, names.length);
          return {
            pages: {
              ...(releases === undefined ? {} : { releases: page(releases) }),
              ...(tags === undefined ? {} : { tags: page(tags) }),
            },
          };
        });
      },
    },
  },
} as unknown as WatchPorts;

const key = (name: string, list = 'tags'): string => `github:${name}/${list}`;
const put = (name: string, count = 1): void => {
  lists.set(
    name,
    Array.from({ length: count }, (_, index) => `v${count - index}`),
  );
};
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `o/r${index}`);

/** What was told of whom, each as often as it was told. */
async function poll(requests: readonly PollRequest[]) {
  const told: [string, PollAnswer][] = [];
  const end = pollSources(requests, ports, async ({ source }, answer) => {
    told.push([source, answer]);
  });
  const unasked = await end;
  const sources = told.map(([source]) => source);
  expect(new Set(sources).size).toBe(sources.length);
  return { answers: new Map(told), unasked };
}

function tagsIn(answer: PollAnswer | undefined): readonly string[] {
  return answer?.kind === 'observed' ? answer.observation.tags.map(({ tag }) => tag) : [];
}
const codeIn = (answer: PollAnswer | undefined) => (answer?.kind === 'failed' ? answer.failure.code : answer?.kind);

describe('many repositories', () => {
  it('are asked in few questions, each once for both of its lists', async () => {
    const names = many(120);
    for (const name of names) put(name);
    const requests = names.flatMap((name) => [{ source: key(name) }, { source: key(name, 'releases') }]);
    const { answers, unasked } = await poll(requests);
    expect([answers.size, unasked.sources]).toEqual([240, []]);
    expect(asked.map(({ names: { length } }) => length)).toEqual([50, 50, 20]);
    expect(tagsIn(answers.get(key('o/r7', 'releases')))).toEqual(['v1']);
  });

  it('that are one under two spellings are asked once', async () => {
    put('Foo/Bar');
    const { answers } = await poll([{ source: key('Foo/Bar') }, { source: key('foo/bar') }]);
    expect(asked.map(({ names }) => names)).toEqual([['Foo/Bar']]);
    expect([tagsIn(answers.get(key('Foo/Bar'))), tagsIn(answers.get(key('foo/bar')))]).toEqual([['v1'], ['v1']]);
  });

  it('are unchanged while the same is told', async () => {
    put('o/r0', 3);
    const source = key('o/r0');
    const first = (await poll([{ source }])).answers.get(source);
    const cursor = first?.kind === 'observed' ? first.cursor : undefined;
    expect((await poll([{ source, cursor }])).answers.get(source)).toEqual({ kind: 'unchanged' });
    put('o/r0', 4);
    expect(tagsIn((await poll([{ source, cursor }])).answers.get(source))).toEqual(['v4', 'v3', 'v2', 'v1']);
  });

  it('also when it is one', async () => {
    put('o/r0', 3);
    expect(tagsIn(await pollSource({ source: key('o/r0') }, ports))).toEqual(['v3', 'v2', 'v1']);
    expect(codeIn(await pollSource({ source: key('not/there') }, ports))).toBe('upstream.not-found');
  });

  it('of which some cannot be asked for are told without them', async () => {
    put('o/r0');
    const { answers } = await poll([
      { source: 'github:nonsense' },
      { source: key('not/there') },
      { source: key('o/r0') },
    ]);
    expect([...answers.values()].map(codeIn)).toEqual(['internal', 'upstream.not-found', 'observed']);
  });
});

describe('pages', () => {
  it('are read while they are not enough, and no further', async () => {
    put('o/r0', 400);
    put('o/r1', 400);
    const source = key('o/r0');
    const enough = (tags: readonly UpstreamTag[]) => tags.some(({ tag }) => tag === 'v220');
    const { answers } = await poll([{ source, enough }, { source: key('o/r1') }]);
    expect([tagsIn(answers.get(source)).length, tagsIn(answers.get(key('o/r1'))).length]).toEqual([250, 50]);
    expect(answers.get(source)).toMatchObject({ observation: { more: true } });
    expect(asked.map(({ names, sizes }) => [names.length, ...sizes])).toEqual([
      [2, 50, 50],
      [1, 100],
      [1, 100],
    ]);
  });

  it('end with the list, and with a list that is too long', async () => {
    put('o/short', 120);
    put('o/long', 20_000);
    const enough = () => false;
    const { answers } = await poll([
      { source: key('o/short'), enough },
      { source: key('o/long'), enough },
    ]);
    const [short, long] = [answers.get(key('o/short')), answers.get(key('o/long'))];
    expect([tagsIn(short).length, tagsIn(long).length]).toEqual([120, 950]);
    expect(short).not.toHaveProperty('observation.more');
    expect(long).toMatchObject({ observation: { more: true } });
    expect(asked).toHaveLength(10);
  });
});

describe('a question that is not answered', () => {
  it('is put again in halves, until the repository that makes it fail is alone; the others are told', async () => {
    const names = many(100);
    for (const name of names) put(name);
    trouble = (inIt) => (inIt.includes('o/r70') ? unreachable : undefined);
    const { answers } = await poll(names.map((name) => ({ source: key(name) })));
    const failed = [...answers].filter(([, answer]) => answer.kind === 'failed').map(([source]) => source);
    expect([answers.size, failed]).toEqual([100, [key('o/r70')]]);
    expect(asked.length).toBeLessThan(25);
  });

  it('makes the next smaller; they grow again', async () => {
    const names = many(200);
    for (const name of names) put(name);
    trouble = () => (asked.length === 1 ? unreachable : undefined);
    const { answers } = await poll(names.map((name) => ({ source: key(name) })));
    expect([...answers.values()].every(({ kind }) => kind === 'observed')).toBe(true);
    expect(asked[0]?.names).toHaveLength(50);
    expect(asked.slice(2).map(({ names: { length } }) => length)).toEqual(expect.arrayContaining([25]));
    expect(asked.length).toBeLessThan(10);
  });

  it('by a host that answers nobody ends soon, and everyone is told so once', async () => {
    trouble = () => unreachable;
    const { answers } = await poll(many(500).map((name) => ({ source: key(name) })));
    expect(answers.size).toBe(500);
    expect(new Set([...answers.values()].map(codeIn))).toEqual(new Set(['upstream.unreachable']));
    expect(asked.length).toBeLessThan(10);
  });

  it('because no token is good is not put again', async () => {
    trouble = () => new RegrowError('forge.unauthorized', 'no token');
    const { answers } = await poll(many(200).map((name) => ({ source: key(name) })));
    expect([answers.size, codeIn(answers.get(key('o/r150')))]).toEqual([200, 'forge.unauthorized']);
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it('because Redis is gone is nobody’s failure', async () => {
    put('o/r0');
    trouble = () => new RegrowError('queue.unreachable', 'no Redis', { retry: 'later' });
    await expect(poll([{ source: key('o/r0') }])).rejects.toMatchObject({ code: 'queue.unreachable' });
  });
});

describe('a part that is left out of an answer', () => {
  it('is asked for again with fewer others', async () => {
    const names = many(40);
    for (const name of names) put(name);
    gaps = (name, together) => name === 'o/r3' && together > 10;
    const { answers } = await poll(names.map((name) => ({ source: key(name) })));
    expect([...answers.values()].every(({ kind }) => kind === 'observed')).toBe(true);
    expect(asked.length).toBeLessThan(5);
  });

  it('is a failure of its source when it never comes', async () => {
    put('o/r0');
    put('o/r1');
    gaps = (name) => name === 'o/r0';
    const { answers } = await poll([{ source: key('o/r0') }, { source: key('o/r1') }]);
    expect([codeIn(answers.get(key('o/r0'))), codeIn(answers.get(key('o/r1')))]).toEqual([
      'upstream.answer-invalid',
      'observed',
    ]);
    expect(asked.length).toBeLessThan(5);
  });
});

describe('a limit', () => {
  const limited = new RegrowError('upstream.rate-limited', 'used up', { retry: 'later', retryAfter: 900 });

  it('ends what nobody waits for; who is urgent comes first, by themselves, and is still served', async () => {
    const names = many(150);
    for (const name of names) put(name);
    trouble = (_names, { urgent }) => (urgent || asked.length < 4 ? undefined : limited);
    const { answers, unasked } = await poll(
      names.map((name, index) => ({ source: key(name), ...(index >= 148 ? { urgent: true } : {}) })),
    );
    expect(asked[0]).toMatchObject({ names: ['o/r148', 'o/r149'], urgent: true });
    expect(asked.slice(1).every(({ urgent }) => !urgent)).toBe(true);
    expect(unasked.retryAfter).toBe(900);
    expect(unasked.sources.length).toBeGreaterThan(0);
    expect(answers.size + unasked.sources.length).toBe(150);
    expect([...answers.keys()]).toEqual(expect.arrayContaining([key('o/r148'), key('o/r149')]));
  });
});
