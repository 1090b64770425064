import { type CommentState, labelOf, type PullState, type RepositoryState, type World } from '../state.ts';
import { apiUrl, pageUrl, repositoryShape } from './repository.ts';
import { nodeId, simpleUser } from './user.ts';

/** What of a pull request is worked out from git when it is shown. */
export interface PullFacts {
  readonly head: string;
  readonly base: string;
  /** null: not known, as for a closed one. */
  readonly mergeable: boolean | null;
  readonly commits: number;
  readonly additions: number;
  readonly deletions: number;
  readonly changedFiles: number;
}

/** `label`. */
export function labelShape(world: World, repository: RepositoryState, name: string): Record<string, unknown> {
  const label = labelOf(world, repository, name);
  return {
    id: label.id,
    node_id: nodeId('Label', label.id),
    url: `${apiUrl(world, repository)}/labels/${encodeURIComponent(label.name)}`,
    name: label.name,
    color: label.color,
    default: false,
    description: label.description,
  };
}

/** `pull-request-simple`, what the list answers. */
export function pullSimpleShape(
  world: World,
  repository: RepositoryState,
  pull: PullState,
  facts: Pick<PullFacts, 'head' | 'base'>,
): Record<string, unknown> {
  const api = apiUrl(world, repository);
  const page = `${pageUrl(world, repository)}/pull/${pull.number}`;
  const url = `${api}/pulls/${pull.number}`;
  const issue = `${api}/issues/${pull.number}`;
  const side = (ref: string, sha: string) => ({
    label: `${repository.owner}:${ref}`,
    ref,
    sha,
    user: simpleUser(world, repository.owner),
    repo: repositoryShape(world, repository),
  });
  return {
    id: pull.id,
    node_id: nodeId('PullRequest', pull.id),
    number: pull.number,
    url,
    html_url: page,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    issue_url: issue,
    commits_url: `${url}/commits`,
    review_comments_url: `${url}/comments`,
    review_comment_url: `${api}/pulls/comments{/number}`,
    comments_url: `${issue}/comments`,
    statuses_url: `${api}/statuses/${facts.head}`,
    state: pull.state,
    locked: false,
    draft: false,
    title: pull.title,
    user: simpleUser(world, pull.author),
    body: pull.body,
    labels: pull.labels.map((name) => labelShape(world, repository, name)),
    milestone: null,
    assignee: null,
    assignees: [],
    requested_reviewers: [],
    requested_teams: [],
    created_at: pull.createdAt,
    updated_at: pull.updatedAt,
    closed_at: pull.closedAt,
    merged_at: pull.mergedAt,
    merge_commit_sha: pull.mergeCommit,
    head: side(pull.branch, facts.head),
    base: side(pull.base, facts.base),
    _links: {
      self: { href: url },
      html: { href: page },
      issue: { href: issue },
      comments: { href: `${issue}/comments` },
      review_comments: { href: `${url}/comments` },
      review_comment: { href: `${api}/pulls/comments{/number}` },
      commits: { href: `${url}/commits` },
      statuses: { href: `${api}/statuses/${facts.head}` },
    },
    author_association: 'MEMBER',
    auto_merge: null,
  };
}

/** `pull-request`. */
export function pullShape(
  world: World,
  repository: RepositoryState,
  pull: PullState,
  facts: PullFacts,
): Record<string, unknown> {
  return {
    ...pullSimpleShape(world, repository, pull, facts),
    merged: pull.mergedAt !== null,
    mergeable: facts.mergeable,
    rebaseable: false,
    mergeable_state: facts.mergeable === null ? 'unknown' : facts.mergeable ? 'clean' : 'dirty',
    merged_by: pull.mergedBy === null ? null : simpleUser(world, pull.mergedBy),
    comments: repository.comments.filter(({ number }) => number === pull.number).length,
    review_comments: 0,
    maintainer_can_modify: false,
    commits: facts.commits,
    additions: facts.additions,
    deletions: facts.deletions,
    changed_files: facts.changedFiles,
  };
}

/** `issue`: every pull request is one; `closed_by` says who closed it. */
export function issueShape(world: World, repository: RepositoryState, pull: PullState): Record<string, unknown> {
  const url = `${apiUrl(world, repository)}/issues/${pull.number}`;
  const page = `${pageUrl(world, repository)}/pull/${pull.number}`;
  return {
    id: pull.id,
    node_id: nodeId('PullRequest', pull.id),
    url,
    repository_url: apiUrl(world, repository),
    labels_url: `${url}/labels{/name}`,
    comments_url: `${url}/comments`,
    events_url: `${url}/events`,
    html_url: page,
    number: pull.number,
    state: pull.state,
    title: pull.title,
    body: pull.body,
    user: simpleUser(world, pull.author),
    labels: pull.labels.map((name) => labelShape(world, repository, name)),
    assignee: null,
    assignees: [],
    milestone: null,
    locked: false,
    comments: repository.comments.filter(({ number }) => number === pull.number).length,
    pull_request: {
      url: `${apiUrl(world, repository)}/pulls/${pull.number}`,
      html_url: page,
      diff_url: `${page}.diff`,
      patch_url: `${page}.patch`,
      merged_at: pull.mergedAt,
    },
    closed_at: pull.closedAt,
    closed_by: pull.closedBy === null ? null : simpleUser(world, pull.closedBy),
    created_at: pull.createdAt,
    updated_at: pull.updatedAt,
    author_association: 'MEMBER',
  };
}

/** `issue-comment`. */
export function commentShape(
  world: World,
  repository: RepositoryState,
  comment: CommentState,
): Record<string, unknown> {
  const api = apiUrl(world, repository);
  return {
    id: comment.id,
    node_id: nodeId('IssueComment', comment.id),
    url: `${api}/issues/comments/${comment.id}`,
    html_url: `${pageUrl(world, repository)}/pull/${comment.number}#issuecomment-${comment.id}`,
    issue_url: `${api}/issues/${comment.number}`,
    body: comment.body,
    user: simpleUser(world, comment.author),
    created_at: comment.createdAt,
    updated_at: comment.updatedAt,
    author_association: 'MEMBER',
  };
}
