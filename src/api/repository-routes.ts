import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { bundleMediaType } from '../formats/sigstore-bundle.ts';
import type { Generation } from '../model/publication.ts';
import { arches, libcs, type TargetName, targetName } from '../model/target.ts';
import { blobKey, bundleKey, type Objects } from '../ports/objects.ts';
import type { RepositoryView } from '../report/repository.ts';
import { notFound, sendObject } from './replies.ts';

/** How many generations back a package is still served: a client may hold the index of one that has just been replaced. */
const generationsBack = 3;
const indexFile = 'APKINDEX.tar.gz';

const addressSchema = z.object({
  libc: z.enum(libcs),
  arch: z.enum(arches),
  file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,255}$/),
});
/** Behind the name of a package's file: where it came from (in-toto attestation `spec/v1/bundle.md`). */
const provenanceSuffix = '.intoto.jsonl';
/** Behind the name of a package's file: the same, signed by an identity, as a Sigstore bundle. */
const bundleSuffix = '.sigstore.json';
const keySchema = z.object({ file: z.string().regex(/^[A-Za-z0-9@][A-Za-z0-9._@+-]{0,255}\.rsa\.pub$/) });

/** Where the publisher leaves its public key, under the name that it has in `/etc/apk/keys`. */
export function publicKeyKey(file: string): string {
  return `repository/keys/${file}`;
}

function typeOf(file: string): string {
  if (file === indexFile) return 'application/gzip';
  if (file.endsWith(bundleSuffix)) return bundleMediaType;
  return file.endsWith(provenanceSuffix) ? 'application/jsonl' : 'application/vnd.apk';
}

/** The file of a package, or of its provenance, in the newest generation or one shortly before. */
async function findPackage(
  repository: RepositoryView,
  current: Generation,
  target: TargetName,
  file: string,
): Promise<{ digest: string | undefined; generation: number } | undefined> {
  const isProvenance = file.endsWith(provenanceSuffix);
  const name = isProvenance ? file.slice(0, -provenanceSuffix.length) : file;
  let generation: Generation | undefined = current;
  for (let back = 0; generation !== undefined && back <= generationsBack; back += 1) {
    const found = await repository.file(generation, target, name);
    if (found !== undefined) {
      return { digest: isProvenance ? found.provenance : found.digest, generation: generation.generation };
    }
    generation = generation.parent === undefined ? undefined : await repository.generation(generation.parent);
  }
  return undefined;
}

/** The apk repository: `http://HOST/repository/LIBC` is what goes into /etc/apk/repositories. */
export function addRepositoryRoutes(app: FastifyInstance, objects: Objects, repository: RepositoryView): void {
  app.route<{ Params: { libc: string; arch: string; file: string } }>({
    method: ['GET', 'HEAD'],
    url: '/repository/:libc/:arch/:file',
    async handler(request, reply) {
      const address = addressSchema.safeParse(request.params);
      if (!address.success) throw notFound('no such file in the repository');
      const { libc, arch, file } = address.data;
      const target = targetName({ libc, arch });
      const current = await repository.current();
      if (current === undefined) throw notFound('nothing is published yet');
      if (file.endsWith(bundleSuffix)) {
        const signed = await findPackage(repository, current, target, file.slice(0, -bundleSuffix.length));
        const bundle = signed?.digest === undefined ? undefined : await objects.stream(bundleKey(signed.digest));
        if (bundle === undefined) throw notFound(`${target} has no ${file}`);
        return sendObject(request, reply, bundle, { type: typeOf(file), cacheControl: 'no-cache' });
      }
      const isIndex = file === indexFile;
      const found = isIndex
        ? { digest: current.targets[target]?.index, generation: current.generation }
        : await findPackage(repository, current, target, file);
      const object = found?.digest === undefined ? undefined : await objects.stream(blobKey(found.digest));
      if (found?.digest === undefined || object === undefined) throw notFound(`${target} has no ${file}`);
      return sendObject(request, reply, object, {
        type: typeOf(file),
        etag: `"${found.digest}"`,
        cacheControl: isIndex ? 'no-store' : 'public, max-age=31536000, immutable',
        headers: { 'x-regrow-generation': String(found.generation) },
      });
    },
  });

  app.route<{ Params: { file: string } }>({
    method: ['GET', 'HEAD'],
    url: '/repository/keys/:file',
    async handler(request, reply) {
      const address = keySchema.safeParse(request.params);
      const object = address.success ? await objects.stream(publicKeyKey(address.data.file)) : undefined;
      if (object === undefined)
        throw notFound('no such key is trusted', '`regrow keys list` says which there are: NAME.rsa.pub');
      return sendObject(request, reply, object, { type: 'application/x-pem-file', cacheControl: 'no-cache' });
    },
  });
}
