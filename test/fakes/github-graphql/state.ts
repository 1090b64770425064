import { createHash } from 'node:crypto';

export interface FakeTag {
  readonly name: string;
  readonly commit: string;
  /** ISO 8601: of the commit. */
  readonly committedAt: string;
  /** Of an annotated tag: when it was made. */
  readonly taggedAt?: string;
}

export interface FakeRelease {
  readonly tag: string;
  /** ISO 8601 */
  readonly publishedAt: string;
  readonly draft?: boolean;
  readonly prerelease?: boolean;
}

/** A repository as a few lists; nothing of it is on disk, so there may be thousands. */
export interface LightRepository {
  owner: string;
  name: string;
  /** Newest first, as GitHub gives them by the date of the commit. */
  readonly tags: FakeTag[];
  /** Newest first. */
  readonly releases: FakeRelease[];
}

/** A commit id that follows from a text. */
export function commitId(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

/** GitHub's cursors are opaque; these say after how many. */
function cursorOf(index: number): string {
  return Buffer.from(`cursor:v2:${index}`).toString('base64');
}

function indexOf(cursor: string): number {
  const [, index] = /^cursor:v2:(\d+)$/.exec(Buffer.from(cursor, 'base64').toString('utf8')) ?? [];
  return index === undefined ? 0 : Number(index) + 1;
}

interface PageArguments {
  readonly first: number;
  readonly after?: string | null;
}

function connection<T>(all: readonly T[], { first, after }: PageArguments, node: (one: T) => object) {
  const start = after ? indexOf(after) : 0;
  const page = all.slice(start, start + first);
  return {
    totalCount: all.length,
    nodes: page.map(node),
    pageInfo: {
      hasNextPage: start + first < all.length,
      hasPreviousPage: start > 0,
      startCursor: page.length === 0 ? null : cursorOf(start),
      endCursor: page.length === 0 ? null : cursorOf(start + page.length - 1),
    },
  };
}

function tagObject({ commit, committedAt, taggedAt, name }: FakeTag): object {
  const target = { __typename: 'Commit', oid: commit, committedDate: committedAt };
  if (taggedAt === undefined) return target;
  return { __typename: 'Tag', oid: commitId(`tag ${name} ${commit}`), name, tagger: { date: taggedAt }, target };
}

/** What the schema's fields of a repository are read from. */
export function repositoryObject(repository: LightRepository, web: string): object {
  const { owner, name, tags, releases } = repository;
  const commits = new Map<string, string>();
  return {
    nameWithOwner: `${owner}/${name}`,
    refs(query: PageArguments & { readonly refPrefix: string }) {
      return query.refPrefix === 'refs/tags/'
        ? connection(tags, query, (tag) => ({ name: tag.name, prefix: 'refs/tags/', target: tagObject(tag) }))
        : connection([], query, () => ({}));
    },
    releases(query: PageArguments) {
      if (commits.size === 0) for (const tag of tags) commits.set(tag.name, tag.commit);
      return connection(releases, query, (release) => ({
        tagName: release.tag,
        isDraft: release.draft ?? false,
        isPrerelease: release.prerelease ?? false,
        publishedAt: release.draft === true ? null : release.publishedAt,
        url: `${web}/${owner}/${name}/releases/tag/${encodeURIComponent(release.tag)}`,
        tagCommit: commits.has(release.tag) ? { oid: commits.get(release.tag) } : null,
      }));
    },
  };
}
