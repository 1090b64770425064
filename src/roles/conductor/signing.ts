import type { JobPayload } from '../../jobs/catalogue.ts';
import { type ImageSigners, imageSignersKey, imageSignersSchema } from '../../model/attachment.ts';
import type { Problem } from '../../model/plan.ts';
import type { ImageSignRequest } from '../../model/request.ts';
import type { ObjectReader } from '../../ports/objects.ts';
import { readResult, requestDigest, resultKey, storeRequest } from '../effects.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { restAfterFailure } from './pushing.ts';
import type { World } from './world.ts';

/** Which keys images are to be signed with; undefined where no publisher has said so. */
export async function readImageSigners(objects: ObjectReader): Promise<ImageSigners['keys'] | undefined> {
  const object = await objects.get(imageSignersKey);
  if (object === undefined) return undefined;
  try {
    return imageSignersSchema.parse(JSON.parse(Buffer.from(object.bytes).toString('utf8'))).keys;
  } catch {
    return undefined;
  }
}

/**
 * Where Sigstore is configured: has the packages of the newest generation signed by an identity. They are published already; what
 * fails is a problem, and tried again.
 */
export async function followPackageSigning(context: ConductorContext, world: World): Promise<void> {
  if (!context.settings.keyless || world.generation === undefined) return;
  const { generation } = world.generation;
  const about = { area: 'signing', name: 'packages' } as const;
  await follow(context, world, `sign-packages-${generation}`, about, 'some have no signature by identity yet', () =>
    ensureJob(context, 'sign-packages', `sign-packages-${generation}`, (attempt) => ({ generation, attempt }), 'low'),
  );
}

/** Has an image that was built signed by an identity. `ref` and `file` are for people. */
export async function followImageSigning(
  context: ConductorContext,
  world: World,
  image: Pick<ImageSignRequest, 'image' | 'result'> & { readonly ref: string; readonly file: string },
): Promise<void> {
  const { ref, file, ...keys } = image;
  const request = await storeRequest(context.objects, { kind: 'image-sign', image: keys.image, result: keys.result });
  const effect = `sign-image-${requestDigest(request)}`;
  const payload = (attempt: number): JobPayload<'sign-image'> => ({ request, attempt });
  await follow(context, world, effect, { area: 'image', name: ref, file }, 'it has no signature by identity', () =>
    ensureJob(context, 'sign-image', effect, payload),
  );
}

async function follow(
  { objects, clock }: ConductorContext,
  world: World,
  effect: string,
  about: Pick<Problem, 'area' | 'name' | 'file'>,
  what: string,
  ensure: () => Promise<void>,
): Promise<void> {
  const done = await readResult(objects, effect, 'signed');
  if (done?.failure !== undefined) {
    const { code, message } = done.failure;
    world.problems.set(`${about.area}/${about.name}${about.area === 'image' ? ' identity' : ''}`, {
      ...about,
      code,
      message: `${what}: ${message}`,
    });
    if (clock.now().getTime() - Date.parse(done.at) < restAfterFailure) return;
    await objects.remove(resultKey(effect));
  } else if (done !== undefined) {
    // An image that was signed a moment ago is not asked about again; one whose signature is lost, by the next round.
    if (about.area === 'image') await objects.remove(resultKey(effect));
    return;
  }
  await ensure();
}
