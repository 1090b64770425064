import { z } from 'zod';
import type { CommitStatus } from '../../ports/forge.ts';
import { readAnswer } from './failure.ts';
import type { GitHubForgeOptions } from './options.ts';

/** GitHub refuses a longer one. */
const descriptionLimit = 140;
const combinedSchema = z.object({
  statuses: z.array(
    z.object({
      context: z.string(),
      state: z.string(),
      description: z.string().nullish(),
      target_url: z.string().nullish(),
    }),
  ),
});

/** GitHub keeps every status that was ever set, at most 1,000 of a context: one that says the same is not set again. */
export async function setStatus(
  { client, owner, repository }: GitHubForgeOptions,
  commit: string,
  status: CommitStatus,
): Promise<void> {
  const place = { owner, repo: repository };
  const { context, state } = status;
  const description =
    status.description.length > descriptionLimit
      ? `${status.description.slice(0, descriptionLimit - 1)}…`
      : status.description;
  const answer = await client.rest.repos.getCombinedStatusForRef({ ...place, ref: commit, per_page: 100 });
  const known = readAnswer(combinedSchema, answer.data, `read the statuses of ${commit}`).statuses.find(
    (candidate) => candidate.context === context,
  );
  const same =
    known?.state === state && known.description === description && (known.target_url ?? undefined) === status.url;
  if (same) return;
  await client.rest.repos.createCommitStatus({
    ...place,
    sha: commit,
    context,
    state,
    description,
    ...(status.url === undefined ? {} : { target_url: status.url }),
  });
}
