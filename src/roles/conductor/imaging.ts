import { isDeepStrictEqual } from 'node:util';
import { reportError } from '../../errors.ts';
import type { Artifact } from '../../model/artifact.ts';
import { type ImageDefinition, parseImageDefinition } from '../../model/image-definition.ts';
import { newestPackages } from '../../model/package-set.ts';
import type { Problem } from '../../model/plan.ts';
import type { ImagePublishRequest, ImageRequest } from '../../model/request.ts';
import { createPackageIndex, solve } from '../../model/solve.ts';
import { type Libc, parseTarget, type TargetName } from '../../model/target.ts';
import { blobKey } from '../../ports/objects.ts';
import { readResult, requestDigest, storeRequest } from '../effects.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import type { World } from './world.ts';

/**
 * Builds and publishes every image whose definition or packages are not those of the published one. Until main `isComplete`,
 * a package that an image lacks may still come.
 */
export async function updateImages(
  context: ConductorContext,
  world: World,
  keys: ImageRequest['keys'],
  isComplete: boolean,
): Promise<void> {
  for (const { path, text } of world.tree.images) {
    const name =
      path
        .split('/')
        .at(-1)
        ?.replace(/\.ya?ml$/, '') ?? path;
    try {
      const { definition } = parseImageDefinition(path, text);
      for (const libc of new Set(context.settings.targets.map((target) => parseTarget(target).libc))) {
        const request = imageRequest(context, world, { name, path, text, definition, libc, keys });
        if (request !== undefined) await followImage(context, world, request);
      }
    } catch (thrown) {
      const { code, message, remedy } = reportError(thrown);
      if (code === 'solve.unsatisfiable' && !isComplete) continue;
      const problem: Problem = {
        area: 'image',
        name,
        code,
        message,
        file: path,
        ...(remedy === undefined ? {} : { remedy }),
      };
      world.problems.set(`image/${name}`, problem);
    }
  }
}

interface ImageOf {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  readonly definition: ImageDefinition;
  readonly libc: Libc;
  readonly keys: ImageRequest['keys'];
}

/**
 * The image of one C library as it should be now, every package pinned; undefined while its packages are not published.
 * The first target's C library has the tag `latest`, another one its own name: `musl`.
 */
function imageRequest(context: ConductorContext, world: World, image: ImageOf): ImageRequest | undefined {
  const { definition, libc } = image;
  const first = context.settings.targets[0];
  const targets = context.settings.targets.filter((target) => {
    const one = parseTarget(target);
    return one.libc === libc && (definition.archs.length === 0 || definition.archs.includes(one.arch));
  });
  if (first === undefined || targets.length === 0) return undefined;
  const platforms: { target: TargetName; artifacts: readonly Artifact[] }[] = [];
  for (const target of targets) {
    const newest = newestPackages(world.published.get(target) ?? []);
    if (newest.length === 0) return undefined;
    platforms.push({ target, artifacts: solve(createPackageIndex(newest), definition.packages) });
  }
  return {
    kind: 'image',
    name: image.name,
    tag: parseTarget(first).libc === libc ? 'latest' : libc,
    definition: { path: image.path, text: image.text },
    platforms: platforms.map(({ target, artifacts }) => ({
      target,
      packages: artifacts.map((artifact) => ({
        name: artifact.info.name,
        version: artifact.info.version,
        origin: artifact.info.origin,
        checksum: artifact.checksum,
        key: blobKey(artifact.digest),
        digest: artifact.digest,
      })),
    })),
    sourceDateEpoch: Math.max(0, ...platforms.flatMap(({ artifacts }) => artifacts.map(({ info }) => info.buildDate))),
    keys: image.keys,
  };
}

async function followImage(context: ConductorContext, world: World, request: ImageRequest): Promise<void> {
  const { objects, book } = context;
  const ref = `${request.name}:${request.tag}`;
  const key = await storeRequest(objects, request);
  const effect = `image-${requestDigest(key)}`;
  const built = await readResult(objects, effect, 'image-built');
  if (built === undefined) {
    const target = request.platforms[0]?.target;
    if (target === undefined) return;
    await ensureJob(context, 'image', effect, (attempt) => ({ name: request.name, target, request: key, attempt }));
    return;
  }
  if (built.failure !== undefined || built.index === undefined) {
    const { code, message } = built.failure ?? { code: 'image.invalid', message: 'no image came out' };
    world.problems.set(`image/${ref}`, { area: 'image', name: ref, code, message, file: request.definition.path });
    await book.tell({ id: `image-failed/${effect}`, kind: 'image-failed', text: `${ref} did not run: ${message}` });
    return;
  }
  const published = world.images.images.find((image) => image.ref === ref);
  const vulnerabilities = vulnerabilitiesOf(context, request);
  if (published?.digest === `sha256:${built.index}` && isDeepStrictEqual(published.vulnerabilities, vulnerabilities)) {
    if (book.holds('image', ref, published)) return;
    await book.tell({
      id: `image-published/${ref}/${published.digest}`,
      kind: 'image-published',
      text: `${ref} is published from generation ${published.generation}: ${published.platforms[0]?.output.trim() ?? ''}`,
      facts: { ref, digest: published.digest },
    });
    await book.put('image', ref, published);
    return;
  }
  const publish: ImagePublishRequest = {
    kind: 'image-publish',
    image: key,
    result: effect,
    vulnerabilities,
  };
  const publishKey = await storeRequest(objects, publish);
  await ensureJob(context, 'publish-image', `publish-image-${requestDigest(publishKey)}`, (attempt) => ({
    request: publishKey,
    attempt,
  }));
}

/** Ids of the known vulnerabilities of an image's packages, by their origins. */
function vulnerabilitiesOf(context: ConductorContext, request: ImageRequest): string[] {
  const origins = new Set(request.platforms.flatMap(({ packages }) => packages.map((one) => one.origin)));
  const ids = [...context.book.all('finding')].filter(({ value }) => origins.has(value.package));
  return [...new Set(ids.map(({ value }) => value.advisory))].toSorted();
}
