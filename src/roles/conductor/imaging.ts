import { isDeepStrictEqual } from 'node:util';
import type { AdvisoryIndex } from '../../decide/vulnerability.ts';
import { reportError } from '../../errors.ts';
import { withoutEpoch } from '../../model/apk-version.ts';
import type { Artifact } from '../../model/artifact.ts';
import { isSignedBy } from '../../model/attachment.ts';
import { type ParsedImageDefinition, parseImageDefinition } from '../../model/image-definition.ts';
import { newestPackages } from '../../model/package-set.ts';
import type { Problem } from '../../model/plan.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import type { ImagePublishRequest, ImageRequest } from '../../model/request.ts';
import { createPackageIndex, solve } from '../../model/solve.ts';
import { type Libc, parseTarget, type TargetName } from '../../model/target.ts';
import { blobKey } from '../../ports/objects.ts';
import { readAttachments } from '../../publish/image/index.ts';
import { createRepositoryView } from '../../report/repository.ts';
import { readResult, requestDigest, resultKey, storeRequest } from '../effects.ts';
import type { PurposePlan } from './building.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { findingsAt } from './finding.ts';
import { followPushes, restAfterFailure } from './pushing.ts';
import { followImageSigning, readImageSigners } from './signing.ts';
import type { World } from './world.ts';

export interface ImageFacts {
  /** Keys that images trust. */
  readonly keys: ImageRequest['keys'];
  readonly advisories: AdvisoryIndex;
  /** What is planned for main: a package that an image lacks may still come of it. */
  readonly main: PurposePlan | undefined;
}

/** Builds and publishes every image whose definition or packages are not those of the published one. */
export async function updateImages(context: ConductorContext, world: World, facts: ImageFacts): Promise<void> {
  const { keys, advisories, main } = facts;
  for (const { path, text } of world.tree.images) {
    const name =
      path
        .split('/')
        .at(-1)
        ?.replace(/\.ya?ml$/, '') ?? path;
    try {
      const parsed = parseImageDefinition(path, text, context.settings.imageEngine(name));
      for (const libc of new Set(context.settings.targets.map((target) => parseTarget(target).libc))) {
        const request = imageRequest(context, world, { name, path, text, parsed, libc, keys });
        if (request !== undefined) await followImage(context, world, request, advisories);
      }
    } catch (thrown) {
      const { code, message, remedy } = reportError(thrown);
      if (code === 'solve.unsatisfiable' && canStillCome(context, world, { name, path, text, main })) continue;
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
  readonly parsed: ParsedImageDefinition;
  readonly libc: Libc;
  readonly keys: ImageRequest['keys'];
}

/**
 * The image of one C library as it should be now, every package pinned; undefined while its packages are not published.
 * The first target's C library has the tag `latest`, another one its own name: `musl`.
 */
function imageRequest(context: ConductorContext, world: World, image: ImageOf): ImageRequest | undefined {
  const { parsed, libc } = image;
  const { definition, engine } = parsed;
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
    ...(engine === 'regrow' ? {} : { engine }),
    sourceDateEpoch: Math.max(0, ...platforms.flatMap(({ artifacts }) => artifacts.map(({ info }) => info.buildDate))),
    keys: image.keys,
  };
}

async function followImage(
  context: ConductorContext,
  world: World,
  request: ImageRequest,
  advisories: AdvisoryIndex,
): Promise<void> {
  const { objects, book } = context;
  const ref = `${request.name}:${request.tag}`;
  const key = await storeRequest(objects, request);
  const effect = `image-${requestDigest(key)}`;
  const built = await readResult(objects, effect, 'image-built');
  const build = async (): Promise<void> => {
    const target = request.platforms[0]?.target;
    if (target === undefined) return;
    await ensureJob(context, 'image', effect, (attempt) => ({ name: request.name, target, request: key, attempt }));
  };
  if (built === undefined) return build();
  if (built.failure !== undefined || built.index === undefined) {
    const { code, message } = built.failure ?? { code: 'image.invalid', message: 'no image came out' };
    world.problems.set(`image/${ref}`, { area: 'image', name: ref, code, message, file: request.definition.path });
    await book.tell({ id: `image-failed/${effect}`, kind: 'image-failed', text: `${ref} did not run: ${message}` });
    // What a builder lacks may be installed by now; the definition and its packages stay what they are.
    if (code !== 'tool.missing' || context.clock.now().getTime() - Date.parse(built.at) < restAfterFailure) return;
    await objects.remove(resultKey(effect));
    await build();
    return;
  }
  const published = world.images.images.find((image) => image.ref === ref);
  const vulnerabilities = vulnerabilitiesOf(world, request, advisories);
  const attached = await readAttachments(objects, { digest: `sha256:${built.index}` });
  const signers = await readImageSigners(objects);
  const isSigned = attached !== undefined && (signers === undefined || isSignedBy(attached, signers, false));
  const isTagged = published?.digest === `sha256:${built.index}`;
  const isCertified = attached?.signed.some(({ by }) => by === 'identity') === true;
  if (context.settings.keyless && !isCertified) {
    await followImageSigning(context, world, { image: key, result: effect, ref, file: request.definition.path });
    // Who pulls by tag gets the old image until the new one is signed.
    if (!isTagged) return;
  }
  if (isTagged && isSigned && isDeepStrictEqual(published.vulnerabilities, vulnerabilities)) {
    const pushed = await followPushes(context, world, published, request.definition.path);
    const row = pushed.length === 0 ? published : { ...published, pushed: [...pushed] };
    if (book.holds('image', ref, row)) return;
    await book.tell({
      id: `image-published/${ref}/${published.digest}`,
      kind: 'image-published',
      text: `${ref} is published from generation ${published.generation}: ${published.platforms[0]?.output.trim() ?? ''}`,
      facts: { ref, digest: published.digest },
    });
    await book.put('image', ref, row);
    return;
  }
  const publish: ImagePublishRequest = {
    kind: 'image-publish',
    image: key,
    result: effect,
    vulnerabilities,
  };
  const publishKey = await storeRequest(objects, publish);
  const publishEffect = `publish-image-${requestDigest(publishKey)}`;
  const done = await readResult(objects, publishEffect, 'image-published');
  if (done !== undefined) {
    if (done.failure !== undefined && context.clock.now().getTime() - Date.parse(done.at) < restAfterFailure) {
      const { code, message } = done.failure;
      world.problems.set(`image/${ref}`, { area: 'image', name: ref, code, message, file: request.definition.path });
      return;
    }
    // Where the catalogue is another one than was looked at, it was published a moment ago; otherwise it was put back.
    const images = await createRepositoryView(objects).images();
    if (done.failure === undefined && !isDeepStrictEqual(images, world.images)) return;
    await objects.remove(resultKey(publishEffect));
    if (done.failure?.code === 'image.invalid') {
      // Something of it is not there, or damaged: what a builder found there may have been removed as unused meanwhile.
      await objects.remove(resultKey(effect));
      return build();
    }
  }
  await ensureJob(context, 'publish-image', publishEffect, (attempt) => ({ request: publishKey, attempt }));
}

/** Ids of the known vulnerabilities of an image's packages at the versions that it has. */
function vulnerabilitiesOf(world: World, request: ImageRequest, advisories: AdvisoryIndex): string[] {
  const packages = new Map<string, { origin: string; version: string }>();
  for (const { origin, version } of request.platforms.flatMap((platform) => platform.packages))
    packages.set(`${origin} ${version}`, { origin, version });
  const ids = [...packages.values()].flatMap(({ origin, version }) => {
    const recipe = world.tree.recipes.get(origin)?.recipe;
    if (recipe === undefined) return [];
    return findingsAt(recipe, withoutEpoch(version), advisories).map(({ advisory }) => advisory);
  });
  return [...new Set(ids)].toSorted();
}

/** Whether an image that cannot be solved could be with what main still builds or publishes. */
function canStillCome(
  context: ConductorContext,
  world: World,
  image: Pick<ImageOf, 'name' | 'path' | 'text'> & { readonly main: PurposePlan | undefined },
): boolean {
  // Before main is planned nobody knows what comes.
  if (image.main === undefined) return true;
  const { definition } = parseImageDefinition(image.path, image.text, context.settings.imageEngine(image.name));
  const pending = pendingPackages(context, world, image.main);
  return context.settings.targets
    .filter((target) => definition.archs.length === 0 || definition.archs.includes(parseTarget(target).arch))
    .every((target) => {
      try {
        const published = newestPackages(world.published.get(target) ?? []);
        const index = createPackageIndex([...published, ...(pending.get(target) ?? [])]);
        solve(index, definition.packages);
        return true;
      } catch {
        return false;
      }
    });
}

/** Packages of main that are not published and not given up: as they were built, or as their recipes promise them. */
function pendingPackages(
  context: ConductorContext,
  world: World,
  main: PurposePlan,
): ReadonlyMap<TargetName, readonly Artifact[]> {
  const pending = new Map<TargetName, Artifact[]>();
  const add = (target: TargetName, artifacts: readonly Artifact[]) =>
    pending.set(target, [...(pending.get(target) ?? []), ...artifacts]);
  for (const { need, attempt, buildKey } of main.builds) {
    const isRefused = context.book.get('verdict', buildKey)?.value.passed === false;
    if (isRefused || attempt?.state === 'failed' || world.problems.has(`publish/${need.resolved.name}`)) continue;
    add(need.target, attempt?.result?.artifacts ?? promised(need.resolved, need.target));
  }
  for (const { package: name, target, reason } of main.waits) {
    const file = world.tree.recipes.get(name);
    if (reason === 'dependency-pending' && file !== undefined)
      add(target, promised(world.tree.resolve(file, target), target));
  }
  return pending;
}

/** What a recipe says of its packages before they are built: their names, and what they ask for. */
function promised(resolved: ResolvedRecipe, target: TargetName): readonly Artifact[] {
  return resolved.packages.map(({ name, depends, provides }) => ({
    target,
    digest: '',
    bytes: 0,
    checksum: '',
    info: {
      name,
      version: resolved.fullVersion,
      arch: resolved.arch,
      size: 0,
      origin: resolved.name,
      description: '',
      url: '',
      commit: '',
      buildDate: 0,
      licenses: [],
      depends: [...depends],
      provides: [...provides],
      replaces: [],
      triggers: [],
      datahash: '',
    },
  }));
}
