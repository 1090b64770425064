import { z } from 'zod';
import type { Artifact } from '../../model/artifact.ts';
import { digestOf } from '../../model/canonical.ts';
import type { PublishedResult } from '../../model/result.ts';
import type { ConductorContext } from './context.ts';
import type { World } from './world.ts';

/** How long what the publisher refused is left out before it is tried again: a published file may be gone by then. Milliseconds. */
const restAfterRefusal = 10 * 60_000;

const reasonSchema = z.object({ code: z.string(), message: z.string() });

function cursorOf(origin: string): string {
  return `unpublishable/${origin}`;
}

/** Writes down what the publisher left out, by origin, with the packages that it refused. */
export async function recordRefusals({ book }: ConductorContext, result: PublishedResult): Promise<void> {
  for (const { package: origin, code, message, digests } of result.refused ?? []) {
    const row = { etag: `${digestOf(digests)} ${result.at}`, cursor: JSON.stringify({ code, message }) };
    const known = book.get('cursor', cursorOf(origin))?.value.etag?.split(' ')[1] ?? '';
    if (known < result.at) await book.put('cursor', cursorOf(origin), row);
  }
}

/** Whether the publisher refused these very packages a while ago; they are shown as a problem until others are built. */
export function isRefused(
  { book, clock }: ConductorContext,
  world: World,
  origin: string,
  artifacts: readonly Artifact[],
): boolean {
  const { etag, cursor } = book.get('cursor', cursorOf(origin))?.value ?? {};
  const [digest, at] = etag?.split(' ') ?? [];
  if (cursor === undefined || digest !== digestOf(artifacts.map((one) => one.digest).toSorted())) return false;
  const { code, message } = reasonSchema.parse(JSON.parse(cursor));
  world.problems.set(`publish/${origin}`, { area: 'publish', name: origin, code, message });
  return clock.now().getTime() - Date.parse(at ?? '') < restAfterRefusal;
}
