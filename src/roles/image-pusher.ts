import { toRegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { Registries } from '../ports/registry.ts';
import { pushImage } from '../publish/image/index.ts';
import { failureReport, readRequest, report, requestDigest } from './effects.ts';

export interface ImagePusherContext {
  readonly objects: Objects;
  readonly queues: Queues;
  readonly clock: Clock;
  /** With the logins of the publisher. */
  readonly registries: Registries;
}

/** Brings published images to registries. A second time it is nothing but questions. */
export function createImagePusher({ objects, queues, clock, registries }: ImagePusherContext): JobHandlers {
  return {
    async 'push-image'({ request: key, attempt }, { signal, log }) {
      const request = await readRequest(objects, key, 'image-push');
      const { ref, registry, repository, digest } = request;
      const common = { kind: 'image-pushed', effect: `push-image-${requestDigest(key)}` } as const;
      const about = { image: ref, registry, repository, digest };
      log.info(about, 'push begins');
      try {
        await pushImage(objects, registries.repository(registry, repository), request, {
          signal,
          onProgress: (blob, done, size) => log.info({ ...about, blob, done, size }, 'pushing'),
          onRefused: (err) => log.warn({ ...about, err }, 'the registry takes no referrers'),
        });
        log.info(about, 'pushed');
        await report(objects, queues, { ...common, at: clock.now().toISOString() }, attempt);
      } catch (thrown) {
        // Whatever a registry has against it is shown at once; the next rounds ask for it again.
        const error = toRegrowError(thrown);
        if (error.code === 'aborted' || error.code.startsWith('storage.')) throw error;
        log.warn({ ...about, err: error }, 'the image was not pushed');
        const failure = failureReport(error);
        await report(objects, queues, { ...common, at: clock.now().toISOString(), failure }, attempt);
      }
    },
  };
}
