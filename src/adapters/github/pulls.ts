import { z } from 'zod';
import type { ForgeProposal } from '../../ports/forge.ts';
import { readAnswer } from './failure.ts';
import type { GitHubForgeOptions } from './options.ts';

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
  /** Of one alone, and not while GitHub is still working it out. */
  mergeable: z.boolean().nullish(),
});
const pullsSchema = z.array(pullSchema);
const issueSchema = z.object({ closed_by: z.object({ login: z.string() }).nullish() });

export type Pull = z.infer<typeof pullSchema>;

export async function readPull({ client, owner, repository }: GitHubForgeOptions, number: number): Promise<Pull> {
  const answer = await client.rest.pulls.get({ owner, repo: repository, pull_number: number });
  return readAnswer(pullSchema, answer.data, `read pull request ${number} of ${owner}/${repository}`);
}

export async function findOpen(
  options: GitHubForgeOptions,
  memory: PullMemory,
  branch: string,
): Promise<ForgeProposal | undefined> {
  const { client, owner, repository } = options;
  const answer = await client.rest.pulls.list({ owner, repo: repository, state: 'open', head: `${owner}:${branch}` });
  const pulls = readAnswer(pullsSchema, answer.data, `find the pull request of ${branch}`);
  const pull = pulls.find((candidate) => candidate.head.ref === branch && isOurs(options, candidate));
  return pull === undefined ? undefined : proposalOf(options, pull, memory);
}

/** What was read before, so that each listing reads only what changed since. */
export interface PullMemory {
  /** Ours alone: a repository has many times as many of other people, with long texts. */
  readonly closed: Map<number, Pull>;
  /** What `closed` has all of: those on branches that start so, closed since. Undefined before the first listing. */
  complete: { readonly prefix: string; readonly since: number } | undefined;
  /** Up to this change everything was read. */
  newest: number;
  /** Who closed a pull request, by number and time. */
  readonly closers: Map<string, string>;
}

export function createPullMemory(): PullMemory {
  return { closed: new Map(), complete: undefined, newest: 0, closers: new Map() };
}

/** Open ones, then those closed since, newest change first. */
export async function listPulls(
  options: GitHubForgeOptions,
  memory: PullMemory,
  prefix: string,
  since: string | undefined,
): Promise<readonly ForgeProposal[]> {
  const pulls = new Map<number, Pull>();
  for await (const page of pages(options, 'open')) for (const pull of page) pulls.set(pull.number, pull);
  if (since !== undefined) {
    const from = Date.parse(since);
    await readClosed(options, memory, prefix, from);
    for (const pull of [...memory.closed.values()].toSorted((a, b) => b.number - a.number)) {
      // One that was closed once and is open again, or is closed between the two readings, counts as it was read first.
      if (!pulls.has(pull.number)) pulls.set(pull.number, pull);
    }
  }
  const found: ForgeProposal[] = [];
  for (const pull of pulls.values()) {
    if (pull.head.ref.startsWith(prefix) && isOurs(options, pull)) found.push(await proposalOf(options, pull, memory));
  }
  return found;
}

/** Newest change first, down to those that were read before, or to the time asked for. */
async function readClosed(
  options: GitHubForgeOptions,
  memory: PullMemory,
  prefix: string,
  from: number,
): Promise<void> {
  const { complete } = memory;
  const goesOn = complete !== undefined && complete.prefix === prefix && complete.since <= from;
  const read: Pull[] = [];
  let newest = goesOn ? memory.newest : 0;
  for await (const page of pages(options, 'closed')) {
    read.push(...page.filter((pull) => pull.head.ref.startsWith(prefix) && isOurs(options, pull)));
    for (const { updated_at: at } of page) newest = Math.max(newest, Date.parse(at));
    const oldest = Date.parse(page.at(-1)?.updated_at ?? '');
    // Of the very second that was newest, some may not have been there yet.
    if (!(oldest >= from) || (goesOn && oldest < memory.newest)) break;
  }
  // Kept only when all of it is read: half of a listing must not pass for a whole one.
  if (!goesOn) memory.closed.clear();
  for (const pull of read) memory.closed.set(pull.number, pull);
  for (const [number, { closed_at: closedAt, updated_at: updatedAt }] of memory.closed) {
    if (Date.parse(closedAt ?? updatedAt) < from) memory.closed.delete(number);
  }
  for (const key of memory.closers.keys()) {
    if (!memory.closed.has(Number(key.split(' ', 1)[0]))) memory.closers.delete(key);
  }
  memory.complete = { prefix, since: from };
  memory.newest = newest;
}

async function* pages(
  { client, owner, repository }: GitHubForgeOptions,
  state: 'open' | 'closed',
): AsyncGenerator<readonly Pull[]> {
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
    yield read;
    if (read.length < pageSize) return;
  }
}

/** A fork may have a branch of the same name. */
function isOurs({ owner, repository }: GitHubForgeOptions, pull: Pull): boolean {
  const from = pull.head.repo?.full_name;
  return from === undefined || from.toLowerCase() === `${owner}/${repository}`.toLowerCase();
}

export async function proposalOf(options: GitHubForgeOptions, pull: Pull, memory: PullMemory): Promise<ForgeProposal> {
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
    ...(byHand ? { closedBy: await closerOf(options, pull, memory) } : {}),
  };
}

async function closerOf(
  { client, owner, repository }: GitHubForgeOptions,
  { number, closed_at: closedAt }: Pull,
  { closers }: PullMemory,
): Promise<string> {
  const key = `${number} ${closedAt ?? ''}`;
  const known = closers.get(key);
  if (known !== undefined) return known;
  const answer = await client.rest.issues.get({ owner, repo: repository, issue_number: number });
  const issue = readAnswer(issueSchema, answer.data, `read who closed pull request ${number}`);
  const closer = issue.closed_by?.login ?? 'someone';
  closers.set(key, closer);
  return closer;
}
