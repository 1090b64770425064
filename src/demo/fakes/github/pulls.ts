import { git } from './git.ts';
import { readCommit, writeCommit } from './objects.ts';
import { isAncestor, mergeTree, revision, updateRef } from './refs.ts';
import { invalid, Refusal } from './refusal.ts';
import type { PullFacts } from './shapes/pull.ts';
import { nextId, now, type PullState, personOf, type RepositoryState, type World } from './state.ts';

export async function branchHead(repository: RepositoryState, branch: string): Promise<string | undefined> {
  return revision(repository.directory, `refs/heads/${branch}`);
}

/**
 * What GitHub does with open pull requests when branches move: remembers where the head is, closes one whose branch is
 * gone, and marks one as merged when its head has become part of the base.
 */
export async function settlePulls(world: World, repository: RepositoryState, login: string): Promise<void> {
  repository.pushedAt = now(world);
  for (const pull of repository.pulls.values()) {
    if (pull.state !== 'open') continue;
    const head = await branchHead(repository, pull.branch);
    const base = await branchHead(repository, pull.base);
    if (head === undefined || base === undefined) {
      closePull(world, pull, login);
      continue;
    }
    if (head !== pull.head) pull.updatedAt = now(world);
    const merged = base !== pull.baseHead && (await isAncestor(repository.directory, head, base));
    pull.head = head;
    pull.baseHead = base;
    if (merged) markMerged(world, pull, login, base);
  }
}

export function closePull(world: World, pull: PullState, login: string): void {
  pull.state = 'closed';
  pull.closedAt = now(world);
  pull.updatedAt = pull.closedAt;
  pull.closedBy = login;
}

function markMerged(world: World, pull: PullState, login: string, commit: string): void {
  closePull(world, pull, login);
  pull.mergedAt = pull.closedAt;
  pull.mergedBy = login;
  pull.mergeCommit = commit;
}

export interface NewPull {
  readonly title: string;
  readonly body: string | null;
  readonly head: string;
  readonly base: string;
}

/** Opens a pull request; refuses what GitHub refuses. `head` is `BRANCH` or `OWNER:BRANCH`. */
export async function openPull(
  world: World,
  repository: RepositoryState,
  login: string,
  request: NewPull,
): Promise<PullState> {
  const branch = request.head.replace(new RegExp(`^${repository.owner}:`, 'i'), '');
  const head = await branchHead(repository, branch);
  const base = await branchHead(repository, request.base);
  if (head === undefined) throw invalid({ resource: 'PullRequest', field: 'head', code: 'invalid' });
  if (base === undefined) throw invalid({ resource: 'PullRequest', field: 'base', code: 'invalid' });
  const same = [...repository.pulls.values()].some(
    (pull) => pull.state === 'open' && pull.branch === branch && pull.base === request.base,
  );
  if (same) {
    const message = `A pull request already exists for ${repository.owner}:${branch}.`;
    throw invalid({ resource: 'PullRequest', code: 'custom', message });
  }
  if (await isAncestor(repository.directory, head, base)) {
    const message = `No commits between ${request.base} and ${branch}`;
    throw invalid({ resource: 'PullRequest', code: 'custom', message });
  }
  repository.lastNumber += 1;
  const at = now(world);
  const pull: PullState = {
    id: nextId(world),
    number: repository.lastNumber,
    author: login,
    branch,
    base: request.base,
    title: request.title,
    body: request.body,
    state: 'open',
    labels: [],
    createdAt: at,
    updatedAt: at,
    closedAt: null,
    closedBy: null,
    mergedAt: null,
    mergedBy: null,
    mergeCommit: null,
    head,
    baseHead: base,
  };
  repository.pulls.set(pull.number, pull);
  return pull;
}

/** Opens a closed one again; not one that is merged, nor one whose branch is gone. */
export async function reopenPull(world: World, repository: RepositoryState, pull: PullState): Promise<void> {
  const head = await branchHead(repository, pull.branch);
  const rival = [...repository.pulls.values()].some(
    (other) => other !== pull && other.state === 'open' && other.branch === pull.branch,
  );
  if (pull.mergedAt !== null || head === undefined || rival) {
    const message = 'state cannot be changed. The pull request cannot be reopened.';
    throw invalid({ resource: 'PullRequest', field: 'state', code: 'invalid', message });
  }
  pull.state = 'open';
  pull.closedAt = null;
  pull.closedBy = null;
  pull.updatedAt = now(world);
  pull.head = head;
}

export async function pullFacts(repository: RepositoryState, pull: PullState): Promise<PullFacts> {
  const { directory } = repository;
  const open = pull.state === 'open';
  const tree = open ? await mergeTree(directory, pull.baseHead, pull.head) : undefined;
  const range = `${pull.baseHead}...${pull.head}`;
  const stat = await git(directory, ['diff', '--numstat', '-z', range]);
  const rows = stat.split('\0').filter((row) => row !== '');
  const count = (column: number) => rows.reduce((sum, row) => sum + (Number(row.split('\t')[column]) || 0), 0);
  const commits = await git(directory, ['rev-list', '--count', `${pull.baseHead}..${pull.head}`]);
  return {
    head: pull.head,
    base: pull.baseHead,
    mergeable: open ? tree !== undefined : null,
    commits: Number(commits.trim()),
    additions: count(0),
    deletions: count(1),
    changedFiles: rows.length,
  };
}

export interface MergeRequest {
  readonly sha: string | undefined;
  readonly method: 'merge' | 'squash' | 'rebase';
  readonly title: string | undefined;
  readonly message: string | undefined;
}

/** Merges; 405 where it cannot be, 409 where the head is not what the caller believes. Returns the commit on the base. */
export async function mergePull(
  world: World,
  repository: RepositoryState,
  pull: PullState,
  login: string,
  request: MergeRequest,
): Promise<string> {
  if (pull.state !== 'open') throw new Refusal(405, 'Pull Request is not mergeable');
  if (request.method === 'rebase') throw new Refusal(405, 'Rebase merges are not allowed on this repository.');
  if (request.sha !== undefined && request.sha !== pull.head) {
    throw new Refusal(409, 'Head branch was modified. Review and try the merge again.');
  }
  const { directory } = repository;
  const base = await branchHead(repository, pull.base);
  const tree = base === undefined ? undefined : await mergeTree(directory, base, pull.head);
  if (base === undefined || tree === undefined) throw new Refusal(405, 'Pull Request is not mergeable');
  const squash = request.method === 'squash';
  const title = squash
    ? `${pull.title} (#${pull.number})`
    : `Merge pull request #${pull.number} from ${repository.owner}/${pull.branch}`;
  const rest = request.message ?? (squash ? ((await readCommit(directory, pull.head))?.message ?? '') : pull.title);
  const headTime = (await readCommit(directory, pull.head))?.committer.time;
  const by = personOf(world, login, headTime);
  const commit = await writeCommit(directory, {
    tree,
    parents: squash ? [base] : [base, pull.head],
    author: by,
    committer: { name: 'GitHub', email: 'noreply@github.com', time: by.time },
    message: rest === '' ? (request.title ?? title) : `${request.title ?? title}\n\n${rest}`,
  });
  if (!(await updateRef(directory, `refs/heads/${pull.base}`, commit, base))) {
    throw new Refusal(405, 'Base branch was modified. Review and try the merge again.');
  }
  markMerged(world, pull, login, commit);
  await settlePulls(world, repository, login);
  return commit;
}
