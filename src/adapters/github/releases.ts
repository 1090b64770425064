import { z } from 'zod';
import type { UpstreamTag } from '../../model/observation.ts';
import type { ReleaseAnswer, ReleaseQuery, Releases } from '../../ports/releases.ts';
import type { GitHubClient } from './client.ts';
import { gitHubFailure, readAnswer, statusOf } from './failure.ts';

const pageSize = 100;
/** Releases come newest first, so one page is enough. Tags come sorted by name: a new one may be anywhere. */
const releasePages = 1;
const tagPages = 20;

const releasesSchema = z.array(
  z.object({
    tag_name: z.string(),
    draft: z.boolean().default(false),
    prerelease: z.boolean().default(false),
    published_at: z.string().nullish(),
    html_url: z.string().optional(),
  }),
);
const tagsSchema = z.array(z.object({ name: z.string(), commit: z.object({ sha: z.string() }) }));
const cursorSchema = z.array(z.tuple([z.string(), z.number().int().nonnegative()]));

type Cursor = z.infer<typeof cursorSchema>;
interface Listing {
  readonly route: 'GET /repos/{owner}/{repo}/releases' | 'GET /repos/{owner}/{repo}/tags';
  readonly what: string;
  readonly pages: number;
  /** The tags of one page; drafts are counted for the page's size but not given. */
  read(data: unknown, doing: string): { readonly size: number; readonly tags: readonly UpstreamTag[] };
}

const releaseListing: Listing = {
  route: 'GET /repos/{owner}/{repo}/releases',
  what: 'releases',
  pages: releasePages,
  read(data, doing) {
    const releases = readAnswer(releasesSchema, data, doing);
    const tags = releases
      .filter((release) => !release.draft)
      .map((release) => ({
        tag: release.tag_name,
        prerelease: release.prerelease,
        ...(release.published_at ? { publishedAt: release.published_at } : {}),
        ...(release.html_url === undefined ? {} : { url: release.html_url }),
      }));
    return { size: releases.length, tags };
  },
};

const tagListing: Listing = {
  route: 'GET /repos/{owner}/{repo}/tags',
  what: 'tags',
  pages: tagPages,
  read(data, doing) {
    const found = readAnswer(tagsSchema, data, doing);
    return {
      size: found.length,
      tags: found.map(({ name, commit }) => ({ tag: name, commit: commit.sha, prerelease: false })),
    };
  },
};

/** Releases and tags of GitHub by conditional requests: a page that has not changed is answered with 304, which is free. */
export function createGitHubReleases(client: GitHubClient): Releases {
  return {
    releases: (query) => poll(client, query, releaseListing),
    tags: (query) => poll(client, query, tagListing),
  };
}

async function poll(client: GitHubClient, query: ReleaseQuery, listing: Listing): Promise<ReleaseAnswer> {
  const doing = `read the ${listing.what} of ${query.owner}/${query.repository}`;
  const known = parseCursor(query.cursor);
  try {
    if (known.length > 0 && (await nothingNew(client, query, listing, known))) return { kind: 'unchanged' };
    const tags: UpstreamTag[] = [];
    const cursor: Cursor = [];
    for (let page = 1; page <= listing.pages; page += 1) {
      const answer = await ask(client, query, listing, page);
      const read = listing.read(answer?.data, doing);
      tags.push(...read.tags);
      if (answer?.etag !== undefined) cursor.push([answer.etag, read.size]);
      if (read.size < pageSize) break;
    }
    return { kind: 'changed', tags, cursor: cursor.length === 0 ? undefined : JSON.stringify(cursor) };
  } catch (thrown) {
    throw gitHubFailure(doing, thrown, query.signal);
  }
}

/**
 * Whether every page still is what it was. A tag that sorts behind a full last page shows only on the page after it, so
 * that one is looked at too.
 */
async function nothingNew(
  client: GitHubClient,
  query: ReleaseQuery,
  listing: Listing,
  known: Cursor,
): Promise<boolean> {
  for (const [index, [etag]] of known.entries()) {
    if ((await ask(client, query, listing, index + 1, etag)) !== undefined) return false;
  }
  const last = known.at(-1);
  if (last === undefined || last[1] < pageSize || known.length >= listing.pages) return true;
  const next = await ask(client, query, listing, known.length + 1);
  return listing.read(next?.data, `read the ${listing.what} of ${query.owner}/${query.repository}`).size === 0;
}

/** One page; undefined when it still has this etag. */
async function ask(
  client: GitHubClient,
  query: ReleaseQuery,
  listing: Listing,
  page: number,
  etag?: string,
): Promise<{ readonly data: unknown; readonly etag: string | undefined } | undefined> {
  try {
    const answer = await client.request(listing.route, {
      owner: query.owner,
      repo: query.repository,
      per_page: pageSize,
      page,
      ...(etag === undefined ? {} : { headers: { 'if-none-match': etag } }),
      ...(query.signal === undefined ? {} : { request: { signal: query.signal } }),
    });
    return { data: answer.data, etag: answer.headers.etag };
  } catch (thrown) {
    if (etag !== undefined && statusOf(thrown) === 304) return undefined;
    throw thrown;
  }
}

function parseCursor(text: string | undefined): Cursor {
  if (text === undefined) return [];
  try {
    return cursorSchema.safeParse(JSON.parse(text)).data ?? [];
  } catch {
    return [];
  }
}
