import { z } from 'zod';
import type { Artifact } from '../../model/artifact.ts';
import { digestOf } from '../../model/canonical.ts';
import type { PublishedResult } from '../../model/result.ts';
import { unproven, type Verdict } from '../../model/verdict.ts';
import { verdictDigest } from '../sealing.ts';
import type { ConductorContext } from './context.ts';
import type { World } from './world.ts';

/** How long what the publisher refused is left out before it is tried again: a published file may be gone by then. Milliseconds. */
const restAfterRefusal = 10 * 60_000;

const reasonSchema = z.object({ code: z.string(), message: z.string(), rests: z.boolean().optional() });
type Reason = z.infer<typeof reasonSchema>;

function cursorOf(origin: string): string {
  return `unpublishable/${origin}`;
}

/** Cursor that holds the digest of the verdict of a build that is not believed. */
function doubtOf(buildKey: string): string {
  return `doubted/${buildKey}`;
}

/** Whether a cursor says that a verdict is not believed. */
export function isDoubt(key: string): boolean {
  return key.startsWith(doubtOf(''));
}

function reasonOf(cursor: string | undefined): Reason | undefined {
  return cursor === undefined ? undefined : reasonSchema.parse(JSON.parse(cursor));
}

/** Writes down what the publisher left out, by origin, with the packages that it refused. */
export async function recordRefusals({ book }: ConductorContext, result: PublishedResult): Promise<void> {
  for (const { package: origin, code, message, digests, doubted = [] } of result.refused ?? []) {
    const digest = digestOf(digests);
    const known = book.get('cursor', cursorOf(origin))?.value;
    const [before, at = ''] = known?.etag?.split(' ') ?? [];
    if (at >= result.at) continue;
    for (const { buildKey, verdict } of doubted) await book.put('cursor', doubtOf(buildKey), { cursor: verdict });
    // Judged again it may be published at once; but not as often as somebody puts a false verdict there.
    const isNew = before !== digest || reasonOf(known?.cursor)?.code !== unproven;
    const reason: Reason = { code, message, ...(code === unproven && isNew ? { rests: false } : {}) };
    await book.put('cursor', cursorOf(origin), { etag: `${digest} ${result.at}`, cursor: JSON.stringify(reason) });
  }
}

/** Whether it is the verdict that the publisher did not believe, or one that no publisher can have signed. */
export function isDoubted({ book }: Pick<ConductorContext, 'book'>, verdict: Verdict): boolean {
  if (verdict.seal === undefined) return true;
  const doubted = book.get('cursor', doubtOf(verdict.buildKey))?.value.cursor;
  return doubted !== undefined && doubted === verdictDigest(verdict);
}

/**
 * Whether the publisher refused these very packages a while ago; they are shown as a problem until others are built, or, where it
 * did not believe their verdicts, until there are others. `verdicts`: those over the builds that made the packages.
 */
export function isRefused(
  { book, clock }: ConductorContext,
  world: World,
  origin: string,
  artifacts: readonly Artifact[],
  verdicts: readonly (Verdict | undefined)[],
): boolean {
  const { etag, cursor } = book.get('cursor', cursorOf(origin))?.value ?? {};
  const [digest, at] = etag?.split(' ') ?? [];
  const reason = reasonOf(cursor);
  if (reason === undefined || digest !== digestOf(artifacts.map((one) => one.digest).toSorted())) return false;
  const { code, message, rests = true } = reason;
  const isOpen = verdicts.some((verdict) => verdict === undefined || isDoubted({ book }, verdict));
  if (code === unproven && !isOpen) return false;
  world.problems.set(`publish/${origin}`, { area: 'publish', name: origin, code, message });
  return rests && clock.now().getTime() - Date.parse(at ?? '') < restAfterRefusal;
}
