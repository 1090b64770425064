import { RegrowError, reportError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import { type BuildRequest, type BuildResult, buildRequestSchema } from '../model/build.ts';
import { sha256 } from '../model/canonical.ts';
import type { ImageBuiltResult } from '../model/result.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import { buildEffect, finalFailure, readRequest, report, requestDigest } from './effects.ts';
import { buildImage, type ImageBuilderPorts, type ImageRunLimits } from './image-builder.ts';

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

/** Runs what nobody trusts. Holds no key and no token; writes to staging, and blobs that nothing points to. */
export function createBuilder(context: BuilderContext): JobHandlers {
  const { ports, queues, clock } = context;
  const now = () => clock.now().toISOString();
  return {
    async build({ buildKey, attempt, request: digest }, { signal }) {
      const request = await readBuildRequest(ports.objects, digest);
      const build = await context.run(request, { buildKey, request: digest }, signal);
      const effect = buildEffect({ buildKey, attempt });
      await report(ports.objects, queues, { kind: 'built', effect, at: now(), attempt, build });
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
