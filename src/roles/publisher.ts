import { isDeepStrictEqual } from 'node:util';
import { openSigner } from '../adapters/signer.ts';
import { RegrowError } from '../errors.ts';
import type { Queues } from '../jobs/queues.ts';
import type { JobHandlers } from '../jobs/worker.ts';
import { sha256 } from '../model/canonical.ts';
import { type ImageCatalogue, type ImagePublication, imageCatalogueSchema } from '../model/publication.ts';
import type { ImagePublishRequest, ImageRequest } from '../model/request.ts';
import type { Clock } from '../ports/clock.ts';
import { blobKey, type Objects } from '../ports/objects.ts';
import type { Signer } from '../ports/signer.ts';
import { type PublishOptions, publishGeneration } from '../publish/generation.ts';
import { readCurrent } from '../publish/manifest.ts';
import { finalFailure, readRequest, readResult, report, requestDigest } from './effects.ts';
import type { RoleHost } from './host.ts';
import { createChildVerifier, type Verify } from './verifier.ts';

export interface PublisherContext {
  readonly objects: Objects;
  readonly queues: Queues;
  readonly signer: Signer;
  readonly clock: Clock;
  readonly options: PublishOptions;
  /** Judges untrusted bytes where no key is: in a child process. */
  readonly verify: Verify;
}

const catalogueKey = 'images/current';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where the public keys lie that packages are signed with. */
export const publicKeysPrefix = 'repository/keys/';

/** Starts the one publisher; makes its key when there is none. */
export async function startPublisher(host: RoleHost): Promise<void> {
  const { config, exec, objects, queues, clock, paths } = host.parts;
  const { keepGenerations, keepVersions, keyName } = config.publish;
  const handlers = await createPublisher({
    objects,
    queues,
    signer: host.signer ?? (await openSigner(paths.keys, keyName)),
    clock,
    options: { keepGenerations, ...(keepVersions === 0 ? {} : { keepVersions }), description: config.api.title },
    verify: host.verify ?? createChildVerifier({ exec, clock, objects: paths.objects }),
  });
  host.work('publish', 1, handlers);
}

/**
 * Judges, signs and publishes. Alone in holding the signing key. Its fencing token is one more than that of the newest
 * generation when it started: a publisher that a later one took over from is refused from then on.
 */
export async function createPublisher(context: PublisherContext): Promise<JobHandlers> {
  const { objects, queues, signer, clock } = context;
  const now = () => clock.now().toISOString();
  await objects.put(`${publicKeysPrefix}${signer.keyName}`, encoder.encode(signer.publicKey));
  const token = ((await readCurrent(objects))?.generation.token ?? 0) + 1;

  return {
    async verify({ request: key }, { signal }) {
      const request = await readRequest(objects, key, 'verify');
      const verdicts = [...(await context.verify(request, signal))];
      await report(objects, queues, { kind: 'verified', effect: `verify-${requestDigest(key)}`, at: now(), verdicts });
    },

    async publish({ request: key }) {
      const request = await readRequest(objects, key, 'publish');
      const common = { kind: 'published', effect: `publish-${requestDigest(key)}`, at: now() } as const;
      try {
        const generation = await publishGeneration(
          { objects, signer, clock },
          { add: request.add, token },
          context.options,
        );
        await report(objects, queues, { ...common, generation });
      } catch (thrown) {
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

/** Moves an image's tag to what was built and run. The same image a second time is nothing. */
async function publishImage(objects: Objects, request: ImagePublishRequest, at: string): Promise<ImagePublication> {
  const image: ImageRequest = await readRequest(objects, request.image, 'image');
  const built = await readResult(objects, request.result, 'image-built');
  if (built?.index === undefined) {
    throw new RegrowError('image.invalid', `${image.name}:${image.tag} was not built`, { file: request.result });
  }
  for (const digest of built.blobs) await checkBlob(objects, digest);
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

async function checkBlob(objects: Objects, digest: string): Promise<void> {
  const blob = await objects.get(blobKey(digest));
  if (blob !== undefined && sha256(blob.bytes) === digest) return;
  throw new RegrowError('image.invalid', `blob ${digest} of the image is not what its digest says`, {
    file: blobKey(digest),
  });
}

async function readCatalogue(objects: Objects): Promise<{ catalogue: ImageCatalogue; etag: string | undefined }> {
  const object = await objects.get(catalogueKey);
  if (object === undefined) return { catalogue: { schema: 1, images: [] }, etag: undefined };
  return { catalogue: imageCatalogueSchema.parse(JSON.parse(decoder.decode(object.bytes))), etag: object.etag };
}
