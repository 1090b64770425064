import type { CommitObject, Person, TagObject, TreeLine } from '../objects.ts';
import { type RepositoryState, timestamp, type World } from '../state.ts';
import { apiUrl, pageUrl } from './repository.ts';
import { nodeId } from './user.ts';

const unsigned = { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null };

function personShape({ name, email, time }: Person): Record<string, unknown> {
  return { name, email, date: timestamp(time) };
}

/** `git-ref`. */
export function refShape(
  world: World,
  repository: RepositoryState,
  ref: { readonly name: string; readonly sha: string; readonly type: string },
): Record<string, unknown> {
  const api = apiUrl(world, repository);
  return {
    ref: ref.name,
    node_id: nodeId('Ref', `${repository.id}:${ref.name}`),
    url: `${api}/git/${ref.name}`,
    object: { sha: ref.sha, type: ref.type, url: `${api}/git/${ref.type}s/${ref.sha}` },
  };
}

/** `git-commit`, what git/commits answers. */
export function gitCommitShape(
  world: World,
  repository: RepositoryState,
  commit: CommitObject,
): Record<string, unknown> {
  const api = apiUrl(world, repository);
  const page = pageUrl(world, repository);
  return {
    sha: commit.sha,
    node_id: nodeId('Commit', `${repository.id}:${commit.sha}`),
    url: `${api}/git/commits/${commit.sha}`,
    html_url: `${page}/commit/${commit.sha}`,
    author: personShape(commit.author),
    committer: personShape(commit.committer),
    tree: { sha: commit.tree, url: `${api}/git/trees/${commit.tree}` },
    message: commit.message,
    parents: commit.parents.map((sha) => ({
      sha,
      url: `${api}/git/commits/${sha}`,
      html_url: `${page}/commit/${sha}`,
    })),
    verification: unsigned,
  };
}

/** `commit`, what commits and branches answer. */
export function commitShape(world: World, repository: RepositoryState, commit: CommitObject): Record<string, unknown> {
  const api = apiUrl(world, repository);
  const page = pageUrl(world, repository);
  return {
    sha: commit.sha,
    node_id: nodeId('Commit', `${repository.id}:${commit.sha}`),
    url: `${api}/commits/${commit.sha}`,
    html_url: `${page}/commit/${commit.sha}`,
    comments_url: `${api}/commits/${commit.sha}/comments`,
    commit: {
      author: personShape(commit.author),
      committer: personShape(commit.committer),
      message: commit.message,
      tree: { sha: commit.tree, url: `${api}/git/trees/${commit.tree}` },
      url: `${api}/git/commits/${commit.sha}`,
      comment_count: 0,
      verification: unsigned,
    },
    author: null,
    committer: null,
    parents: commit.parents.map((sha) => ({ sha, url: `${api}/commits/${sha}`, html_url: `${page}/commit/${sha}` })),
  };
}

/** `git-tag`. */
export function tagObjectShape(world: World, repository: RepositoryState, tag: TagObject): Record<string, unknown> {
  const api = apiUrl(world, repository);
  return {
    node_id: nodeId('Tag', `${repository.id}:${tag.sha}`),
    sha: tag.sha,
    url: `${api}/git/tags/${tag.sha}`,
    tag: tag.tag,
    message: tag.message,
    tagger: personShape(tag.tagger),
    object: { sha: tag.object, type: tag.type, url: `${api}/git/${tag.type}s/${tag.object}` },
    verification: unsigned,
  };
}

/** `git-tree`. */
export function treeShape(
  world: World,
  repository: RepositoryState,
  sha: string,
  lines: readonly TreeLine[],
): Record<string, unknown> {
  const api = apiUrl(world, repository);
  return {
    sha,
    url: `${api}/git/trees/${sha}`,
    tree: lines.map((line) => ({
      ...line,
      ...(line.type === 'commit' ? {} : { url: `${api}/git/${line.type}s/${line.sha}` }),
    })),
    truncated: false,
  };
}
