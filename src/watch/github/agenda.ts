import type { UpstreamTag } from '../../model/observation.ts';
import type { ByList, PageAnswer, PageWanted, ReleaseList, RepositoryQuestion } from '../../ports/releases.ts';
import type { PollRequest } from '../source.ts';
import { placeOf } from './place.ts';

/** Enough of most lists; what is asked further is asked in the largest pages there are. */
const firstPage = 50;
const furtherPage = 100;
/** A list of which 950 tags hold nothing of a recipe's is not read to its end. */
const mostPages = 10;

/** One list of one repository, and all that ask for it. */
interface Listing {
  readonly requests: PollRequest[];
  readonly tags: UpstreamTag[];
  pages: number;
  next: string | undefined;
}

/** A repository that still has to be asked for something. */
export interface Entry {
  readonly owner: string;
  readonly repository: string;
  readonly urgent: boolean;
  readonly lists: Map<ReleaseList, Listing>;
  /** How many repositories may be in one question with this one: fewer after each that was not answered. */
  most: number;
  /** How often it was asked alone and not answered. */
  failedAlone: number;
}

/** What came of one list. */
export type ListOutcome =
  | { readonly kind: 'read'; readonly tags: readonly UpstreamTag[]; readonly more: boolean }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Takes what came of one list, once for everyone who asked. */
export type Settle = (request: PollRequest, outcome: ListOutcome) => Promise<void>;

/** Each repository once, however it is spelled and however many ask for it; urgent ones first. Throws internal. */
export function entriesOf(requests: readonly PollRequest[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const request of requests.toSorted((a, b) => Number(b.urgent === true) - Number(a.urgent === true))) {
    const { owner, repository, list } = placeOf(request.source);
    const name = `${owner}/${repository}`.toLowerCase();
    const entry = entries.get(name) ?? newEntry(owner, repository, request.urgent === true);
    entries.set(name, entry);
    const listing = entry.lists.get(list) ?? { requests: [], tags: [], pages: 0, next: undefined };
    entry.lists.set(list, listing);
    listing.requests.push(request);
  }
  return [...entries.values()];
}

function newEntry(owner: string, repository: string, urgent: boolean): Entry {
  return { owner, repository, urgent, lists: new Map(), most: Number.POSITIVE_INFINITY, failedAlone: 0 };
}

export function questionOf({ owner, repository, lists }: Entry): RepositoryQuestion {
  const wanted = (list: ReleaseList): PageWanted | undefined => {
    const listing = lists.get(list);
    if (listing === undefined) return undefined;
    return listing.next === undefined ? { size: firstPage } : { size: furtherPage, after: listing.next };
  };
  const releases = wanted('releases');
  const tags = wanted('tags');
  return {
    owner,
    repository,
    pages: { ...(releases === undefined ? {} : { releases }), ...(tags === undefined ? {} : { tags }) },
  };
}

/** Takes in an answer: settles each list that needs no more, and leaves in the entry those that do. */
export async function takeIn(entry: Entry, pages: ByList<PageAnswer>, settle: Settle): Promise<void> {
  for (const [list, listing] of entry.lists) {
    const page = pages[list];
    if (page === undefined) continue;
    if (page.kind === 'failed') {
      // Left out of this answer only; a smaller question may bring it.
      if (page.error.retry === 'now' && !triedEnough(entry)) continue;
      entry.lists.delete(list);
      await settleAll(listing, { kind: 'failed', error: page.error }, settle);
      continue;
    }
    listing.tags.push(...page.tags);
    listing.pages += 1;
    listing.next = page.next;
    if (page.next !== undefined && listing.pages < mostPages && wantsMore(listing)) continue;
    entry.lists.delete(list);
    await settleAll(listing, { kind: 'read', tags: listing.tags, more: page.next !== undefined }, settle);
  }
}

/** Settles all that an entry still asks for as failed. */
export async function giveUp(entry: Entry, error: unknown, settle: Settle): Promise<void> {
  const listings = [...entry.lists.values()];
  entry.lists.clear();
  for (const listing of listings) await settleAll(listing, { kind: 'failed', error }, settle);
}

const triesAlone = 2;

/** Whether a repository was asked for by itself, and more than once, without an answer. */
export function triedEnough(entry: Entry): boolean {
  return entry.failedAlone >= triesAlone;
}

/** Notes that a question in which it was one of several was not answered. */
export function noteFailure(entry: Entry, together: number): void {
  entry.most = Math.max(1, Math.floor(together / 2));
  if (together === 1) entry.failedAlone += 1;
}

function wantsMore({ requests, tags }: Listing): boolean {
  return requests.some(({ enough }) => enough?.(tags) === false);
}

async function settleAll({ requests }: Listing, outcome: ListOutcome, settle: Settle): Promise<void> {
  for (const request of requests) await settle(request, outcome);
}
