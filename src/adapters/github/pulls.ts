import { z } from 'zod';
import type { ForgeProposal } from '../../ports/forge.ts';
import { readAnswer, statusOf } from './failure.ts';
import type { GitHubForgeOptions } from './forge.ts';

/** On pull requests that regrow itself closed; GitHub's list does not say who did. */
export const closedByUsLabel = 'regrow:superseded';

const pageSize = 100;

const pullSchema = z.object({
  number: z.number().int(),
  html_url: z.string(),
  title: z.string(),
  body: z.string().nullish(),
  state: z.enum(['open', 'closed']),
  labels: z.array(z.object({ name: z.string() })).default([]),
  head: z.object({ ref: z.string(), sha: z.string(), repo: z.object({ full_name: z.string() }).nullish() }),
  created_at: z.string(),
  updated_at: z.string(),
  closed_at: z.string().nullish(),
  merged_at: z.string().nullish(),
  merge_commit_sha: z.string().nullish(),
});
const pullsSchema = z.array(pullSchema);
const issueSchema = z.object({ closed_by: z.object({ login: z.string() }).nullish() });

export type Pull = z.infer<typeof pullSchema>;

export async function readPull({ client, owner, repository }: GitHubForgeOptions, number: number): Promise<Pull> {
  const answer = await client.rest.pulls.get({ owner, repo: repository, pull_number: number });
  return readAnswer(pullSchema, answer.data, `read pull request ${number} of ${owner}/${repository}`);
}

export async function findOpen(options: GitHubForgeOptions, branch: string): Promise<ForgeProposal | undefined> {
  const { client, owner, repository } = options;
  const answer = await client.rest.pulls.list({ owner, repo: repository, state: 'open', head: `${owner}:${branch}` });
  const pulls = readAnswer(pullsSchema, answer.data, `find the pull request of ${branch}`);
  const pull = pulls.find((candidate) => candidate.head.ref === branch && isOurs(options, candidate));
  return pull === undefined ? undefined : proposalOf(options, pull);
}

/** Open ones, then those closed since, newest change first. */
export async function listPulls(
  options: GitHubForgeOptions,
  prefix: string,
  since: string | undefined,
): Promise<readonly ForgeProposal[]> {
  const open = await readPages(options, 'open', undefined);
  const closed = since === undefined ? [] : await readPages(options, 'closed', since);
  const found: ForgeProposal[] = [];
  const seen = new Set<number>();
  for (const pull of [...open, ...closed]) {
    const late = pull.closed_at && since !== undefined && Date.parse(pull.closed_at) < Date.parse(since);
    // One that is closed between the two listings is in both.
    if (!pull.head.ref.startsWith(prefix) || !isOurs(options, pull) || late || seen.has(pull.number)) continue;
    seen.add(pull.number);
    found.push(await proposalOf(options, pull));
  }
  return found;
}

async function readPages(
  { client, owner, repository }: GitHubForgeOptions,
  state: 'open' | 'closed',
  since: string | undefined,
): Promise<readonly Pull[]> {
  const pulls: Pull[] = [];
  for (let page = 1; ; page += 1) {
    const answer = await client.rest.pulls.list({
      owner,
      repo: repository,
      state,
      sort: 'updated',
      direction: 'desc',
      per_page: pageSize,
      page,
    });
    const read = readAnswer(pullsSchema, answer.data, `list the pull requests of ${owner}/${repository}`);
    pulls.push(...read);
    const oldest = read.at(-1);
    if (oldest === undefined || read.length < pageSize) return pulls;
    if (since !== undefined && Date.parse(oldest.updated_at) < Date.parse(since)) return pulls;
  }
}

/** A fork may have a branch of the same name. */
function isOurs({ owner, repository }: GitHubForgeOptions, pull: Pull): boolean {
  const from = pull.head.repo?.full_name;
  return from === undefined || from.toLowerCase() === `${owner}/${repository}`.toLowerCase();
}

export async function proposalOf(options: GitHubForgeOptions, pull: Pull): Promise<ForgeProposal> {
  const labels = pull.labels.map(({ name }) => name);
  const state = pull.merged_at ? 'merged' : pull.state;
  const byHand = state === 'closed' && !labels.includes(closedByUsLabel);
  return {
    number: pull.number,
    url: pull.html_url,
    branch: pull.head.ref,
    title: pull.title,
    body: pull.body ?? '',
    labels,
    state,
    head: pull.head.sha,
    openedAt: pull.created_at,
    ...(pull.closed_at ? { closedAt: pull.closed_at } : {}),
    ...(byHand ? { closedBy: await closerOf(options, pull.number) } : {}),
  };
}

async function closerOf({ client, owner, repository }: GitHubForgeOptions, number: number): Promise<string> {
  try {
    const answer = await client.rest.issues.get({ owner, repo: repository, issue_number: number });
    const issue = readAnswer(issueSchema, answer.data, `read who closed pull request ${number}`);
    return issue.closed_by?.login ?? 'someone';
  } catch (thrown) {
    if (statusOf(thrown) === 404 || statusOf(thrown) === 410) return 'someone';
    throw thrown;
  }
}
