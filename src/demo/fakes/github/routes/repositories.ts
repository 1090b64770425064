import type { FastifyInstance } from 'fastify';
import { git } from '../git.ts';
import { listTree, type TreeLine } from '../objects.ts';
import { listRefs, revision } from '../refs.ts';
import { notFound, Refusal } from '../refusal.ts';
import { authenticate, type Call, numberParam, paginate, repositoryRoute } from '../route.ts';
import { releaseShape, tagShape } from '../shapes/release.ts';
import { apiUrl, fullRepository, pageUrl } from '../shapes/repository.ts';
import { simpleUser } from '../shapes/user.ts';
import type { ReleaseState, World } from '../state.ts';

/** Drafts are seen by nobody who only reads. Newest first, as GitHub lists them. */
export function visibleReleases(releases: readonly ReleaseState[]): readonly ReleaseState[] {
  return releases.filter(({ draft }) => !draft).sort((a, b) => b.id - a.id);
}

function one(call: Call, release: ReleaseState | undefined) {
  if (release === undefined) throw notFound();
  return { body: releaseShape(call.world, call.repository, release) };
}

/** The repository itself, its releases, tags and files; the user; the rate limit. */
export function repositoryRoutes(app: FastifyInstance, world: World): void {
  // Whoever has a token of the fake may do everything; nobody is told of permissions who has none.
  const all = { admin: true, maintain: true, push: true, triage: true, pull: true };
  repositoryRoute(app, world, 'GET', '', async ({ login, repository }) => ({
    body: { ...fullRepository(world, repository), ...(login === undefined ? {} : { permissions: all }) },
  }));

  repositoryRoute(app, world, 'GET', '/releases', async (call) => {
    const { page, headers } = paginate(call, '/releases', visibleReleases(call.repository.releases));
    return { headers, body: page.map((release) => releaseShape(world, call.repository, release)) };
  });
  repositoryRoute(app, world, 'GET', '/releases/latest', async (call) =>
    one(
      call,
      visibleReleases(call.repository.releases).find(({ prerelease }) => !prerelease),
    ),
  );
  repositoryRoute(app, world, 'GET', '/releases/tags/*', async (call) =>
    one(
      call,
      visibleReleases(call.repository.releases).find(({ tag }) => tag === call.params['*']),
    ),
  );
  repositoryRoute(app, world, 'GET', '/releases/:id', async (call) =>
    one(
      call,
      call.repository.releases.find(({ id }) => id === numberParam(call, 'id')),
    ),
  );

  repositoryRoute(app, world, 'GET', '/tags', async (call) => {
    const refs = await listRefs(call.repository.directory, 'refs/tags/');
    // Names downwards, bytewise: v1.9 stands before v1.10, so that nobody may rely on the order.
    const tags = refs.map(({ name, commit }) => ({ name: name.slice('refs/tags/'.length), commit })).reverse();
    const { page, headers } = paginate(call, '/tags', tags);
    return { headers, body: page.map((tag) => tagShape(world, call.repository, tag)) };
  });

  repositoryRoute(app, world, 'GET', '/contents/*', async (call) => {
    const path = (call.params['*'] ?? '').replace(/^\/+|\/+$/g, '');
    const ref = call.query['ref'] ?? call.repository.defaultBranch;
    const { directory } = call.repository;
    const tree = await revision(directory, `${ref}^{tree}`);
    if (tree === undefined) throw notFound();
    const lines = await listTree(directory, tree, true);
    const entry = lines.find((line) => line.path === path);
    if (path !== '' && entry === undefined) throw notFound();
    if (entry !== undefined && entry.type !== 'tree') {
      const content = Buffer.from(await git(directory, ['cat-file', 'blob', entry.sha])).toString('base64');
      return { body: { ...fileShape(call, entry, ref), encoding: 'base64', content } };
    }
    const prefix = path === '' ? '' : `${path}/`;
    const children = lines.filter(
      (line) => line.path.startsWith(prefix) && !line.path.slice(prefix.length).includes('/'),
    );
    return { body: children.map((line) => fileShape(call, line, ref)) };
  });

  app.get('/api/v3/user', (request, reply) => {
    const login = authenticate(world, request);
    if (login === undefined) throw new Refusal(401, 'Requires authentication');
    const nothing = { company: null, blog: '', location: null, email: null, hireable: null, bio: null };
    const none = { public_repos: 0, public_gists: 0, followers: 0, following: 0 };
    const since = '2026-01-01T00:00:00Z';
    reply.send({ ...simpleUser(world, login), name: login, ...nothing, ...none, created_at: since, updated_at: since });
  });

  app.get('/api/v3/rate_limit', (_request, reply) => {
    const { limit, remaining, reset } = world.limit;
    const core = { limit, remaining, reset, used: limit - remaining };
    reply.send({ resources: { core, search: { limit: 30, remaining: 30, reset, used: 0 } }, rate: core });
  });
}

function fileShape(call: Call, line: TreeLine, ref: string): Record<string, unknown> {
  const api = apiUrl(call.world, call.repository);
  const self = `${api}/contents/${line.path}?ref=${ref}`;
  const git = `${api}/git/${line.type}s/${line.sha}`;
  const html = `${pageUrl(call.world, call.repository)}/${line.type}/${ref}/${line.path}`;
  return {
    type: line.type === 'tree' ? 'dir' : 'file',
    name: line.path.split('/').at(-1) ?? '',
    path: line.path,
    sha: line.sha,
    size: line.size ?? 0,
    url: self,
    git_url: git,
    html_url: html,
    download_url: line.type === 'tree' ? null : `${pageUrl(call.world, call.repository)}/raw/${ref}/${line.path}`,
    _links: { self, git, html },
  };
}
