import { RegrowError } from '../errors.ts';
import { digestOf } from '../model/canonical.ts';
import type { UpstreamTag } from '../model/observation.ts';
import { type DocumentQuery, fetchDocument, type UpstreamDocument } from './document.ts';
import type { PollAnswer, PollRequest, WatchPorts } from './source.ts';

/** What `poll` gives. */
export type SourceAnswer = Exclude<PollAnswer, { kind: 'failed' }>;

export interface Found {
  /** Newest first. */
  readonly tags: readonly UpstreamTag[];
  /** Whether upstream has older ones that were not read. */
  readonly more?: boolean | undefined;
  /** What the server compares by; where it gives nothing, the tags themselves are compared. */
  readonly etag?: string | undefined;
}

/** Polls a source that is one document. `read` gives its tags, newest first. */
export async function pollDocument(
  request: PollRequest,
  ports: WatchPorts,
  query: Omit<DocumentQuery, 'etag' | 'signal'>,
  read: (document: UpstreamDocument) => readonly UpstreamTag[],
): Promise<SourceAnswer> {
  const { signal } = request;
  const document = await fetchDocument(ports.http, { ...query, etag: etagOf(request.cursor), signal });
  if (document === 'unchanged') return { kind: 'unchanged' };
  return answerOf(request, ports, { tags: read(document), etag: etagOf(document.etag) });
}

/** What was found as an answer; `unchanged` where the cursor says that it is what was found before. */
export function answerOf(request: PollRequest, { clock }: Pick<WatchPorts, 'clock'>, found: Found): SourceAnswer {
  refuseTooMany(request.source, found.tags);
  const tags = readableTags(found.tags);
  const cursor = found.etag ?? digestOf(tags);
  if (found.etag === undefined && cursor === request.cursor) return { kind: 'unchanged' };
  const observation = {
    kind: 'release' as const,
    source: request.source,
    tags,
    ...(found.more === true ? { more: true } : {}),
    observedAt: clock.now().toISOString(),
  };
  return { kind: 'observed', observation, cursor };
}

/** Most tags of one place: ten times what the largest repositories have. */
const mostTags = 200_000;

/** For lists of many pages, before the next one is read. Throws upstream.too-large. */
export function refuseTooMany(source: string, tags: readonly unknown[]): void {
  if (tags.length <= mostTags) return;
  throw new RegrowError('upstream.too-large', `${source} has more than ${mostTags} tags`, {
    remedy: 'name another source in the recipe: nobody has so many releases',
  });
}

/** A cursor is an entity tag (RFC 9110 section 8.8.3), which has quotes, or a digest, which has none. What a server gives without is neither. */
export function etagOf(cursor: string | undefined): string | undefined {
  return cursor?.includes('"') === true ? cursor : undefined;
}

/** Most characters of a tag. */
const longest = 256;

/**
 * Each tag once, without those that nobody can read or write: empty, too long, with control or direction characters, or with what
 * is no character at all. Tags in any script stay.
 */
export function readableTags(tags: readonly UpstreamTag[]): UpstreamTag[] {
  const byName = new Map<string, UpstreamTag>();
  for (const tag of tags) {
    const { length } = tag.tag;
    if (length === 0 || length > longest || /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd]/u.test(tag.tag)) continue;
    if (!byName.has(tag.tag)) byName.set(tag.tag, tag);
  }
  return [...byName.values()];
}

/** By date, those without one last; of equal dates the order stays. */
export function latestFirst(tags: readonly UpstreamTag[]): UpstreamTag[] {
  return tags.toSorted((a, b) => compareText(b.publishedAt ?? '', a.publishedAt ?? ''));
}

/** For sources that say neither dates nor an order: numbers in names count as numbers. */
export function highestFirst(tags: readonly UpstreamTag[]): UpstreamTag[] {
  const { compare } = new Intl.Collator('en', { numeric: true });
  return tags.toSorted((a, b) => compare(b.tag, a.tag));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A date as upstream writes it as the `publishedAt` of a tag; nothing where it is no date. */
export function publishedAt(date: unknown): { publishedAt?: string } {
  const time = typeof date === 'string' ? Date.parse(date) : Number.NaN;
  return Number.isNaN(time) ? {} : { publishedAt: new Date(time).toISOString() };
}

/** The commit of a tag, and its object where that is another: some recipes pin the object of an annotated tag. */
export function peeled(commit: string | undefined, object: string | undefined): Pick<UpstreamTag, 'commit' | 'object'> {
  if (commit === undefined) return {};
  return { commit, ...(object === undefined || object === '' || object === commit ? {} : { object }) };
}

/** What stands behind the `KIND:` of a key. */
export function identifierOf(source: string): string {
  return source.slice(source.indexOf(':') + 1);
}
