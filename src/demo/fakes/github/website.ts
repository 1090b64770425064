import { gunzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { tryGit } from './git.ts';
import { pullPage, repositoryPage } from './pages.ts';
import { revision } from './refs.ts';
import { visibleReleases } from './routes/repositories.ts';
import { type RepositoryState, repositoryKey, type World } from './state.ts';
import { storedGzip } from './stored-gzip.ts';

interface Visit {
  readonly world: World;
  readonly repository: RepositoryState;
  /** What stands behind `/OWNER/REPO/`, decoded. */
  readonly rest: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** github.com itself: clones over HTTP, archives of tags and commits, and files of releases. */
export function websiteRoutes(app: FastifyInstance, world: World): void {
  app.addContentTypeParser('application/x-git-upload-pack-request', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.route({
    method: ['GET', 'POST'],
    url: '/:owner/:repo/*',
    handler: async (request, reply) => {
      const { '*': rest = '' } = request.params as Record<string, string>;
      const repository = findRepository(world, request);
      if (repository === undefined) return notFoundPage(reply);
      return visit({ world, repository, rest, request, reply });
    },
  });
  app.route({
    method: 'GET',
    url: '/:owner/:repo',
    handler: (request, reply) => {
      const repository = findRepository(world, request);
      return repository === undefined ? notFoundPage(reply) : repositoryPage(repository, reply);
    },
  });
}

function findRepository(world: World, request: FastifyRequest): RepositoryState | undefined {
  const { owner = '', repo = '' } = request.params as Record<string, string>;
  return world.repositories.get(repositoryKey(owner, repo.replace(/\.git$/, '')));
}

function notFoundPage(reply: FastifyReply): FastifyReply {
  return reply.code(404).type('text/html; charset=utf-8').send('<!DOCTYPE html>\n<title>Page not found</title>\n');
}

async function visit(visit: Visit): Promise<FastifyReply> {
  const { rest, request, repository, reply, world } = visit;
  if (rest === 'info/refs') return advertise(visit);
  if (rest === 'git-upload-pack' && request.method === 'POST') return uploadPack(visit);
  if (request.method !== 'GET') return notFoundPage(reply);
  const asset = /^releases\/download\/(?<tag>[^/]+)\/(?<name>[^/]+)$/.exec(rest)?.groups;
  if (asset !== undefined) return download(visit, asset['tag'] ?? '', asset['name'] ?? '');
  const archive = /^archive\/(?<ref>.+)\.tar\.gz$/.exec(rest)?.groups?.['ref'];
  if (archive !== undefined) {
    // GitHub sends its archives from another host.
    return reply.redirect(`${world.url}/${repository.owner}/${repository.name}/codeload/${archive}`, 302);
  }
  const code = /^codeload\/(?<ref>.+)$/.exec(rest)?.groups?.['ref'];
  if (code !== undefined) return sendArchive(visit, code);
  const pull = repository.pulls.get(Number(/^pull\/(?<number>\d+)$/.exec(rest)?.groups?.['number'] ?? 0));
  return pull === undefined ? notFoundPage(reply) : pullPage(repository, pull, reply);
}

async function advertise({ repository, request, reply }: Visit): Promise<FastifyReply> {
  const { service } = request.query as Record<string, string>;
  if (service !== 'git-upload-pack') return reply.code(403).type('text/plain').send('this server only gives\n');
  const protocol = gitProtocol(request);
  const args = ['upload-pack', '--stateless-rpc', '--http-backend-info-refs', repository.directory];
  const run = await tryGit(repository.directory, args, undefined, protocol);
  // Protocol version 2 begins with its own capabilities; the older ones name the service first (git: http-protocol).
  const head = protocol['GIT_PROTOCOL']?.includes('version=2') === true ? '' : '001e# service=git-upload-pack\n0000';
  return reply
    .header('cache-control', 'no-cache')
    .type('application/x-git-upload-pack-advertisement')
    .send(Buffer.concat([Buffer.from(head), run.stdout]));
}

async function uploadPack({ repository, request, reply }: Visit): Promise<FastifyReply> {
  const sent = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
  const args = ['upload-pack', '--stateless-rpc', repository.directory];
  const run = await tryGit(repository.directory, args, body, gitProtocol(request));
  return reply.header('cache-control', 'no-cache').type('application/x-git-upload-pack-result').send(run.stdout);
}

function gitProtocol(request: FastifyRequest): Record<string, string> {
  const header = request.headers['git-protocol'];
  return typeof header === 'string' && /^[\w.=:-]+$/.test(header) ? { GIT_PROTOCOL: header } : {};
}

async function download({ repository, reply }: Visit, tag: string, name: string): Promise<FastifyReply> {
  const release = visibleReleases(repository.releases).find((release) => release.tag === tag);
  const asset = release?.assets.find((asset) => asset.name === name);
  if (asset === undefined) return notFoundPage(reply);
  return reply.type('application/octet-stream').send(Buffer.from(asset.content));
}

async function sendArchive({ repository, reply }: Visit, ref: string): Promise<FastifyReply> {
  const archive = await archiveOf(repository, ref);
  return archive === undefined ? notFoundPage(reply) : reply.type('application/x-gzip').send(archive);
}

/**
 * The tar.gz that GitHub makes of a tag, branch or commit: one folder, `REPO-VERSION`, where a leading `v` of a tag that
 * is a version is left out. Undefined when there is no such thing.
 */
export async function archiveOf(repository: RepositoryState, ref: string): Promise<Buffer | undefined> {
  const commit = await revision(repository.directory, `${ref}^{commit}`);
  if (commit === undefined) return undefined;
  const short = ref
    .replace(/^refs\/(tags|heads)\//, '')
    .replace(/^v(?=\d)/, '')
    .replaceAll('/', '-');
  const args = ['archive', '--format=tar', `--prefix=${repository.name}-${short}/`, commit];
  const run = await tryGit(repository.directory, args);
  return run.code === 0 ? storedGzip(run.stdout) : undefined;
}
