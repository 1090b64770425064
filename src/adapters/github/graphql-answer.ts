import { z } from 'zod';
import { RegrowError } from '../../errors.ts';
import type { UpstreamTag } from '../../model/observation.ts';
import type { PageAnswer, ReleaseList, RepositoryAnswer, RepositoryQuestion } from '../../ports/releases.ts';
import type { Seen } from './allowance.ts';

const pageInfo = z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullish() });

const releasesSchema = z.object({
  nodes: z.array(
    z
      .object({
        tagName: z.string(),
        isDraft: z.boolean().default(false),
        isPrerelease: z.boolean().default(false),
        publishedAt: z.string().nullish(),
        url: z.string().nullish(),
        tagCommit: z.object({ oid: z.string() }).nullish(),
      })
      .nullable(),
  ),
  pageInfo,
});

interface GitObject {
  readonly __typename: string;
  readonly oid: string;
  readonly committedDate?: string | null | undefined;
  readonly tagger?: { readonly date?: string | null | undefined } | null | undefined;
  readonly target?: GitObject | null | undefined;
}
const gitObject: z.ZodType<GitObject> = z.lazy(() =>
  z.object({
    __typename: z.string(),
    oid: z.string(),
    committedDate: z.string().nullish(),
    tagger: z.object({ date: z.string().nullish() }).nullish(),
    target: gitObject.nullish(),
  }),
);
const tagsSchema = z.object({
  nodes: z.array(z.object({ name: z.string(), target: gitObject.nullish() }).nullable()),
  pageInfo,
});

const errorSchema = z.object({
  type: z.string().optional(),
  message: z.string().default('no reason given'),
  path: z.array(z.union([z.string(), z.number()])).optional(),
});
export type GraphQLError = z.infer<typeof errorSchema>;

const rateLimitSchema = z.object({
  cost: z.number(),
  limit: z.number(),
  remaining: z.number(),
  used: z.number(),
  resetAt: z.string(),
});

/** What is the same in every answer. Data and errors together are normal: what is there is used. */
export const envelopeSchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(errorSchema).default([]),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/** What the answer says of the token; undefined of a server without limits. */
export function rateOf({ data }: Envelope): (Seen & { readonly cost: number }) | undefined {
  const rate = rateLimitSchema.safeParse(data?.['rateLimit']).data;
  if (rate === undefined) return undefined;
  const resetAt = Date.parse(rate.resetAt);
  return Number.isNaN(resetAt) ? undefined : { ...rate, resetAt };
}

/** One answer for each question. */
export function readRepositories(
  questions: readonly RepositoryQuestion[],
  envelope: Envelope,
): readonly RepositoryAnswer[] {
  return questions.map((question, index) => readRepository(question, `r${index}`, envelope));
}

const withoutReason: GraphQLError = { message: 'it is left out without a reason' };

const repositorySchema = z.record(z.string(), z.unknown()).nullable();

function readRepository(question: RepositoryQuestion, alias: string, { data, errors }: Envelope): RepositoryAnswer {
  const about = errors.filter(({ path }) => path?.[0] === alias);
  const repository = repositorySchema.safeParse(data?.[alias]);
  const read = (list: ReleaseList): PageAnswer => {
    const doing = `read the ${list} of ${question.owner}/${question.repository}`;
    const wrong = about.find(({ path }) => path?.length === 1 || path?.[1] === list);
    // A page with a hole in it is not used: what is missing would look as if it had been taken back.
    if (wrong !== undefined) return { kind: 'failed', error: failureOf(doing, wrong) };
    if (!repository.success) return { kind: 'failed', error: invalid(doing, repository.error) };
    // What is too much of one list takes the whole repository away. One that is not there has an error that says so.
    if (repository.data === null) return { kind: 'failed', error: failureOf(doing, about[0] ?? withoutReason) };
    return readers[list](repository.data[list], doing);
  };
  return {
    pages: {
      ...(question.pages.releases === undefined ? {} : { releases: read('releases') }),
      ...(question.pages.tags === undefined ? {} : { tags: read('tags') }),
    },
  };
}

const readers: Readonly<Record<ReleaseList, (page: unknown, doing: string) => PageAnswer>> = {
  releases(page, doing) {
    const parsed = releasesSchema.safeParse(page);
    if (!parsed.success) return { kind: 'failed', error: invalid(doing, parsed.error) };
    const tags = parsed.data.nodes.flatMap((release): UpstreamTag[] => {
      if (release === null || release.isDraft) return [];
      const { tagName, isPrerelease, publishedAt, url, tagCommit } = release;
      return [
        {
          tag: tagName,
          prerelease: isPrerelease,
          ...(tagCommit ? { commit: tagCommit.oid } : {}),
          ...(publishedAt ? { publishedAt } : {}),
          ...(url ? { url } : {}),
        },
      ];
    });
    return pageOf(tags, parsed.data.pageInfo);
  },
  tags(page, doing) {
    const parsed = tagsSchema.safeParse(page);
    if (!parsed.success) return { kind: 'failed', error: invalid(doing, parsed.error) };
    const tags = parsed.data.nodes.flatMap((ref): UpstreamTag[] =>
      ref === null ? [] : [{ tag: ref.name, prerelease: false, ...peeled(ref.target ?? undefined) }],
    );
    return pageOf(tags, parsed.data.pageInfo);
  },
};

function pageOf(tags: readonly UpstreamTag[], { hasNextPage, endCursor }: z.infer<typeof pageInfo>): PageAnswer {
  return { kind: 'page', tags, ...(hasNextPage && endCursor ? { next: endCursor } : {}) };
}

/** The commit, the object of an annotated tag, and when the tag was made: an annotated one says so, of others the commit does. */
function peeled(target: GitObject | undefined): Pick<UpstreamTag, 'commit' | 'object' | 'publishedAt'> {
  let object: GitObject | null | undefined = target;
  let date: string | null | undefined;
  while (object?.__typename === 'Tag') {
    date ??= object.tagger?.date;
    object = object.target;
  }
  const commit = object?.__typename === 'Commit' ? object : undefined;
  date ??= commit?.committedDate;
  return {
    ...(commit === undefined ? {} : { commit: commit.oid }),
    ...(target?.__typename === 'Tag' ? { object: target.oid } : {}),
    ...(date ? { publishedAt: date } : {}),
  };
}

/** By type, as GitHub gives it. A type that says neither that it is gone nor that it is forbidden may be a hiccup. */
function failureOf(doing: string, { type, message }: GraphQLError): RegrowError {
  if (type === 'NOT_FOUND') return notFound(doing);
  if (type === 'FORBIDDEN' || type === 'DMCA' || type === 'REPOSITORY_MIGRATION') {
    return new RegrowError(
      'upstream.not-found',
      `could not ${doing}: GitHub does not give it out (${type}): ${message}`,
      {
        remedy: 'look at the page of the repository; name another source in the recipe if it is closed for good',
      },
    );
  }
  return new RegrowError('upstream.answer-invalid', `could not ${doing}: ${type ?? 'error'}: ${message}`, {
    retry: 'now',
    remedy: 'it is tried again by itself; see the status page of the server',
  });
}

function notFound(doing: string): RegrowError {
  return new RegrowError('upstream.not-found', `could not ${doing}: there is no such repository`, {
    remedy: 'check the name; a private repository needs a token that may read it',
  });
}

function invalid(doing: string, cause: z.ZodError): RegrowError {
  const issue = cause.issues[0];
  return new RegrowError(
    'upstream.answer-invalid',
    `could not ${doing}: the answer is not as described: ${[...(issue?.path ?? []), issue?.message].join(' ')}`,
    { retry: 'now', cause, remedy: 'it is tried again by itself' },
  );
}
