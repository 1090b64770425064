import { RegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import { sha256 } from '../model/canonical.ts';
import type { ObservedResult } from '../model/result.ts';
import type { Objects } from '../ports/objects.ts';
import type { AdvisoryFeed } from '../watch/advisories/feed.ts';
import { pollOsvFeed } from '../watch/advisories/osv.ts';
import { pollSource } from '../watch/registry.ts';
import type { WatchPorts } from '../watch/source.ts';
import { report } from './effects.ts';
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
  const now = () => ports.clock.now().toISOString();
  return {
    async 'watch-release'({ source, slot, cursor }, { signal }) {
      const answer = await pollSource({ source, cursor, signal }, ports);
      const effect = `observed-${sha256(source).slice(0, 16)}-${slot}`;
      const common = { effect, at: now(), kind: 'observed', source } as const;
      const result: ObservedResult =
        answer.kind === 'observed'
          ? { ...common, observations: [answer.observation], cursor: { cursor: answer.cursor } }
          : { ...common, observations: answer.kind === 'failed' ? [answer.failure] : [] };
      await report(objects, queues, result);
    },

    async 'watch-advisories'({ feed: name, slot, cursor: start }, { signal }) {
      const feed = feeds.find((one) => one.name === name);
      if (feed === undefined) {
        throw new RegrowError('config.invalid', `there is no advisory feed ${name} in this poller's configuration`, {
          field: 'advisories',
          remedy: 'give every poller the same configuration',
        });
      }
      let cursor = start;
      for (let part = 0; ; part += 1) {
        const answer = await pollOsvFeed({ feed, cursor, signal }, ports);
        cursor = answer.cursor;
        await report(objects, queues, {
          kind: 'observed',
          effect: `observed-${sha256(name).slice(0, 16)}-${slot}.${part}`,
          at: now(),
          source: name,
          observations: [...answer.observations, ...answer.failures],
          ...(cursor === undefined ? {} : { cursor: { cursor } }),
        });
        if (!answer.more) return;
      }
    },
  };
}
