import { RegrowError, toRegrowError } from '../errors.ts';
import { failureOf, rethrowUnlessAboutSource } from './failure.ts';
import { sourceOfKind } from './registry.ts';
import type { PollAnswer, PollRequest, ReleaseSource, TellAnswer, WatchPorts } from './source.ts';

/** What was not asked, because a host wants to be left alone. */
export interface Unasked {
  readonly sources: readonly string[];
  /** Seconds, where a host said how long. */
  readonly retryAfter?: number;
}

/**
 * Asks one source. Whatever is wrong with it is an answer, about that source alone. Throws only what is not about the source:
 * aborted, and upstream.rate-limited, which ends by itself and must not make a failing source of it.
 */
export async function pollSource(request: PollRequest, ports: WatchPorts): Promise<PollAnswer> {
  try {
    const source = sourceOfKind(request.source);
    if (source === undefined) throw new RegrowError('internal', `there is no kind of source for ${request.source}`);
    return await source.poll(request, ports);
  } catch (thrown) {
    rethrowUnlessAboutSource(thrown);
    return { kind: 'failed', failure: failureOf(request.source, thrown, ports.clock.now()) };
  }
}

/**
 * Asks many sources, each kind in its own way and all kinds at once; every answer is told as soon as it is there. A host that
 * wants to be left alone keeps back its own sources and no other's. Throws aborted, and what `tell` throws.
 */
export async function pollSources(
  requests: readonly PollRequest[],
  ports: WatchPorts,
  tell: TellAnswer,
): Promise<Unasked> {
  const told = new Set<PollRequest>();
  const once: TellAnswer = async (request, answer) => {
    told.add(request);
    await tell(request, answer);
  };
  const kinds = new Map<ReleaseSource | undefined, PollRequest[]>();
  for (const request of requests) {
    const kind = sourceOfKind(request.source);
    kinds.set(kind, [...(kinds.get(kind) ?? []), request]);
  }
  const ends = await Promise.allSettled([...kinds].map(([source, ones]) => pollKind(source, ones, ports, once)));
  let retryAfter: number | undefined;
  for (const end of ends) {
    if (end.status === 'fulfilled') continue;
    const error = toRegrowError(end.reason);
    if (error.code !== 'upstream.rate-limited') throw error;
    if (error.retryAfter !== undefined) retryAfter = Math.max(retryAfter ?? 0, error.retryAfter);
  }
  return {
    sources: requests.filter((request) => !told.has(request)).map(({ source }) => source),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
}

/** Hosts that are asked at the same time about places of one kind. */
const atOnce = 4;

/** One place of a host after the other, so that a host that does not answer keeps back its own places and no other's. */
async function pollKind(
  source: ReleaseSource | undefined,
  requests: readonly PollRequest[],
  ports: WatchPorts,
  tell: TellAnswer,
): Promise<void> {
  if (source?.pollMany !== undefined) return source.pollMany(requests, ports, tell);
  const hosts = byHost(requests).values();
  let limited: RegrowError | undefined;
  let broken: { readonly thrown: unknown } | undefined;

  async function ask(request: PollRequest): Promise<void> {
    try {
      await tell(request, await pollSource(request, ports));
    } catch (thrown) {
      const error = toRegrowError(thrown);
      if (error.code !== 'upstream.rate-limited') broken ??= { thrown };
      // The sources of one kind are on many hosts.
      else if (limited === undefined || (error.retryAfter ?? 0) > (limited.retryAfter ?? 0)) limited = error;
    }
  }

  async function work(): Promise<void> {
    for (const ofHost of hosts) for (const request of ofHost) if (broken === undefined) await ask(request);
  }

  await Promise.all(Array.from({ length: atOnce }, work));
  if (broken !== undefined) throw broken.thrown;
  if (limited !== undefined) throw limited;
}

/** By the host that their keys name. Those that name none are of one host, that of their kind. */
function byHost(requests: readonly PollRequest[]): readonly (readonly PollRequest[])[] {
  const hosts = new Map<string, PollRequest[]>();
  for (const request of requests) {
    const [, host = ''] = /^[\w-]+:(?:\w+:\/\/)?((?:[\w-]+\.)+[\w-]+)(?::\d+)?\//.exec(request.source) ?? [];
    const ofHost = hosts.get(host) ?? [];
    hosts.set(host, ofHost);
    ofHost.push(request);
  }
  return [...hosts.values()];
}
