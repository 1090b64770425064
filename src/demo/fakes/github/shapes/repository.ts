import { now, type RepositoryState, type World } from '../state.ts';
import { nodeId, simpleUser } from './user.ts';

/** URL templates of a repository: name of the field without `_url`, and what stands behind the repository's API URL. */
const templates: readonly (readonly [string, string])[] = [
  ['archive', '/{archive_format}{/ref}'],
  ['assignees', '/assignees{/user}'],
  ['blobs', '/git/blobs{/sha}'],
  ['branches', '/branches{/branch}'],
  ['collaborators', '/collaborators{/collaborator}'],
  ['comments', '/comments{/number}'],
  ['commits', '/commits{/sha}'],
  ['compare', '/compare/{base}...{head}'],
  ['contents', '/contents/{+path}'],
  ['contributors', '/contributors'],
  ['deployments', '/deployments'],
  ['downloads', '/downloads'],
  ['events', '/events'],
  ['forks', '/forks'],
  ['git_commits', '/git/commits{/sha}'],
  ['git_refs', '/git/refs{/sha}'],
  ['git_tags', '/git/tags{/sha}'],
  ['hooks', '/hooks'],
  ['issue_comment', '/issues/comments{/number}'],
  ['issue_events', '/issues/events{/number}'],
  ['issues', '/issues{/number}'],
  ['keys', '/keys{/key_id}'],
  ['labels', '/labels{/name}'],
  ['languages', '/languages'],
  ['merges', '/merges'],
  ['milestones', '/milestones{/number}'],
  ['notifications', '/notifications{?since,all,participating}'],
  ['pulls', '/pulls{/number}'],
  ['releases', '/releases{/id}'],
  ['stargazers', '/stargazers'],
  ['statuses', '/statuses/{sha}'],
  ['subscribers', '/subscribers'],
  ['subscription', '/subscription'],
  ['tags', '/tags'],
  ['teams', '/teams'],
  ['trees', '/git/trees{/sha}'],
];

/** URL of a repository in the API, without a slash at the end. */
export function apiUrl(world: World, repository: RepositoryState): string {
  return `${world.url}/api/v3/repos/${repository.owner}/${repository.name}`;
}

/** URL of a repository as a page. */
export function pageUrl(world: World, repository: RepositoryState): string {
  return `${world.url}/${repository.owner}/${repository.name}`;
}

/** `minimal-repository`. */
export function minimalRepository(world: World, repository: RepositoryState): Record<string, unknown> {
  const api = apiUrl(world, repository);
  return {
    id: repository.id,
    node_id: nodeId('Repository', repository.id),
    name: repository.name,
    full_name: `${repository.owner}/${repository.name}`,
    owner: simpleUser(world, repository.owner),
    private: false,
    html_url: pageUrl(world, repository),
    description: repository.description,
    fork: false,
    url: api,
    ...Object.fromEntries(templates.map(([name, rest]) => [`${name}_url`, `${api}${rest}`])),
  };
}

/** `repository`, as it stands in the head and base of a pull request. */
export function repositoryShape(world: World, repository: RepositoryState): Record<string, unknown> {
  const openPulls = [...repository.pulls.values()].filter(({ state }) => state === 'open').length;
  const page = pageUrl(world, repository);
  return {
    ...minimalRepository(world, repository),
    git_url: `${page.replace(/^http:/, 'git:')}.git`,
    ssh_url: `git@${new URL(world.url).hostname}:${repository.owner}/${repository.name}.git`,
    clone_url: `${page}.git`,
    svn_url: page,
    mirror_url: null,
    homepage: null,
    language: null,
    license: null,
    forks_count: 0,
    stargazers_count: 0,
    watchers_count: 0,
    size: 0,
    default_branch: repository.defaultBranch,
    open_issues_count: openPulls,
    has_issues: true,
    has_projects: false,
    has_wiki: false,
    has_pages: false,
    has_downloads: true,
    has_discussions: false,
    archived: false,
    disabled: false,
    visibility: 'public',
    pushed_at: repository.pushedAt,
    created_at: repository.createdAt,
    updated_at: repository.pushedAt === '' ? now(world) : repository.pushedAt,
    allow_rebase_merge: false,
    allow_squash_merge: true,
    allow_merge_commit: true,
    forks: 0,
    open_issues: openPulls,
    watchers: 0,
  };
}

/** `full-repository`. */
export function fullRepository(world: World, repository: RepositoryState): Record<string, unknown> {
  return { ...repositoryShape(world, repository), subscribers_count: 0, network_count: 0 };
}
