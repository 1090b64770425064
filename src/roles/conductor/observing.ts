import type { JobPayload } from '../../jobs/catalogue.ts';
import { canonicalJson } from '../../model/canonical.ts';
import {
  type ReleaseObservation,
  type UpstreamTag,
  upstreamTagSchema,
  type WatchFailure,
} from '../../model/observation.ts';
import type { ObservedResult, WatchAnswer, WatchedResult } from '../../model/result.ts';
import { cursorKey } from '../effects.ts';
import type { ConductorContext } from './context.ts';

const tagFields = upstreamTagSchema.keyof().options;

/** What the last answer gave to compare by. */
export function storedCursor({ book }: Pick<ConductorContext, 'book'>, name: string): string | undefined {
  return book.get('cursor', `watch/${name}`)?.value.cursor;
}

/** The job that reads a feed on from where it was read to. */
export async function advisoryJob(
  context: ConductorContext,
  { feed, slot, part }: { readonly feed: string; readonly slot: number; readonly part: number },
): Promise<JobPayload<'watch-advisories'>> {
  const cursor = storedCursor(context, feed);
  if (cursor === undefined) return { feed, slot, part };
  await context.objects.put(cursorKey(feed), new TextEncoder().encode(cursor));
  return { feed, slot, part, cursor: cursorKey(feed) };
}

/** Writes down that something cannot be asked. The time of the first failure stays: `explain` says since when. */
export async function recordFailure({ book }: Pick<ConductorContext, 'book'>, failure: WatchFailure): Promise<boolean> {
  const { source, code, message, observedAt } = failure;
  const key = `failure/${source}`;
  const known = book.get('observation', key)?.value;
  if (known?.kind === 'failure' && known.code === code && known.message === message) return false;
  // The same in other words is no news.
  if (known?.kind !== 'failure' || known.code !== code) {
    await book.tell({
      id: `source-failed/${source}/${observedAt}`,
      kind: 'source-failed',
      text: `${source} cannot be asked: ${message}`,
      facts: { source, code },
    });
  }
  return book.put('observation', key, { ...failure, observedAt: known?.observedAt ?? observedAt });
}

/** Writes down what sources said. Says whether anything is new. */
export async function recordWatched(
  context: Pick<ConductorContext, 'book' | 'clock'>,
  { answers, at }: WatchedResult,
): Promise<boolean> {
  const { book } = context;
  let changed = false;
  for (const answer of answers) {
    changed = (await recordAnswer(context, answer)) || changed;
    const row = book.get('watch', answer.source)?.value;
    // One that is not watched any more has no row.
    if (row === undefined || isLate(context, at, row.asked)) continue;
    const now = context.clock.now().toISOString();
    await book.put('watch', row.source, { ...row, asked: at < now ? at : now });
  }
  return changed;
}

/**
 * Whether an answer was given before the newest one that is known: its job was taken up again late, and it says nothing against
 * that one. Times that lie ahead are of a clock that was put back since, and make nothing late.
 */
function isLate({ clock }: Pick<ConductorContext, 'clock'>, at: string, newest: string | undefined): boolean {
  return newest !== undefined && at < newest && newest <= clock.now().toISOString();
}

async function recordAnswer(context: Pick<ConductorContext, 'book' | 'clock'>, answer: WatchAnswer): Promise<boolean> {
  const { book } = context;
  const { source } = answer;
  if (answer.kind === 'failed') {
    const { failure } = answer;
    return (
      !isLate(context, failure.observedAt, book.get('watch', source)?.value.asked) && recordFailure(context, failure)
    );
  }
  const isBack = await book.remove('observation', `failure/${source}`);
  if (answer.kind === 'unchanged') return isBack;
  const { observation, cursor } = answer;
  const known = book.get('observation', `release/${source}`)?.value;
  if (known?.kind === 'release' && isLate(context, observation.observedAt, known.observedAt)) return isBack;
  const isNews = await recordReleases(context, observation, known?.kind === 'release' ? known : undefined);
  if (cursor !== undefined) await book.put('cursor', `watch/${source}`, { cursor });
  return isBack || isNews;
}

async function recordReleases(
  { book }: Pick<ConductorContext, 'book'>,
  observation: ReleaseObservation,
  known: ReleaseObservation | undefined,
): Promise<boolean> {
  const { source } = observation;
  const tags = known === undefined ? observation.tags : withSeenAt(observation, known);
  if (known !== undefined && known.more === observation.more && isSameTags(known.tags, tags)) return false;
  const [newest] = tags;
  if (newest !== undefined) {
    await book.tell({
      id: `release-seen/${source}/${newest.tag}`,
      kind: 'release-seen',
      text: `${source} has ${newest.tag}`,
      facts: { source, tag: newest.tag },
    });
  }
  return book.put('observation', `release/${source}`, { ...observation, tags });
}

/**
 * The tags with when they were first seen: those that were not there at the look before came since, and so did what one names
 * that was moved. Not those behind the last one that was known where that look left older ones unread: they are older.
 */
function withSeenAt({ tags, observedAt }: ReleaseObservation, known: ReleaseObservation): UpstreamTag[] {
  const before = new Map(known.tags.map((tag) => [tag.tag, tag]));
  const lastKnown = known.more === true ? tags.findLastIndex(({ tag }) => before.has(tag)) : tags.length;
  return tags.map((tag, index) => {
    const old = before.get(tag.tag);
    const isNew = old === undefined ? index < lastKnown : isMoved(old, tag);
    const seenAt = isNew ? observedAt : old?.seenAt;
    return seenAt === undefined ? tag : { ...tag, seenAt };
  });
}

function isMoved(one: UpstreamTag, other: UpstreamTag): boolean {
  return one.commit !== undefined && other.commit !== undefined && one.commit !== other.commit;
}

/** Compared field by field: sources have up to tens of thousands of tags, and are asked all day. */
function isSameTags(one: readonly UpstreamTag[], other: readonly UpstreamTag[]): boolean {
  return one.length === other.length && one.every((tag, index) => isSameTag(tag, other[index]));
}

function isSameTag(one: UpstreamTag, other: UpstreamTag | undefined): boolean {
  return tagFields.every((field) => one[field] === other?.[field]);
}

/**
 * Writes down what a feed said, and asks for the next part where there is one. Says whether anything is new. A part that was
 * read from elsewhere than where the feed has been read to is left: what lies between may not be known.
 */
export async function recordObserved(context: ConductorContext, result: ObservedResult): Promise<boolean> {
  const { book } = context;
  const { part, source } = result;
  const follows = () => part === undefined || part.start === storedCursor(context, source);
  const changed = follows() && (await recordAdvisories(context, result));
  const cursor = result.cursor?.cursor ?? result.cursor?.etag;
  // Asked once more: the same part may have been read twice, and written down by another job meanwhile.
  if (cursor !== undefined && follows()) await book.put('cursor', `watch/${source}`, { cursor });
  // Also when this was written down before, by who was killed then.
  if (part?.more === true && cursor !== undefined && cursor === storedCursor(context, source)) {
    const next = await advisoryJob(context, { feed: source, slot: part.slot, part: part.number + 1 });
    await context.queues.enqueue('watch-advisories', next);
  }
  return changed;
}

async function recordAdvisories(context: ConductorContext, result: ObservedResult): Promise<boolean> {
  const { book } = context;
  let changed = false;
  for (const observation of result.observations) {
    if (observation.kind === 'failure') {
      changed = (await recordFailure(context, observation)) || changed;
      continue;
    }
    changed = (await book.remove('observation', `failure/advisories:${observation.feed}/${observation.id}`)) || changed;
    const key = `advisory/${observation.feed}/${observation.id}`;
    const known = book.get('observation', key)?.value;
    if (known?.kind === 'advisory' && canonicalJson(known.osv) === canonicalJson(observation.osv)) continue;
    if (known?.kind === 'advisory' && isLate(context, observation.observedAt, known.observedAt)) continue;
    await book.tell({
      id: `advisory-seen/${observation.feed}/${observation.id}/${observation.osv.modified}`,
      kind: 'advisory-seen',
      text: `${observation.id}: ${observation.osv.summary ?? 'no summary'}`,
      facts: { feed: observation.feed, advisory: observation.id },
    });
    changed = (await book.put('observation', key, observation)) || changed;
  }
  for (const source of [
    ...(result.observations.length === 0 ? [result.source] : []),
    ...(result.part?.answered ?? []),
  ]) {
    changed = (await book.remove('observation', `failure/${source}`)) || changed;
  }
  await book.put('cursor', `asked/${result.source}`, { cursor: result.at });
  return changed;
}
