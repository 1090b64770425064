import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { FetchedSource, Sources } from '../ports/sources.ts';
import { createDispatcher } from './network/dispatcher.ts';
import { follow } from './network/follow.ts';
import { createNetworkGuard, hostsOf } from './network/guard.ts';
import type { UrlRewrite } from './network/rewrite.ts';

export interface SourcesOptions {
  /** The folder of the cache; made when absent. */
  readonly directory: string;
  /** Bytes that one source may have; default 2 GiB. */
  readonly limit?: number;
  /** Milliseconds for one download; default ten minutes. */
  readonly timeout?: number;
  /** Mirrors. Their hosts may be private: the operator named them. */
  readonly rewrite?: readonly UrlRewrite[];
  /** Hosts and networks that may be asked though they are private, as `createNetworkGuard` reads them. Default none. */
  readonly allowPrivate?: readonly string[];
}

type Expected = Parameters<Sources['fetch']>[1];

/** What an address answered with, when nobody knew the hash: the same entity tag again is the same file, and is not sent again. */
const knownAnswerSchema = z.object({ url: z.string(), etag: z.string(), sha256: z.string() });

interface KnownAnswer {
  readonly etag: string;
  readonly file: FetchedSource;
}

/**
 * Downloads of recipe sources, kept by content: a file is only ever in the cache under the hash that it has. Where no hash is
 * expected the server is asked whether it still has what it answered with before. A redirect may go to another host, as those of content delivery networks do, but not to a private address. Throws config.invalid.
 */
export function createSources(options: SourcesOptions): Sources {
  const { allowPrivate = [], rewrite = [] } = options;
  const dispatcher = createDispatcher(createNetworkGuard([...allowPrivate, ...hostsOf(rewrite.map(({ to }) => to))]));
  return {
    async fetch(url, expected, signal) {
      const cached = await fromCache(options.directory, expected);
      if (cached !== undefined) return cached;
      const timeout = AbortSignal.timeout(options.timeout ?? 10 * 60_000);
      const ends = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
      try {
        const known = await knownAnswer(options.directory, url, expected);
        return await download({ ...options, dispatcher, known }, url, expected, ends);
      } catch (error) {
        throw explain(error, url, signal, timeout);
      }
    },
  };
}

async function fromCache(directory: string, expected: Expected): Promise<FetchedSource | undefined> {
  if (expected.sha256 === undefined && expected.sha512 === undefined) return undefined;
  const path = cachePath(directory, expected);
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  const file = await hashFile(path);
  if (mismatch(file, expected) === undefined) return file;
  // Whatever happened to it on the disk, it is not what it is named.
  await rm(path, { force: true });
  return undefined;
}

function cachePath(directory: string, hash: Expected): string {
  const [kind, value] = hash.sha256 === undefined ? ['sha512', hash.sha512 ?? ''] : ['sha256', hash.sha256];
  return join(directory, `${kind}-${value.toLowerCase().replaceAll(/[^0-9a-f]/g, '')}`);
}

async function knownAnswer(directory: string, url: string, expected: Expected): Promise<KnownAnswer | undefined> {
  if (expected.sha256 !== undefined || expected.sha512 !== undefined) return undefined;
  const text = await readFile(answerPath(directory, url), 'utf8').catch(() => undefined);
  const parsed = text === undefined ? undefined : knownAnswerSchema.safeParse(parseJson(text)).data;
  if (parsed?.url !== url) return undefined;
  const file = await fromCache(directory, { sha256: parsed.sha256 });
  return file === undefined ? undefined : { etag: parsed.etag, file };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function answerPath(directory: string, url: string): string {
  return join(directory, 'answers', `${createHash('sha256').update(url).digest('hex')}.json`);
}

async function rememberAnswer(directory: string, url: string, etag: string, sha256: string): Promise<void> {
  const path = answerPath(directory, url);
  await mkdir(join(directory, 'answers'), { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, JSON.stringify({ url, etag, sha256 }));
  await rename(temporary, path);
}

async function hashFile(path: string): Promise<FetchedSource> {
  const sha256 = createHash('sha256');
  const sha512 = createHash('sha512');
  let bytes = 0;
  for await (const chunk of createReadStream(path)) {
    const part: Uint8Array = chunk;
    sha256.update(part);
    sha512.update(part);
    bytes += part.length;
  }
  return { path, sha256: sha256.digest('hex'), sha512: sha512.digest('hex'), bytes };
}

async function download(
  options: SourcesOptions & { readonly dispatcher: Dispatcher; readonly known: KnownAnswer | undefined },
  url: string,
  expected: Expected,
  signal: AbortSignal,
): Promise<FetchedSource> {
  const limit = options.limit ?? 2 * 1024 ** 3;
  const { body, headers, statusCode } = await answerOf(options, url, signal);
  if (statusCode === 304 && options.known !== undefined) return options.known.file;
  if (Number(headers['content-length'] ?? 0) > limit) {
    await body.dump({ limit: 0 });
    throw tooLarge(url, limit);
  }
  await mkdir(options.directory, { recursive: true });
  const temporary = join(options.directory, `.${randomUUID()}`);
  try {
    const sha256 = createHash('sha256');
    const sha512 = createHash('sha512');
    const head: Uint8Array[] = [];
    let bytes = 0;
    const file = await open(temporary, 'wx');
    try {
      for await (const chunk of body) {
        const part: Uint8Array = chunk;
        if (bytes < 1024) head.push(part.subarray(0, 1024));
        bytes += part.length;
        if (bytes > limit) throw tooLarge(url, limit);
        sha256.update(part);
        sha512.update(part);
        await file.writeFile(part);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (isPage(Buffer.concat(head), url)) throw page(url);
    const found = { sha256: sha256.digest('hex'), sha512: sha512.digest('hex'), bytes };
    const wrong = mismatch(found, expected);
    if (wrong !== undefined) throw hashMismatch(url, wrong);
    const named = expected.sha256 === undefined && expected.sha512 !== undefined ? expected : { sha256: found.sha256 };
    const path = cachePath(options.directory, named);
    await rename(temporary, path);
    if (typeof headers['etag'] === 'string')
      await rememberAnswer(options.directory, url, headers['etag'], found.sha256);
    return { path, ...found };
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * An answer with the file itself: its bytes are what the recipe pins, so they are asked for, and taken, as they are. Status 304
 * where the file is known and still the same.
 */
async function answerOf(
  { dispatcher, rewrite, known }: Parameters<typeof download>[0],
  url: string,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  if (!/^https?:/i.test(url)) {
    throw new RegrowError('upstream.not-found', `${url} is no http address`, {
      remedy: 'correct the URI in the recipe',
    });
  }
  const headers = {
    'user-agent': 'regrow',
    'accept-encoding': 'identity',
    ...(known === undefined ? {} : { 'if-none-match': known.etag }),
  };
  const answer = await follow(dispatcher, { url, headers, signal, rewrite });
  if (answer.statusCode === 200) return answer;
  await answer.body.dump({ limit: 16_384, signal });
  if (answer.statusCode === 304 && known !== undefined) return answer;
  throw statusError(url, answer.statusCode);
}

/** Whether an answer is a web page where a file was asked for: what a login wall or an error with status 200 looks like. */
function isPage(head: Buffer, url: string): boolean {
  if (/\.x?html?$/i.test(basename(new URL(url).pathname))) return false;
  // A comment ends at its first `-->`: were it any, a file of comments could be read in more ways than there is time for.
  return /^\uFEFF?(?:\s|<!--(?:(?!-->)[^])*-->|<\?xml[^>]*>)*<(?:!doctype html|html)[\s>]/i.test(head.toString('utf8'));
}

function mismatch(
  found: { readonly sha256: string; readonly sha512: string },
  expected: Expected,
): { readonly kind: string; readonly expected: string; readonly found: string } | undefined {
  for (const kind of ['sha256', 'sha512'] as const) {
    const want = expected[kind];
    if (want !== undefined && want.toLowerCase() !== found[kind]) return { kind, expected: want, found: found[kind] };
  }
  return undefined;
}

function explain(error: unknown, url: string, signal: AbortSignal | undefined, timeout: AbortSignal): RegrowError {
  if (error instanceof RegrowError) return error;
  if (signal?.aborted === true) {
    return new RegrowError('aborted', `the download of ${url} was stopped before it was done`, { retry: 'now' });
  }
  const known = toRegrowError(error);
  if (known.code === 'storage.full') return known;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : known.message;
  return new RegrowError('upstream.unreachable', `${url}: ${timeout.aborted ? 'it took too long' : cause}`, {
    cause: error,
    retry: 'later',
    remedy: 'check that the address can be reached from this machine; it is tried again by itself',
  });
}

function statusError(url: string, status: number): RegrowError {
  const message = `${url} answered with status ${status}`;
  if (status === 404 || status === 410) {
    return new RegrowError('upstream.not-found', message, {
      remedy: 'correct the URI in the recipe, or see whether upstream moved it',
    });
  }
  if (status === 429) return new RegrowError('upstream.rate-limited', message, { retry: 'later' });
  return new RegrowError('upstream.unreachable', message, { retry: 'later' });
}

function tooLarge(url: string, limit: number): RegrowError {
  return new RegrowError('upstream.too-large', `${url} has more than ${limit} bytes`, {
    remedy: 'raise sources.limitBytes in the configuration, when it is meant to be that large',
  });
}

function page(url: string): RegrowError {
  return new RegrowError('upstream.answer-invalid', `${url} answered with a web page where a file is due`, {
    retry: 'later',
    remedy: 'open the address in a browser: it may ask for a login, or show an error',
  });
}

function hashMismatch(url: string, wrong: { kind: string; expected: string; found: string }): RegrowError {
  return new RegrowError(
    'source.hash-mismatch',
    `${url} has ${wrong.kind} ${wrong.found}, the recipe pins ${wrong.expected}`,
    {
      remedy: 'find out why upstream changed the file before you change the hash in the recipe',
    },
  );
}
