import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createExec } from '../../src/adapters/exec.ts';
import { createGit } from '../../src/adapters/git.ts';
import type { ErrorCode } from '../../src/errors.ts';
import type { UpstreamTag } from '../../src/model/observation.ts';
import type { Recipe } from '../../src/model/recipe/recipe.ts';
import type { Http } from '../../src/ports/http.ts';
import type { Releases } from '../../src/ports/releases.ts';
import { pollSource } from '../../src/watch/poll.ts';
import type { PollAnswer, ReleaseSource, WatchPorts } from '../../src/watch/source.ts';
import { createManualClock } from '../fakes/manual-clock.ts';
import { createLoopbackHttp } from '../support/loopback-http.ts';
import { type Recorded, type RecordedAnswer, startUpstreamServer, type UpstreamServer } from './upstream-server.ts';

/** How a kind of source is held to the contract. */
export interface SourceDescription {
  readonly source: ReleaseSource;
  /** The key that is polled. */
  readonly key: string;
  /** The address of the list; others that are asked are in `recorded`. */
  readonly document: string;
  /** Answers as the real server gives them, shortened: with a pre-release, a withdrawn version, whatever the format has. */
  readonly recorded: Recorded;
  /** What the recorded answers say, newest first. */
  readonly expected: readonly Partial<UpstreamTag>[];
  /** Answers that list these versions, given oldest first. */
  listing(versions: readonly string[]): Recorded;
  /** The n-th of many versions; default `1.0.N`. */
  version?(n: number): string;
  /** Which of `oddVersions` are versions to this source; default all that can be written. */
  readonly odd?: readonly string[];
  /** Malformed answers that this format cannot tell from good ones. */
  readonly tolerates?: readonly MalformedName[];
  /** Codes of malformed answers; default upstream.answer-invalid. */
  readonly codes?: Partial<Record<MalformedName, ErrorCode>>;
  /** The code where nothing is listed; default none, it is an answer. */
  readonly nothing?: ErrorCode;
  /** The recipe that the annotations are of, for a kind that reads more of it. */
  readonly recipe?: Recipe;
  /** Identifiers behind `KIND:` in an annotation, and their keys; undefined for what cannot be one. */
  readonly annotated: Readonly<Record<string, string | undefined>>;
  /** Addresses that a source is downloaded from, and the keys that they say beyond doubt. */
  readonly inferred: Readonly<Record<string, string | undefined>>;
  /** The git program asks: no entity tags, no limit of bytes that we set. */
  readonly throughGit?: boolean;
}

export type MalformedName =
  | 'html'
  | 'html as the right type'
  | 'another shape'
  | 'a list of numbers'
  | 'truncated'
  | 'empty';

/** Names that upstreams had or could have. The last ones cannot be written, or are nobody's version. */
export const oddVersions = {
  readable: ['1.0.0', '版本-2.0', 'релиз-3.0', '4.0 beta', '00000000000000000000005'],
  unreadable: ['6.0\u0000', '7.0\n8.0', '9.0\u001b[31m', '10.0\u202e', '11.0\ud800', '', 'x'.repeat(300)],
};

const many = 20_000;
/** Milliseconds within which many versions are read, on a busy machine. */
const patience = 20_000;
const now = '2026-11-25T12:00:00.000Z';

const noReleases: Releases = {
  releases: () => Promise.reject(new Error('this source asks no code host')),
  tags: () => Promise.reject(new Error('this source asks no code host')),
};

/** The contract of release sources, for one kind. */
export function describeSource(description: SourceDescription): void {
  const { source, key, document, recorded } = description;
  const versionOf = description.version ?? ((n: number) => `1.0.${n}`);
  const recipe = description.recipe ?? (null as never);
  /** Empty where the git program asks. */
  const overHttp = description.throughGit === true ? [] : ['HTTP'];
  let upstream: UpstreamServer;
  let elsewhere: UpstreamServer;
  let timeout: number;

  beforeEach(async () => {
    timeout = 60_000;
    [upstream, elsewhere] = await Promise.all([startUpstreamServer(), startUpstreamServer()]);
  });
  afterEach(() => Promise.all([upstream.close(), elsewhere.close()]));

  const poll = (cursor?: string, signal?: AbortSignal): Promise<PollAnswer> => {
    const ports: WatchPorts = {
      releases: noReleases,
      http: redirected(createLoopbackHttp({ allowPrivate: ['127.0.0.1', 'localhost'] }), upstream.base, () => timeout),
      git: createGit({ exec: createExec(), rewrite: [{ from: 'https://', to: upstream.base }], timeout }),
      clock: createManualClock(now),
    };
    return pollSource({ source: key, cursor, signal }, ports);
  };
  const observe = async (cursor?: string) => {
    const answer = await poll(cursor);
    if (answer.kind !== 'observed') throw new Error(`it is ${JSON.stringify(answer)}`);
    return answer;
  };
  const failureCode = async (): Promise<string> => {
    const answer = await poll();
    return answer.kind === 'failed' ? answer.failure.code : answer.kind;
  };

  it('reads the recorded answer: newest first, with what upstream says of each', async () => {
    upstream.answer(recorded);
    const { observation } = await observe();
    expect(observation).toMatchObject({ kind: 'release', source: key, observedAt: now });
    expect(observation.tags.map(({ tag }) => tag)).toEqual(description.expected.map(({ tag }) => tag));
    expect(observation.tags).toMatchObject(description.expected);
    const asked = upstream.requests.map(({ url }) => url);
    expect(Object.keys(recorded).filter((url) => !asked.includes(url))).toEqual([]);
    expect(asked.filter((url) => !(url in recorded))).toEqual([]);
  });

  it('is unchanged as long as upstream says the same, and observed again when it does not', async () => {
    upstream.answer(description.listing([versionOf(1)]));
    const { cursor } = await observe();
    expect(await poll(cursor)).toEqual({ kind: 'unchanged' });
    upstream.answer(description.listing([versionOf(1), versionOf(2)]));
    const next = await observe(cursor);
    expect(next.observation.tags.map(({ tag }) => tag)).toEqual([versionOf(2), versionOf(1)]);
    expect(next.cursor).not.toBe(cursor);
  });

  it('says that there is nothing where upstream lists nothing', async () => {
    upstream.answer(description.listing([]));
    const answer = await poll();
    const said = answer.kind === 'failed' ? answer.failure.code : answer.kind === 'observed' && answer.observation.tags;
    expect(said).toEqual(description.nothing ?? []);
  });

  it(`reads ${many} versions`, { timeout: 60_000 }, async () => {
    upstream.answer(description.listing(Array.from({ length: many }, (_, n) => versionOf(n))));
    const start = performance.now();
    const { observation } = await observe();
    expect(performance.now() - start).toBeLessThan(patience);
    expect(observation.tags).toHaveLength(many);
    expect(observation.tags[0]?.tag).toBe(versionOf(many - 1));
  });

  it('keeps versions in any script, and leaves out those that nobody could write', async () => {
    const { readable, unreadable } = oddVersions;
    upstream.answer(description.listing([versionOf(1), ...readable, ...unreadable]));
    const { observation } = await observe();
    const kept = [versionOf(1), ...(description.odd ?? readable)];
    expect(observation.tags.map(({ tag }) => tag).toSorted()).toEqual(kept.toSorted());
  });

  const good = answerOf(recorded[document]);
  const json = 'application/json';
  const type = good.headers?.['content-type'] ?? json;
  const whole = Buffer.from(good.body ?? '');
  const malformed: Readonly<Record<MalformedName, { readonly type: string; readonly body: string | Uint8Array }>> = {
    html: { type: 'text/html; charset=utf-8', body: '<!DOCTYPE html>\n<html><body>Please log in</body></html>' },
    'html as the right type': { type, body: '<html><body>502</body></html>' },
    'another shape': { type: json, body: '{"message":"this has moved","ok":false}' },
    'a list of numbers': { type: json, body: '[1,2,[3]]' },
    truncated: { type, body: whole.subarray(0, Math.floor(whole.length / 2)) },
    empty: { type, body: '' },
  };
  for (const name of Object.keys(malformed) as MalformedName[]) {
    if (description.tolerates?.includes(name) === true) continue;
    it(`is one failure where the answer is malformed: ${name}`, async () => {
      const answer = malformed[name];
      upstream.answer({ ...recorded, [document]: { headers: { 'content-type': answer.type }, body: answer.body } });
      expect(await failureCode()).toBe(description.codes?.[name] ?? 'upstream.answer-invalid');
    });
  }

  it('has one failure or readable tags, whatever a server says', { timeout: 60_000 }, async () => {
    const damaged = fc
      .tuple(fc.nat(whole.length), fc.nat(30), fc.uint8Array({ maxLength: 10 }))
      .map(([at, cut, put]) => Buffer.concat([whole.subarray(0, at), put, whole.subarray(at + cut)]));
    const other = fc.oneof(fc.json(), fc.string(), fc.uint8Array({ maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 3, arbitrary: damaged }, { weight: 1, arbitrary: other }), async (body) => {
        upstream.answer({ ...recorded, [document]: { headers: { 'content-type': type }, body } });
        const answer = await poll();
        expect(answer.kind === 'failed' ? answer.failure.code : answer.kind).toMatch(/^(?:upstream\.|observed$)/);
      }),
      { numRuns: overHttp.length === 0 ? 20 : 60 },
    );
  });

  it.each([
    [404, 'upstream.not-found', {}],
    [410, 'upstream.not-found', {}],
    [500, 'upstream.unreachable', {}],
    [502, 'upstream.unreachable', {}],
  ])('makes a failure of status %i: %s', async (status, code, headers) => {
    upstream.answer({ ...recorded, [document]: { status, headers, body: 'no' } });
    expect(await failureCode()).toBe(code);
  });

  // Of a 503, git does not say whether it came with a time to wait.
  it.each(description.throughGit === true ? [429] : [429, 503])(
    'leaves a host alone that says so with status %i',
    async (status) => {
      upstream.answer({ ...recorded, [document]: { status, headers: { 'retry-after': '120' }, body: 'slow down' } });
      const said = description.throughGit === true ? {} : { retryAfter: 120 };
      await expect(poll()).rejects.toMatchObject({ code: 'upstream.rate-limited', ...said });
    },
  );

  it('gives up on a server that does not end', async () => {
    timeout = 300;
    upstream.behave((_, __, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"');
    });
    expect(await failureCode()).toBe('upstream.unreachable');
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    upstream.behave(() => stop.abort());
    await expect(poll(undefined, stop.signal)).rejects.toMatchObject({ code: 'aborted' });
  });

  // The git program follows; it has no credentials to give away.
  it.each(overHttp)('takes the word of no other host, over %s', async () => {
    elsewhere.answer(recorded);
    const there = elsewhere.base.replace('127.0.0.1', 'localhost');
    upstream.behave((url, _, response) => {
      response.writeHead(302, { location: there + url.slice('https://'.length) }).end();
    });
    expect(await failureCode()).toBe('upstream.redirect-refused');
    expect(elsewhere.requests).toEqual([]);
  });

  it.each(overHttp)('reads no body that is over the limit, over %s', async () => {
    upstream.behave((_, __, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 ** 40 }).write('{');
    });
    expect(await failureCode()).toBe('upstream.too-large');
  });

  it('takes what can be an identifier from an annotation, and nothing else', () => {
    for (const [identifier, expected] of Object.entries(description.annotated)) {
      expect([identifier, source.annotated(identifier, recipe)]).toEqual([identifier, expected]);
    }
    for (const identifier of ['', ' ', '../..', 'a b', 'a\nb', '${{package.name}}', '-rf', '?x=1', '#']) {
      expect([identifier, source.annotated(identifier, recipe)]).toEqual([identifier, undefined]);
    }
  });

  it('is stalled by no name and no address', () => {
    const texts = [...Object.keys(description.annotated), ...Object.keys(description.inferred)];
    for (const text of texts) {
      for (const piece of ['a', '1.', '-', '--a', '/a', '_', '.', '@', '${{']) {
        const start = performance.now();
        for (const long of [
          `${text}${piece.repeat(1000)}!`,
          `${text.slice(0, -3)}${piece.repeat(1000)}${text.slice(-3)}`,
        ]) {
          source.annotated(long, recipe);
          source.inferred?.(long);
        }
        expect(performance.now() - start, `${text} and ${piece}`).toBeLessThan(1000);
      }
    }
  });

  it('infers from an address only what is beyond doubt', () => {
    for (const [address, expected] of Object.entries(description.inferred)) {
      expect([address, source.inferred?.(address)]).toEqual([address, expected]);
    }
    for (const address of ['', 'https://example.org/foo-1.0.tar.gz', '${{vars.url}}', 'not an address']) {
      expect([address, source.inferred?.(address)]).toEqual([address, undefined]);
    }
  });
}

/** Asks the loopback server for every address. */
function redirected(http: Http, base: string, timeout: () => number): Http {
  return {
    request: (request) =>
      http.request({ ...request, url: request.url.replace(/^https:\/\//, base), timeout: timeout() }),
  };
}

function answerOf(answer: Recorded[string] | undefined): RecordedAnswer {
  const given = typeof answer === 'function' ? answer({ authorization: 'Bearer any' }) : (answer ?? '');
  return typeof given === 'string' ? { body: given } : given;
}
