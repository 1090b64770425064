import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import type { Guard, Objects } from '../ports/objects.ts';
import { encodeJson, readCurrent } from './manifest.ts';

/** Which publisher writes the repository: the newest one to have started. */
export const publisherKey = 'repository/publisher';

const publisherSchema = z.object({ schema: z.literal(1), token: z.number().int().nonnegative() });

/** What is lost may be written anew: the manifests have the tokens of those that published. */
function tokenOf(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return 0;
  try {
    return publisherSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))).token;
  } catch {
    return 0;
  }
}

/** The repository as one publisher has it. */
export interface Tenure {
  /** Fencing token, higher than that of every publisher before. */
  readonly token: number;
  /** The store. Every pointer that moves and every removal is in one step with the look whether this publisher is still the newest. */
  readonly objects: Objects;
}

/**
 * Makes the caller the one publisher. Whoever was it before can move no pointer and remove nothing from now on, whatever it
 * is in the middle of: its `objects` give repository.moved (never). Errors: repository.corrupt, storage.full, storage.failed.
 */
export async function takeOver(objects: Objects): Promise<Tenure> {
  for (;;) {
    const last = await objects.get(publisherKey);
    const published = (await readCurrent(objects))?.generation.token ?? 0;
    const token = Math.max(published, tokenOf(last?.bytes)) + 1;
    if (!(await objects.swap(publisherKey, encodeJson({ schema: 1, token }), last?.etag))) continue;
    const own = await objects.get(publisherKey);
    if (own !== undefined && tokenOf(own.bytes) === token)
      return { token, objects: fenced(objects, { key: publisherKey, etag: own.etag }) };
  }
}

function fenced(objects: Objects, guard: Guard): Objects {
  const isNewest = async () => (await objects.get(guard.key))?.etag === guard.etag;
  return {
    ...objects,
    async put(key, bytes) {
      // Not in one step: what is put is only ever pointed to by what is swapped.
      if (!(await isNewest())) throw superseded();
      await objects.put(key, bytes);
    },
    async swap(key, bytes, expected) {
      if (await objects.swap(key, bytes, expected, guard)) return true;
      if (!(await isNewest())) throw superseded();
      return false;
    },
    async remove(key) {
      if (!(await objects.remove(key, guard))) throw superseded();
      return true;
    },
  };
}

function superseded(): RegrowError {
  return new RegrowError('repository.moved', 'a publisher that was started later took over from this one', {
    remedy: 'nothing to do: this publisher stops, the newer one goes on',
  });
}
