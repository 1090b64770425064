import { isDeepStrictEqual } from 'node:util';
import { readRegistryAuth } from '../adapters/oci/credentials.ts';
import { createRegistries } from '../adapters/oci/registries.ts';
import { RegrowError, toRegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import type { Artifact } from '../model/artifact.ts';
import { type ImageCatalogue, type ImagePublication, imageCatalogueSchema } from '../model/publication.ts';
import type { ImagePublishRequest, ImageRequest, PublishRequest } from '../model/request.ts';
import type { Refusal } from '../model/result.ts';
import type { TargetName } from '../model/target.ts';
import { planPublication, tieCandidates } from '../plan/ties.ts';
import { type Candidate } from '../plan/transaction.ts';
import type { Clock } from '../ports/clock.ts';
import type { Objects } from '../ports/objects.ts';
import type { Registries } from '../ports/registry.ts';
import type { RepositoryKeys } from '../ports/signer.ts';
import type { RefusedAddition } from '../publish/additions.ts';
import { type PublishOptions, publishRemaining, type Remaining } from '../publish/generation.ts';
import { checkImage } from '../publish/image/index.ts';
import { readCurrent } from '../publish/manifest.ts';
import { createRepositoryMemory } from '../publish/memory.ts';
import { resignIndexes } from '../publish/resign.ts';
import { finalFailure, readRequest, readResult, report, requestDigest } from './effects.ts';
import type { RoleHost } from './host.ts';
import { createImagePusher } from './image-pusher.ts';
import { announceKeys, keyRingOf } from './keys.ts';
import { userAgent } from './parts.ts';
import { createChildVerifier, type Verify } from './verifier.ts';

export interface PublisherContext {
  readonly objects: Objects;
  readonly queues: Queues;
  readonly keys: RepositoryKeys;
  readonly clock: Clock;
  readonly options: PublishOptions;
  /** Judges untrusted bytes where no key is: in a child process. */
  readonly verify: Verify;
  /** A later publisher took over: this one is to take no more jobs. */
  readonly onSuperseded?: (error: RegrowError) => void;
}

/** How long a publisher that another took over from may take to end, milliseconds. */
const leaveTime = 60_000;
/** The published image tags. */
const catalogueKey = 'images/current';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Starts the one publisher; makes its key when there is none. */
export async function startPublisher(host: RoleHost): Promise<void> {
  const { config, exec, objects, queues, clock, paths } = host.parts;
  const { keepGenerations, keepVersions } = config.publish;
  const superseded = new AbortController();
  const handlers = await createPublisher({
    objects,
    queues,
    keys: host.keys ?? (await keyRingOf(config, host.secrets, clock).open()),
    clock,
    options: { keepGenerations, ...(keepVersions === 0 ? {} : { keepVersions }), description: config.api.title },
    verify: host.verify ?? createChildVerifier({ exec, clock, objects: paths.objects }),
    onSuperseded(error) {
      host.parts.log.error({ err: error }, 'another publisher took over: this one takes no more jobs');
      superseded.abort();
    },
  });
  const pusher = createImagePusher({ objects, queues, clock, registries: registriesOf(host) });
  const workers = [host.work('publish', 1, handlers), host.work('push', 1, pusher)];
  superseded.signal.addEventListener('abort', () => {
    for (const worker of workers) void worker.end({ how: 'stop', grace: leaveTime });
  });
}

/** The registries that images are pushed to, with their logins. Errors: config.invalid. */
function registriesOf({ parts, secrets }: RoleHost): Registries {
  const { images, network } = parts.config;
  const { registryAuth } = secrets;
  return createRegistries({
    userAgent,
    addresses: images.push.map(({ registry }) => registry),
    allowPrivate: network.allowPrivate,
    ...(registryAuth === undefined ? {} : { credentials: readRegistryAuth(registryAuth) }),
  });
}

/**
 * Judges, signs and publishes. Alone in holding the signing key. Its fencing token is one more than that of the newest
 * generation when it started: a publisher that a later one took over from is refused from then on.
 */
export async function createPublisher(context: PublisherContext): Promise<JobHandlers> {
  const { objects, queues, clock } = context;
  const { signer } = context.keys;
  const now = () => clock.now().toISOString();
  await announceKeys(objects, context.keys);
  const token = ((await readCurrent(objects))?.generation.token ?? 0) + 1;
  await resignIndexes({ objects, signer, clock }, token);
  const memory = createRepositoryMemory();

  return {
    async verify({ request: key }, { signal }) {
      const request = await readRequest(objects, key, 'verify');
      const generation = (await readCurrent(objects))?.generation.generation ?? 0;
      const verdicts = [...(await context.verify(request, signal))];
      const effect = `verify-${requestDigest(key)}`;
      await report(objects, queues, { kind: 'verified', effect, at: now(), verdicts, generation });
    },

    async publish({ request: key }) {
      const request = await readRequest(objects, key, 'publish');
      const common = { kind: 'published', effect: `publish-${requestDigest(key)}`, at: now() } as const;
      try {
        const ports = { objects, signer, clock, memory };
        const done = await publishRemaining(ports, { add: request.add, token }, context.options, withoutRefused);
        const refused = refusalsOf(request, done.refused);
        await report(objects, queues, {
          ...common,
          ...(done.generation === undefined ? {} : { generation: done.generation }),
          ...(refused.length === 0 ? {} : { refused: [...refused] }),
        });
      } catch (thrown) {
        const error = toRegrowError(thrown);
        if (error.code === 'repository.moved' && error.retry === 'never') {
          context.onSuperseded?.(error);
          // The job is as good as before: whoever took over does it.
          throw new RegrowError(error.code, error.message, { retry: 'later', cause: error });
        }
        await report(objects, queues, { ...common, failure: finalFailure(thrown) });
      }
    },

    async 'publish-image'({ request: key }) {
      const request = await readRequest(objects, key, 'image-publish');
      const common = { kind: 'image-published', effect: `publish-image-${requestDigest(key)}`, at: now() } as const;
      try {
        const publication = await publishImage(objects, request, now());
        await report(objects, queues, { ...common, publication });
      } catch (thrown) {
        await report(objects, queues, { ...common, failure: finalFailure(thrown) });
      }
    },
  };
}

/** Leaves out whole origins, on every target, and whatever cannot be there without them: what is left stays consistent. */
const withoutRefused: Remaining = (published, left, refused) => {
  const lost = new Set(refused.map(({ addition }) => addition.artifact.info.origin));
  const candidates = candidatesOf([...left, ...refused.map(({ addition }) => addition.artifact)]);
  const ties = tieCandidates(published, candidates);
  const { publish } = planPublication(published, candidates, ties, (origin) => !lost.has(origin));
  return publish.flatMap(({ artifacts }) => [...artifacts.values()].flat());
};

function candidatesOf(artifacts: readonly Artifact[]): readonly Candidate[] {
  const byOrigin = new Map<string, Map<TargetName, Artifact[]>>();
  for (const artifact of artifacts) {
    const { origin } = artifact.info;
    const own = byOrigin.get(origin) ?? new Map<TargetName, Artifact[]>();
    own.set(artifact.target, [...(own.get(artifact.target) ?? []), artifact]);
    byOrigin.set(origin, own);
  }
  return [...byOrigin].map(([origin, own]) => ({ origin, artifacts: own }));
}

/** One refusal for each origin, with the first reason. */
function refusalsOf(request: PublishRequest, refused: readonly RefusedAddition[]): readonly Refusal[] {
  const refusals = new Map<string, Refusal>();
  for (const { addition, error } of refused) {
    const { origin } = addition.artifact.info;
    if (refusals.has(origin)) continue;
    const own = request.add.filter(({ artifact }) => artifact.info.origin === origin);
    const digests = own.map(({ artifact }) => artifact.digest).toSorted();
    refusals.set(origin, { package: origin, code: error.code, message: error.message, digests });
  }
  return [...refusals.values()];
}

/** Moves an image's tag to what was built and run. The same image a second time is nothing. */
async function publishImage(objects: Objects, request: ImagePublishRequest, at: string): Promise<ImagePublication> {
  const image: ImageRequest = await readRequest(objects, request.image, 'image');
  const built = await readResult(objects, request.result, 'image-built');
  if (built?.index === undefined) {
    throw new RegrowError('image.invalid', `${image.name}:${image.tag} was not built`, { file: request.result });
  }
  await checkImage(
    objects,
    { ref: `${image.name}:${image.tag}`, index: built.index, platforms: built.platforms },
    image.platforms.map(({ target }) => target),
  );
  const current = await readCurrent(objects);
  const publication: ImagePublication = {
    ref: `${image.name}:${image.tag}`,
    digest: `sha256:${built.index}`,
    generation: current?.generation.generation ?? 0,
    at,
    platforms: built.platforms.map(({ target, manifest, output }) => ({
      target,
      manifest,
      output,
      packages: (image.platforms.find((one) => one.target === target)?.packages ?? []).map(
        ({ name, version, origin }) => ({
          name,
          version,
          origin,
        }),
      ),
    })),
    vulnerabilities: request.vulnerabilities,
  };
  const { catalogue, etag } = await readCatalogue(objects);
  const known = catalogue.images.find((one) => one.ref === publication.ref);
  const isSame =
    known?.digest === publication.digest && isDeepStrictEqual(known.vulnerabilities, publication.vulnerabilities);
  if (known !== undefined && isSame) return known;
  const images = [...catalogue.images.filter((one) => one.ref !== publication.ref), publication];
  images.sort((a, b) => (a.ref < b.ref ? -1 : 1));
  if (await objects.swap(catalogueKey, encoder.encode(JSON.stringify({ schema: 1, images })), etag)) return publication;
  throw new RegrowError('repository.moved', `another image was published at the same time as ${publication.ref}`, {
    retry: 'now',
  });
}

async function readCatalogue(objects: Objects): Promise<{ catalogue: ImageCatalogue; etag: string | undefined }> {
  const object = await objects.get(catalogueKey);
  if (object === undefined) return { catalogue: { schema: 1, images: [] }, etag: undefined };
  return { catalogue: imageCatalogueSchema.parse(JSON.parse(decoder.decode(object.bytes))), etag: object.etag };
}
