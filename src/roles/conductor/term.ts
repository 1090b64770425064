import { openLedger } from '../../adapters/ledger.ts';
import { createHostTools } from '../../build/host/host-tools.ts';
import { createLease } from '../../jobs/lease.ts';
import { createSchedule } from '../../jobs/schedule.ts';
import type { ImageRequest } from '../../model/request.ts';
import type { Ledger } from '../../ports/ledger.ts';
import type { Objects } from '../../ports/objects.ts';
import { type IntervalBounds, shortestInterval } from '../../watch/rhythm.ts';
import { engineSettings } from '../engine-settings.ts';
import type { RoleHost } from '../host.ts';
import { publicKeysPrefix } from '../keys.ts';
import { openForge } from '../parts.ts';
import { recipeAddress } from '../recipe-address.ts';
import { openBook } from './book.ts';
import { createConductor } from './conductor.ts';
import { rebuildSettings } from './repeating.ts';
import { createSuccession, type Turn } from './succession.ts';

/** Jobs of these queues that the conductor takes at a time: results share one reconcile. */
const concurrency = { control: 4, results: 16 };
/** Milliseconds before what could not begin is tried again. */
const pauseBeforeRetry = 5000;
const minute = 60_000;

export interface ConductorRole {
  /** Waits until this process is the conductor, then does what the clock would. */
  tick(): Promise<void>;
}

/** The time in which this process holds the lease. */
interface Term extends Turn {
  tick(): Promise<void>;
}

/**
 * One conductor works at a time, by lease. Another one stands by, and when it gains the lease reads the ledger and goes on
 * from what is.
 */
export function startConductor(host: RoleHost): ConductorRole {
  const { parts } = host;
  const ledger = openLedger({
    file: parts.paths.ledger,
    ...(host.ledgerLimit === undefined ? {} : { limit: host.ledgerLimit }),
  });
  const terms = createSuccession<Term>({
    take: (signal) => takeTerm(host, ledger, signal),
    pause: Math.min(pauseBeforeRetry, host.leaseTime ?? pauseBeforeRetry),
    log: parts.log,
  });
  const lease = createLease({
    redis: parts.redis,
    prefix: parts.config.redis.prefix,
    name: 'conductor',
    log: parts.log,
    ...(host.leaseTime === undefined ? {} : { ttl: host.leaseTime }),
    onGained: (_token, signal) => terms.begin(signal),
  });
  host.onEnd(async (ending) => {
    // The term first: who gets the lease next must not find this one still writing.
    await terms.end(ending);
    if (ending.how === 'kill') lease.kill();
    else await lease.close();
    await ledger.close();
  });
  return {
    async tick() {
      await (await terms.current()).tick();
    },
  };
}

/** `lost`: aborted when the lease is. A round that goes on then ends at its next step, and writes nothing more. */
async function takeTerm(host: RoleHost, ledger: Ledger, lost: AbortSignal): Promise<Term> {
  const { parts } = host;
  const over = new AbortController();
  const signal = AbortSignal.any([lost, over.signal]);
  const { config, objects, queues, clock, git, sources, pipelines } = parts;
  const log = parts.log.child({ role: 'conductor' });
  const watch = { shortest: config.watch.shortestInterval * minute, longest: config.watch.interval * minute };
  const conductor = createConductor(
    {
      book: await openBook(ledger, clock, signal, log),
      objects,
      queues,
      ...openForge(parts, host.secrets),
      git,
      sources,
      clock,
      log,
      settings: {
        targets: config.targets,
        recipeAddress: recipeAddress(config),
        recipesPath: config.recipes.path,
        imagesPath: config.images.path,
        imageEngine: (name) => config.images.engines[name] ?? config.images.engine,
        push: config.images.push,
        policy: config.policy,
        mergeGreen: config.forge.mergeGreen,
        watch,
        forgeRest: config.forge.rest * 1000,
        keyless: config.publish.sigstore !== undefined,
        collectInterval: config.publish.collect.intervalHours * 60 * minute,
        publicUrl: config.api.publicUrl,
        ...rebuildSettings(config.verify),
      },
      builtinPipelines: pipelines,
      hostPackages: new Set(Object.keys(createHostTools(config.build.hostTools))),
      engines: engineSettings(config),
    },
    { keys: () => readKeys(objects), signal },
  );
  const schedule = createSchedule({
    queues,
    clock,
    log,
    entries: [
      { name: 'watch', every: lookEvery(watch), jobs: (slot) => conductor.watchJobs(slot) },
      ...config.advisories.map(({ name, interval }) => ({
        name: `advisories/${name}`,
        every: interval * minute,
        jobs: (slot: number) => conductor.advisoryJobs(name, slot),
      })),
      {
        name: 'reconcile',
        every: config.reconcile.interval * minute,
        jobs: (slot) => [{ type: 'reconcile', payload: { slot: String(slot) } } as const],
      },
    ],
  });
  const workers = [
    host.work('control', concurrency.control, conductor.handlers),
    host.work('results', concurrency.results, conductor.handlers),
  ];
  const term: Term = {
    tick: () => schedule.tick(),
    async end(ending) {
      const patience = setTimeout(() => over.abort(), ending.how === 'stop' ? ending.grace : 0);
      await schedule.stop();
      await Promise.all(workers.map((worker) => worker.end(ending)));
      clearTimeout(patience);
      over.abort();
      // A worker leaves jobs that do not end; who has the lease next must not find one of them still at work.
      if (ending.how === 'stop') await conductor.idle();
    },
  };
  if (host.schedule === false) return term;
  try {
    await schedule.start();
    // The slot of this time may have been asked for by the conductor before, which is gone.
    await queues.reconcile();
  } catch (thrown) {
    await term.end({ how: 'stop', grace: 0 });
    throw thrown;
  }
  return term;
}

/** Milliseconds between two looks at what is due: a minute, unless something may be due sooner. */
function lookEvery(watch: IntervalBounds): number {
  return Math.max(1000, Math.min(minute, shortestInterval(watch)));
}

/** The public keys that packages are signed with; empty until a publisher has started. */
async function readKeys(objects: Objects): Promise<ImageRequest['keys']> {
  const keys: ImageRequest['keys'] = [];
  for (const key of await objects.list(publicKeysPrefix)) {
    const object = await objects.get(key);
    if (object !== undefined)
      keys.push({ name: key.slice(publicKeysPrefix.length), pem: new TextDecoder().decode(object.bytes) });
  }
  return keys;
}
