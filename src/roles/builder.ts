import { hostname } from 'node:os';
import { createSandbox } from '../adapters/sandbox.ts';
import { createWorkspaces } from '../adapters/workspace.ts';
import type { HostEngineContext } from '../build/host/context.ts';
import { runHostBuild } from '../build/host/engine.ts';
import { createHostTools } from '../build/host/host-tools.ts';
import { RegrowError, reportError } from '../errors.ts';
import { buildQueue } from '../jobs/catalogue.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import { type BuildRequest, type BuildResult, buildRequestSchema } from '../model/build.ts';
import { sha256 } from '../model/canonical.ts';
import type { ImageBuiltResult } from '../model/result.ts';
import { type Arch, parseTarget } from '../model/target.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import { buildEffect, finalFailure, readRequest, report, requestDigest } from './effects.ts';
import type { RoleHost } from './host.ts';
import { buildImage, type ImageBuilderPorts, type ImageRunLimits } from './image-builder.ts';
import { createLiveLog } from './live-log.ts';

const archNames: Readonly<Record<string, Arch>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  arm: 'armv7',
  ia32: 'i386',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
};

/** The architecture of this machine, as apk calls it. Errors: tool.missing. */
export function hostArch(): Arch {
  const arch = archNames[process.arch];
  if (arch !== undefined) return arch;
  throw new RegrowError('tool.missing', `regrow does not know the architecture ${process.arch}`, {
    remedy: 'run builders on one of the architectures that apk has',
  });
}

export interface BuilderContext {
  readonly ports: ImageBuilderPorts;
  readonly queues: Queues;
  readonly clock: Clock;
  readonly limits: ImageRunLimits;
  /** Runs one build and leaves its packages and log in staging; a build that fails is a result, not an error. */
  readonly run: (
    request: BuildRequest,
    names: { readonly buildKey: string; readonly request: string },
    signal: AbortSignal,
  ) => Promise<BuildResult>;
}

/** Starts builders for the targets that this machine can build for. Errors: sandbox.unavailable. */
export async function startBuilder(host: RoleHost): Promise<void> {
  const { config, exec, objects, queues, clock, paths, sources, git, log } = host.parts;
  const sandbox = createSandbox({ exec });
  await sandbox.probe();
  const arch = hostArch();
  const { stepTimeout, outputLimit, processLimit, hostTools, concurrency } = config.build;
  const limits = { stepTimeout: stepTimeout * 1000, outputLimit, processLimit };
  const ports = { objects, sandbox, workspaces: createWorkspaces({ directory: paths.workspaces, exec }) };
  const engine: HostEngineContext = {
    ...ports,
    sources,
    git,
    clock,
    arch,
    hostTools: createHostTools(hostTools),
    limits,
    distribution: { namespace: config.publish.keyName, name: config.api.title },
    builder: hostname(),
    liveLog: createLiveLog(objects, log),
  };
  const handlers = createBuilder({
    ports,
    queues,
    clock,
    limits: { arch, timeout: limits.stepTimeout, outputLimit, processLimit },
    run: (request, names, signal) => runHostBuild(engine, request, names, signal),
  });
  for (const target of config.targets) {
    if (parseTarget(target).arch === arch) host.work(buildQueue(target), concurrency, handlers);
    else log.info({ target }, 'this machine does not build for it; start a builder on one that does');
  }
}

/** Runs what nobody trusts. Holds no key and no token; writes to staging, and blobs that nothing points to. */
export function createBuilder(context: BuilderContext): JobHandlers {
  const { ports, queues, clock } = context;
  const now = () => clock.now().toISOString();
  return {
    async build({ buildKey, attempt, request: digest }, { signal, log }) {
      const request = await readBuildRequest(ports.objects, digest);
      const { package: name, version, epoch, target } = request;
      const about = { package: name, version: `${version}-r${epoch}`, target, buildKey, attempt };
      log.info(about, 'build begins');
      const build = await context.run(request, { buildKey, request: digest }, signal);
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

async function readBuildRequest(objects: Objects, digest: string): Promise<BuildRequest> {
  const key = `inputs/${digest}.json`;
  const object = await objects.get(key);
  if (object !== undefined && sha256(object.bytes) === digest) {
    try {
      return buildRequestSchema.parse(JSON.parse(new TextDecoder().decode(object.bytes)));
    } catch (thrown) {
      throw new RegrowError('internal', `${key} is not a build request: ${reportError(thrown).message}`, {
        file: key,
        cause: thrown,
      });
    }
  }
  throw new RegrowError('internal', `${key} is ${object === undefined ? 'not there' : 'not what its digest says'}`, {
    file: key,
    remedy: 'nothing to do: the next reconcile writes it again',
  });
}
