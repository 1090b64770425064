import { findEngine } from '../adapters/engine-program.ts';
import { findFaketime } from '../adapters/faketime.ts';
import { createSandbox } from '../adapters/sandbox.ts';
import { createWorkspaces } from '../adapters/workspace.ts';
import type { StepClock } from '../build/build-run.ts';
import { createThrowAwayKey } from '../build/melange/throw-away-key.ts';
import { engineFolders } from '../config/engine-folders.ts';
import { buildQueue } from '../jobs/catalogue.ts';
import type { Queues } from '../jobs/queues.ts';
import { type JobHandlers, JobLeft } from '../jobs/worker.ts';
import type { BuildRequest } from '../model/build.ts';
import type { ImageBuiltResult } from '../model/result.ts';
import { parseTarget, type TargetName } from '../model/target.ts';
import type { Clock } from '../ports/clock.ts';
import { readBuildRequest } from './build-request.ts';
import { buildEffect, finalFailure, readRequest, report, requestDigest } from './effects.ts';
import { type RunBuild, runWithEngine } from './engine-runner.ts';
import type { RoleHost } from './host.ts';
import { hostEngineOf } from './host-engine.ts';
import { buildImage, type ImageBuilderPorts, type ImageRunLimits } from './image-builder.ts';
import { createLiveLog } from './live-log.ts';
import { buildableArches, melangeEngineOf } from './melange-engine.ts';

/** Seconds that the steps of a second build are ahead: another day, month and year, and another time of the day. */
const secondsAhead = 400 * 86_400 + 5 * 3600 + 17 * 60 + 23;
/** Milliseconds before a job that is left to other builders comes back. */
const leftPause = 3000;

export interface BuilderContext {
  /** Of this builder, as results have it. */
  readonly name: string;
  readonly ports: ImageBuilderPorts;
  readonly queues: Queues;
  readonly clock: Clock;
  readonly limits: ImageRunLimits;
  /** What steps take for the time; undefined: the machine's. */
  readonly clockOf?: (request: BuildRequest, isSecond: boolean) => StepClock | undefined;
  readonly run: RunBuild;
}

/** Starts builders for the targets that this machine can build for. Errors: sandbox.unavailable. */
export async function startBuilder(host: RoleHost): Promise<void> {
  const { config, exec, objects, queues, clock, paths, log } = host.parts;
  const sandbox = createSandbox({ exec });
  await sandbox.probe();
  const { concurrency } = config.build;
  const ports = { objects, sandbox, workspaces: createWorkspaces({ directory: paths.workspaces, exec }) };
  const liveLog = createLiveLog(objects, log);
  const engine = hostEngineOf(host.parts, { ...ports, liveLog }, host.builderName);
  const melange = melangeEngineOf(host.parts, { ...ports, liveLog }, engine.builder);
  const { arch, limits } = engine;
  const apko = async () => ({ program: await findEngine('apko', engineFolders()), signer: createThrowAwayKey });
  const handlers = createBuilder({
    name: engine.builder,
    clockOf: (request, isSecond) => host.stepClock ?? (isSecond ? secondClock(request) : undefined),
    ports: { ...ports, apko },
    queues,
    clock,
    limits: { arch, timeout: limits.stepTimeout, outputLimit: limits.outputLimit, processLimit: limits.processLimit },
    run: runWithEngine(engine, melange),
  });
  const arches = buildableArches(config);
  for (const target of config.targets) {
    if (arches.includes(parseTarget(target).arch)) host.work(buildQueue(target), concurrency, handlers, engine.builder);
    else log.info({ target }, 'this machine does not build for it; start a builder on one that does');
  }
}

/**
 * A second build of the host engine is on another clock, where the machine has libfaketime. Programs of the other C library, which
 * a build may have made and run, cannot load it.
 */
function secondClock({ engine, target }: BuildRequest): StepClock | undefined {
  const library = engine === 'host' && parseTarget(target).libc === 'gnu' ? findFaketime() : undefined;
  return library === undefined ? undefined : { library, secondsAhead };
}

/** Runs what nobody trusts. Holds no key and no token; writes to staging, and blobs that nothing points to. */
export function createBuilder(context: BuilderContext): JobHandlers {
  const { ports, queues, clock } = context;
  const now = () => clock.now().toISOString();

  /** Whether builders of other names take jobs of a target. */
  async function hasOthers(target: TargetName): Promise<boolean> {
    return (await queues.workers(buildQueue(target))).some((name) => name !== context.name);
  }

  return {
    async build({ buildKey, attempt, request: digest, target: queue, not }, { signal, log }) {
      // Another machine says more about whether a build can be repeated than the same one.
      if (not === context.name && (await hasOthers(queue))) throw new JobLeft(leftPause);
      const request = await readBuildRequest(ports.objects, digest);
      const { package: name, version, epoch, target } = request;
      const about = { package: name, version: `${version}-r${epoch}`, target, buildKey, attempt };
      log.info(about, 'build begins');
      const stepClock = context.clockOf?.(request, not !== undefined);
      const names = { buildKey, request: digest, ...(stepClock === undefined ? {} : { clock: stepClock }) };
      const build = await context.run(request, names, signal);
      const effect = buildEffect({ buildKey, attempt });
      await report(ports.objects, queues, { kind: 'built', effect, at: now(), attempt, build });
      const { outcome, milliseconds, failure } = build;
      log.info({ ...about, outcome, milliseconds, ...(failure === undefined ? {} : { failure }) }, 'build ended');
    },

    async image({ request: key }, { signal }) {
      const request = await readRequest(ports.objects, key, 'image');
      const common = {
        kind: 'image-built',
        effect: `image-${requestDigest(key)}`,
        at: now(),
        name: request.name,
      } as const;
      let result: ImageBuiltResult;
      try {
        result = { ...common, ...(await buildImage(request, ports, context.limits, signal)) };
      } catch (thrown) {
        result = { ...common, blobs: [], platforms: [], failure: finalFailure(thrown) };
      }
      await report(ports.objects, queues, result);
    },
  };
}
