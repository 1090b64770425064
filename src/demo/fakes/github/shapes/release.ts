import { createHash } from 'node:crypto';
import type { ReleaseState, RepositoryState, StatusState, World } from '../state.ts';
import { apiUrl, minimalRepository, pageUrl } from './repository.ts';
import { nodeId, simpleUser } from './user.ts';

/** `release`. */
export function releaseShape(
  world: World,
  repository: RepositoryState,
  release: ReleaseState,
): Record<string, unknown> {
  const api = apiUrl(world, repository);
  const page = pageUrl(world, repository);
  const url = `${api}/releases/${release.id}`;
  return {
    id: release.id,
    node_id: nodeId('Release', release.id),
    url,
    html_url: `${page}/releases/tag/${release.tag}`,
    assets_url: `${url}/assets`,
    upload_url: `${url}/assets{?name,label}`,
    tarball_url: `${api}/tarball/${release.tag}`,
    zipball_url: `${api}/zipball/${release.tag}`,
    tag_name: release.tag,
    target_commitish: release.commit,
    name: release.name,
    body: release.body,
    draft: release.draft,
    prerelease: release.prerelease,
    created_at: release.createdAt,
    published_at: release.publishedAt,
    author: simpleUser(world, repository.owner),
    assets: release.assets.map((asset) => ({
      id: asset.id,
      node_id: nodeId('ReleaseAsset', asset.id),
      url: `${api}/releases/assets/${asset.id}`,
      browser_download_url: `${page}/releases/download/${release.tag}/${asset.name}`,
      name: asset.name,
      label: null,
      state: 'uploaded',
      content_type: 'application/octet-stream',
      size: asset.content.length,
      digest: `sha256:${createHash('sha256').update(asset.content).digest('hex')}`,
      download_count: 0,
      created_at: release.createdAt,
      updated_at: release.createdAt,
      uploader: simpleUser(world, repository.owner),
    })),
  };
}

/** `tag`, what the list of tags answers. */
export function tagShape(
  world: World,
  repository: RepositoryState,
  tag: { readonly name: string; readonly commit: string },
): Record<string, unknown> {
  const api = apiUrl(world, repository);
  return {
    name: tag.name,
    commit: { sha: tag.commit, url: `${api}/commits/${tag.commit}` },
    zipball_url: `${api}/zipball/refs/tags/${tag.name}`,
    tarball_url: `${api}/tarball/refs/tags/${tag.name}`,
    node_id: nodeId('Ref', `${repository.id}:refs/tags/${tag.name}`),
  };
}

/** `simple-commit-status`; `status` has the creator as well. */
export function statusShape(world: World, repository: RepositoryState, status: StatusState): Record<string, unknown> {
  return {
    id: status.id,
    node_id: nodeId('StatusContext', status.id),
    url: `${apiUrl(world, repository)}/statuses/${status.sha}`,
    avatar_url: `${world.url}/avatars/oa/1`,
    state: status.state,
    description: status.description,
    target_url: status.targetUrl,
    context: status.context,
    created_at: status.createdAt,
    updated_at: status.createdAt,
    creator: simpleUser(world, status.author),
  };
}

/** `combined-commit-status`: the newest of each context; failure wins, then pending (GitHub's rule; none at all is pending). */
export function combinedStatusShape(
  world: World,
  repository: RepositoryState,
  sha: string,
  statuses: readonly StatusState[],
): Record<string, unknown> {
  const states = statuses.map(({ state }) => state);
  const failed = states.some((state) => state === 'failure' || state === 'error');
  const pending = states.length === 0 || states.includes('pending');
  return {
    state: failed ? 'failure' : pending ? 'pending' : 'success',
    statuses: statuses.map((status) => {
      const { creator: _, ...simple } = statusShape(world, repository, status);
      return simple;
    }),
    sha,
    total_count: statuses.length,
    repository: minimalRepository(world, repository),
    commit_url: `${apiUrl(world, repository)}/commits/${sha}`,
    url: `${apiUrl(world, repository)}/commits/${sha}/status`,
  };
}
