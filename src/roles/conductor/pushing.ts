import { attachmentsKey } from '../../model/attachment.ts';
import { sha256 } from '../../model/canonical.ts';
import type { ImagePublication } from '../../model/publication.ts';
import type { ImagePushRequest } from '../../model/request.ts';
import type { ObjectReader } from '../../ports/objects.ts';
import { readResult, requestDigest, resultKey, storeRequest } from '../effects.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import type { World } from './world.ts';

/** How long a publication or push that failed rests before it is asked for again, milliseconds. */
export const restAfterFailure = 10 * 60_000;

type Pushed = NonNullable<ImagePublication['pushed']>;

/**
 * Brings a published image to every registry that is configured, and says where it is by now. What failed is a problem of the
 * image, and is tried again. `file`: of its definition.
 */
export async function followPushes(
  context: ConductorContext,
  world: World,
  image: ImagePublication,
  file: string,
): Promise<Pushed> {
  const { objects, book, clock, settings } = context;
  const { ref, digest, at } = image;
  if (settings.push.length === 0) return [];
  const attached = await attachedNow(objects, digest);
  const [name = ref, tag = 'latest'] = ref.split(':');
  const known = book.get('image', ref)?.value;
  const before = known?.digest === digest && known.at === at ? known.pushed : undefined;
  const pushed: Pushed = [];
  for (const { registry, repository: template } of settings.push) {
    const repository = template.replaceAll('{name}', name);
    const to = `${new URL(registry).host}/${repository}:${tag}`;
    const there = before?.find((one) => one.to === to && one.attached === attached.attached);
    if (there !== undefined) {
      pushed.push(there);
      continue;
    }
    const request: ImagePushRequest = { kind: 'image-push', ref, digest, at, registry, repository, tag, ...attached };
    const key = await storeRequest(objects, request);
    const effect = `push-image-${requestDigest(key)}`;
    const done = await readResult(objects, effect, 'image-pushed');
    if (done !== undefined && done.failure === undefined) {
      pushed.push({ to, at: done.at, ...attached });
      await book.tell({
        id: `image-pushed/${to}/${digest}/${at}/${attached.attached ?? ''}`,
        kind: 'image-pushed',
        text: `${ref} is at ${to}`,
        facts: { ref, to, digest },
      });
      continue;
    }
    if (done?.failure !== undefined) {
      const { code, message } = done.failure;
      const text = `it cannot be pushed to ${to}: ${message}`;
      world.problems.set(`image/${ref} ${to}`, { area: 'image', name: ref, code, message: text, file });
      if (clock.now().getTime() - Date.parse(done.at) < restAfterFailure) continue;
      await objects.remove(resultKey(effect));
    }
    await ensureJob(context, 'push-image', effect, (attempt) => ({ request: key, attempt }));
  }
  return pushed;
}

/** sha256 of what is attached to the image: signed by other keys, or by an identity, it is pushed again. */
async function attachedNow(objects: ObjectReader, digest: string): Promise<{ readonly attached?: string }> {
  const object = await objects.get(attachmentsKey(digest.replace('sha256:', '')));
  return object === undefined ? {} : { attached: sha256(object.bytes) };
}
