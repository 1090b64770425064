import { RegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import { digestOf, sha256 } from '../model/canonical.ts';
import type { ObservedResult } from '../model/result.ts';
import type { Objects } from '../ports/objects.ts';
import type { AdvisoryFeed } from '../watch/advisories/feed.ts';
import { pollOsvFeed } from '../watch/advisories/osv.ts';
import { pollSources } from '../watch/poll.ts';
import type { PollRequest, WatchPorts } from '../watch/source.ts';
import { createAnswerReport } from './answer-report.ts';
import { readRequest, report } from './effects.ts';
import { enoughFor } from './enough.ts';
import type { RoleHost } from './host.ts';
import { openWatchPorts } from './parts.ts';

export interface PollerContext {
  readonly objects: Objects;
  readonly queues: Queues;
  readonly ports: WatchPorts;
  readonly feeds: readonly AdvisoryFeed[];
}

export function startPoller(host: RoleHost): void {
  const { parts, secrets, work } = host;
  const { objects, queues, config } = parts;
  const ports = openWatchPorts(parts, secrets);
  work('watch', config.watch.concurrency, createPoller({ objects, queues, ports, feeds: config.advisories }));
}

/** Asks upstreams and feeds. Holds read-only tokens and nothing else. */
export function createPoller(context: PollerContext): JobHandlers {
  const { ports, feeds, queues, objects } = context;

  async function reportObserved(time: string, seen: Omit<ObservedResult, 'kind' | 'effect' | 'at'>): Promise<void> {
    // What is said again is remembered and left alone, so another answer of the same time has another name. When something
    // was seen is not part of it.
    const content = { ...seen, observations: seen.observations.map((one) => ({ ...one, observedAt: '' })) };
    await report(objects, queues, {
      ...seen,
      kind: 'observed',
      effect: `observed-${sha256(seen.source).slice(0, 16)}-${time}-${digestOf(content).slice(0, 16)}`,
      at: ports.clock.now().toISOString(),
    });
  }

  return {
    async 'watch-releases'({ request: key }, { signal, log }) {
      // It is taken away with the last answer: who is late, or was killed just then, has nothing left to do.
      if (!(await objects.has(key))) return log.debug({ file: key }, 'the request was answered before');
      const { sources, urgent } = await readRequest(objects, key, 'watch');
      const answers = createAnswerReport({ objects, queues, clock: ports.clock }, key);
      const requests = sources.map(
        ({ source, cursor, watchers }): PollRequest => ({
          source,
          cursor,
          signal,
          urgent,
          ...(watchers.length === 0 ? {} : { enough: enoughFor(source, watchers) }),
        }),
      );
      try {
        const { sources: unasked, retryAfter } = await pollSources(requests, ports, ({ source }, answer) =>
          answers.add(source, answer),
        );
        await answers.leave({ unasked: [...unasked], ...(retryAfter === undefined ? {} : { retryAfter }) });
      } catch (thrown) {
        await answers.leave();
        throw thrown;
      }
    },

    async 'watch-advisories'({ feed: name, slot, part, cursor: key }, { signal }) {
      const feed = feeds.find((one) => one.name === name);
      if (feed === undefined) {
        throw new RegrowError('config.invalid', `there is no advisory feed ${name} in this poller's configuration`, {
          field: 'advisories',
          remedy: 'give every poller the same configuration',
        });
      }
      // Read now: a job that is tried again goes on from where the feed has been read to meanwhile.
      const stored = key === undefined ? undefined : await objects.get(key);
      const start = stored === undefined ? undefined : new TextDecoder().decode(stored.bytes);
      const { observations, failures, answered, cursor, more } = await pollOsvFeed(
        { feed, cursor: start, signal },
        ports,
      );
      await reportObserved(`${slot}.${part}`, {
        source: name,
        observations: [...observations, ...failures],
        ...(cursor === undefined ? {} : { cursor: { cursor } }),
        part: { slot, number: part, ...(start === undefined ? {} : { start }), answered: [...answered], more },
      });
    },
  };
}
