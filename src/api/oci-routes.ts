import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseAttachmentTag } from '../formats/cosign.ts';
import { ociMediaTypes } from '../formats/oci.ts';
import { referrerIndex } from '../formats/referrer.ts';
import { imageKeyKey, imageKeysPrefix } from '../model/attachment.ts';
import type { ImageCatalogue } from '../model/publication.ts';
import { blobKey, type Objects } from '../ports/objects.ts';
import type { RepositoryView } from '../report/repository.ts';
import { notFound, sendObject } from './replies.ts';

/** The codes of the OCI distribution specification 1.1, "Error codes", that a read-only registry gives. */
type OciCode = 'BLOB_UNKNOWN' | 'DIGEST_INVALID' | 'MANIFEST_UNKNOWN' | 'NAME_INVALID' | 'NAME_UNKNOWN' | 'UNSUPPORTED';

/** `NAME/manifests/REF`, `NAME/blobs/DIGEST`, `NAME/tags/list`; names, tags and digests as the specification spells them. */
const namePattern = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*';
const pathPattern = new RegExp(`^(${namePattern})/(manifests|blobs|tags)/([A-Za-z0-9_][A-Za-z0-9._:-]{0,127})$`);
/** Digests as the specification spells them, `ALGORITHM:ENCODED`. */
const referrersPattern = new RegExp(`^(${namePattern})/referrers/(.+)$`);
const anyDigest = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/;
const keyFile = /^[A-Za-z0-9@][A-Za-z0-9._@+-]{0,255}\.pub$/;
const digestPattern = /^sha256:([0-9a-f]{64})$/;

const filterSchema = z.object({ artifactType: z.string().optional().catch(undefined) });

const mediaTypeSchema = z.object({
  mediaType: z.enum([
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ]),
});
/** Largest manifest that is read to find its media type: the least that the specification wants registries to take. */
const manifestLimit = 4 * 1024 * 1024;

function refuse(reply: FastifyReply, status: number, code: OciCode, message: string): FastifyReply {
  return reply.code(status).send({ errors: [{ code, message, detail: {} }] });
}

function splitRef(ref: string): { name: string; tag: string } {
  const colon = ref.lastIndexOf(':');
  return { name: ref.slice(0, colon), tag: ref.slice(colon + 1) };
}

function tagsOf(catalogue: ImageCatalogue, name: string): string[] {
  return catalogue.images
    .map((image) => splitRef(image.ref))
    .filter((ref) => ref.name === name)
    .map((ref) => ref.tag)
    .sort();
}

function mediaTypeOf(bytes: Uint8Array): string | undefined {
  try {
    const parsed = mediaTypeSchema.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return parsed.success ? parsed.data.mediaType : undefined;
  } catch {
    return undefined;
  }
}

/** Images, to be pulled and nothing else: `docker pull HOST/NAME:TAG`. */
export function addOciRoutes(app: FastifyInstance, objects: Objects, repository: RepositoryView): void {
  /** What a tag stands for: of an image, or of what is attached to one of its manifests, which is listed nowhere. */
  async function taggedDigest(name: string, tag: string): Promise<string | undefined> {
    const about = parseAttachmentTag(tag);
    if (about === undefined) {
      const { images } = await repository.images();
      return images.find((image) => image.ref === `${name}:${tag}`)?.digest;
    }
    const attached = await repository.attachments(about.hex);
    return attached === undefined ? undefined : `sha256:${attached[about.kind]}`;
  }

  /** A blob that is no larger than a manifest: anybody may ask for any digest, of layers and packages too. */
  async function getManifest(hex: string): Promise<{ readonly bytes: Uint8Array } | undefined> {
    const size = (await objects.stream(blobKey(hex)))?.size ?? 0;
    return size > manifestLimit ? undefined : objects.get(blobKey(hex));
  }

  async function sendManifest(
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    reference: string,
  ): Promise<FastifyReply> {
    const digest = await taggedDigest(name, reference);
    const hex = digestPattern.exec(digest ?? reference)?.[1];
    const object = hex === undefined ? undefined : await getManifest(hex);
    const type = object === undefined ? undefined : mediaTypeOf(object.bytes);
    if (hex === undefined || object === undefined || type === undefined) {
      return refuse(reply, 404, 'MANIFEST_UNKNOWN', `${name} has no manifest ${reference}`);
    }
    async function* body(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    return sendObject(
      request,
      reply,
      { size: object.bytes.length, body: body(object.bytes) },
      {
        type,
        etag: `"sha256:${hex}"`,
        cacheControl: digest === undefined ? 'public, max-age=31536000, immutable' : 'no-cache',
        headers: { 'docker-content-digest': `sha256:${hex}` },
      },
    );
  }

  async function sendBlob(
    request: FastifyRequest,
    reply: FastifyReply,
    name: string,
    reference: string,
  ): Promise<FastifyReply> {
    const hex = digestPattern.exec(reference)?.[1];
    if (hex === undefined) return refuse(reply, 400, 'DIGEST_INVALID', 'only sha256 digests are stored here');
    const object = await objects.stream(blobKey(hex));
    if (object === undefined) return refuse(reply, 404, 'BLOB_UNKNOWN', `${name} has no blob ${reference}`);
    return sendObject(request, reply, object, {
      type: 'application/octet-stream',
      etag: `"sha256:${hex}"`,
      cacheControl: 'public, max-age=31536000, immutable',
      headers: { 'docker-content-digest': `sha256:${hex}` },
    });
  }

  /** What refers to a manifest: an empty list for what nothing does, also where there is no such manifest. */
  async function sendReferrers(request: FastifyRequest, reply: FastifyReply, digest: string): Promise<FastifyReply> {
    if (!anyDigest.test(digest)) return refuse(reply, 400, 'DIGEST_INVALID', `${digest} is no digest`);
    const hex = digestPattern.exec(digest)?.[1];
    const all = hex === undefined ? [] : ((await repository.attachments(hex))?.referrers ?? []);
    const { artifactType } = filterSchema.parse(request.query);
    if (artifactType !== undefined) reply.header('oci-filters-applied', 'artifactType');
    const wanted = all.filter((one) => artifactType === undefined || one.artifactType === artifactType);
    const list = referrerIndex(wanted.map(({ annotations = {}, ...one }) => ({ ...one, annotations })));
    return reply.type(ociMediaTypes.index).header('cache-control', 'no-cache').send(Buffer.from(list.bytes));
  }

  async function route(request: FastifyRequest, reply: FastifyReply, path: string): Promise<FastifyReply> {
    reply.header('docker-distribution-api-version', 'registry/2.0');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(reply, 405, 'UNSUPPORTED', 'this registry is read-only: regrow publishes images itself');
    }
    if (path === '') return reply.send({});
    const [, referring, subject] = referrersPattern.exec(path) ?? [];
    if (referring !== undefined && subject !== undefined && tagsOf(await repository.images(), referring).length > 0) {
      return sendReferrers(request, reply, subject);
    }
    const [, name, kind, reference] = pathPattern.exec(path) ?? [];
    if (name === undefined || reference === undefined) return refuse(reply, 404, 'NAME_INVALID', 'no such path');
    const tags = tagsOf(await repository.images(), name);
    if (tags.length === 0) return refuse(reply, 404, 'NAME_UNKNOWN', `there is no image ${name}`);
    if (kind === 'manifests') return sendManifest(request, reply, name, reference);
    if (kind === 'blobs') return sendBlob(request, reply, name, reference);
    if (reference === 'list') return reply.send({ name, tags });
    return refuse(reply, 404, 'NAME_INVALID', 'no such path');
  }

  app.all<{ Params: { '*': string } }>('/v2/*', async (request, reply) => route(request, reply, request.params['*']));
  app.all('/v2', async (request, reply) => route(request, reply, ''));
  app.route({
    method: ['GET', 'HEAD'],
    url: '/images/cosign.pub',
    async handler(request, reply) {
      const key = await objects.stream(imageKeyKey);
      if (key === undefined) throw notFound('no image was signed yet');
      return sendObject(request, reply, key, { type: 'application/x-pem-file', cacheControl: 'no-cache' });
    },
  });
  // Every key that is trusted, those that were before and the next one among them.
  app.route<{ Params: { file: string } }>({
    method: ['GET', 'HEAD'],
    url: '/images/keys/:file',
    async handler(request, reply) {
      const { file } = request.params;
      const key = keyFile.test(file) ? await objects.stream(`${imageKeysPrefix}${file}`) : undefined;
      if (key === undefined) throw notFound('no such key');
      return sendObject(request, reply, key, { type: 'application/x-pem-file', cacheControl: 'no-cache' });
    },
  });
}
