import type { Config } from '../config/schema.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import type { BuildFailure } from '../model/build.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import { collectUnused } from '../publish/collect/collect.ts';
import type { Patience } from '../publish/collect/plan.ts';
import { readRequest, readResult, report, requestDigest } from './effects.ts';

export interface CollectorContext {
  readonly objects: Objects;
  /** The publisher's own: what another one took over cannot be removed through it. */
  readonly own: Objects;
  readonly queues: Queues;
  readonly clock: Clock;
  readonly patience: Patience;
  readonly keepGenerations: number;
  /** Does it with nothing else changing the repository meanwhile. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  /** What a result says of an error, where it is not thrown on. */
  readonly lastWord: (thrown: unknown) => BuildFailure;
}

const day = 86_400_000;

export function patienceOf({ collect }: Pick<Config['publish'], 'collect'>): Patience {
  const unused = collect.unusedDays * day;
  return {
    blob: unused,
    package: unused,
    log: collect.logDays * day,
    input: unused,
    request: unused,
    result: unused,
    image: collect.imageDays * day,
  };
}

/** Removes from the object store what nothing uses. */
export function createCollector(context: CollectorContext): Pick<JobHandlers, 'collect'> {
  const { objects, own, queues, clock, patience, keepGenerations } = context;
  return {
    async collect({ request: key }, { signal, log }) {
      const request = await readRequest(objects, key, 'collect');
      const effect = `collect-${requestDigest(key)}`;
      const done = await readResult(objects, effect, 'collected');
      if (done !== undefined) return report(objects, queues, done);
      const common = { kind: 'collected', effect, at: clock.now().toISOString() } as const;
      try {
        const options = { patience, keepGenerations, dry: request.dry, signal };
        const collection = await context.alone(() => collectUnused({ objects: own, clock }, request, options));
        log.info({ removed: collection.removed, waiting: collection.waiting, dry: request.dry }, 'collected');
        return report(objects, queues, { ...common, collection });
      } catch (thrown) {
        return report(objects, queues, { ...common, failure: context.lastWord(thrown) });
      }
    },
  };
}
