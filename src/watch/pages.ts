import type { UpstreamTag } from '../model/observation.ts';
import { answerInvalid, type DocumentQuery, fetchDocument, type UpstreamDocument } from './document.ts';
import { answerOf, etagOf, refuseTooMany, type SourceAnswer } from './observe.ts';
import type { PollRequest, WatchPorts } from './source.ts';

/**
 * Polls a list that comes in pages, newest first. The first page says whether there is something new; further ones are read only as
 * long as the request says that it has not enough, and `most` at most. `read` gives the tags of a page.
 */
export async function pollPages(
  request: PollRequest,
  ports: WatchPorts,
  query: Omit<DocumentQuery, 'etag' | 'signal'> & { readonly most: number },
  read: (page: UpstreamDocument) => readonly UpstreamTag[],
): Promise<SourceAnswer> {
  const { signal } = request;
  const first = await fetchDocument(ports.http, { ...query, etag: etagOf(request.cursor), signal });
  if (first === 'unchanged') return { kind: 'unchanged' };
  let tags = read(first);
  let next = nextPage(first);
  for (let pages = 1; next !== undefined && pages < query.most; pages += 1) {
    refuseTooMany(request.source, tags);
    if (request.enough?.(tags) ?? true) break;
    const page = await fetchDocument(ports.http, { ...query, url: next, signal });
    if (page === 'unchanged') break;
    tags = [...tags, ...read(page)];
    next = nextPage(page);
  }
  return answerOf(request, ports, { tags, more: next !== undefined, etag: etagOf(first.etag) });
}

/** The next page of a list, as the `Link` header says (RFC 8288). One that is elsewhere is none of that server's. */
export function nextPage({ url, headers }: Pick<UpstreamDocument, 'url' | 'headers'>): string | undefined {
  const [, target] = /<([^>]+)>\s*;[^,]*\brel="?next"?/i.exec(headers['link'] ?? '') ?? [];
  if (target === undefined || !URL.canParse(target, url)) return undefined;
  const here = new URL(url);
  const next = new URL(target, url);
  // A server behind a proxy may not know that it is asked over https.
  if (next.host === here.host && here.protocol === 'https:') next.protocol = here.protocol;
  if (next.origin !== here.origin) throw answerInvalid(url, `goes on at ${next.origin}`);
  return next.href;
}
