import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { git } from '../git.ts';
import { closePull, mergePull, openPull, pullFacts, reopenPull } from '../pulls.ts';
import { notFound } from '../refusal.ts';
import { type Call, numberParam, paginate, parseBody, repositoryRoute, writer } from '../route.ts';
import { pullShape, pullSimpleShape } from '../shapes/pull.ts';
import { pageUrl } from '../shapes/repository.ts';
import { now, type PullState, type World } from '../state.ts';

const createSchema = z.object({
  title: z.string().min(1),
  head: z.string().min(1),
  base: z.string().min(1),
  body: z.string().nullish(),
  draft: z.boolean().optional(),
});
const updateSchema = z.object({
  title: z.string().min(1).optional(),
  body: z.string().nullable().optional(),
  state: z.enum(['open', 'closed']).optional(),
  base: z.string().optional(),
});
const mergeSchema = z.object({
  sha: z.string().optional(),
  merge_method: z.enum(['merge', 'squash', 'rebase']).default('merge'),
  commit_title: z.string().optional(),
  commit_message: z.string().optional(),
});

export function findPull(call: Call, name: string): PullState {
  const pull = call.repository.pulls.get(numberParam(call, name));
  if (pull === undefined) throw notFound();
  return pull;
}

function listed(call: Call): readonly PullState[] {
  const { state = 'open', head, base, sort = 'created', direction } = call.query;
  const owner = `${call.repository.owner.toLowerCase()}:`;
  const branch = head?.toLowerCase().startsWith(owner) === true ? head.slice(owner.length) : head;
  const matching = [...call.repository.pulls.values()].filter(
    (pull) =>
      (state === 'all' || pull.state === state) &&
      (branch === undefined || pull.branch === branch) &&
      (base === undefined || pull.base === base),
  );
  const key = (pull: PullState) => (sort === 'updated' ? pull.updatedAt : pull.createdAt);
  const ascending = (direction ?? (sort === 'created' ? 'desc' : 'asc')) === 'asc' ? 1 : -1;
  return matching.sort((a, b) => ascending * (key(a).localeCompare(key(b)) || a.number - b.number));
}

/** Pull requests: create, list, get, change, merge, and the files of one. */
export function pullRoutes(app: FastifyInstance, world: World): void {
  const full = async (call: Call, pull: PullState) =>
    pullShape(world, call.repository, pull, await pullFacts(call.repository, pull));

  repositoryRoute(app, world, 'GET', '/pulls', async (call) => {
    const { page, headers } = paginate(call, '/pulls', listed(call));
    return {
      headers,
      body: page.map((pull) => pullSimpleShape(world, call.repository, pull, { head: pull.head, base: pull.baseHead })),
    };
  });

  repositoryRoute(app, world, 'POST', '/pulls', async (call) => {
    const body = parseBody(createSchema, call.body, 'PullRequest');
    const pull = await openPull(world, call.repository, writer(call), { ...body, body: body.body ?? null });
    return { status: 201, body: await full(call, pull) };
  });

  repositoryRoute(app, world, 'GET', '/pulls/:number', async (call) => ({
    body: await full(call, findPull(call, 'number')),
  }));

  repositoryRoute(app, world, 'PATCH', '/pulls/:number', async (call) => {
    const pull = findPull(call, 'number');
    const body = parseBody(updateSchema, call.body, 'PullRequest');
    if (body.state === 'open' && pull.state === 'closed') await reopenPull(world, call.repository, pull);
    if (body.state === 'closed' && pull.state === 'open') closePull(world, pull, writer(call));
    pull.title = body.title ?? pull.title;
    if (body.body !== undefined) pull.body = body.body;
    pull.base = body.base ?? pull.base;
    pull.updatedAt = now(world);
    return { body: await full(call, pull) };
  });

  repositoryRoute(app, world, 'GET', '/pulls/:number/merge', async (call) => {
    if (findPull(call, 'number').mergedAt === null) throw notFound();
    return { status: 204 };
  });

  repositoryRoute(app, world, 'PUT', '/pulls/:number/merge', async (call) => {
    const pull = findPull(call, 'number');
    const body = parseBody(mergeSchema, call.body, 'PullRequest');
    const commit = await mergePull(world, call.repository, pull, writer(call), {
      sha: body.sha,
      method: body.merge_method,
      title: body.commit_title,
      message: body.commit_message,
    });
    return { body: { sha: commit, merged: true, message: 'Pull Request successfully merged' } };
  });

  repositoryRoute(app, world, 'GET', '/pulls/:number/files', async (call) => {
    const pull = findPull(call, 'number');
    const { directory } = call.repository;
    const range = `${pull.baseHead}...${pull.head}`;
    const counts = (await git(directory, ['diff', '--numstat', '--no-renames', range])).trim().split('\n');
    const raw = (await git(directory, ['diff', '--raw', '--no-renames', '--no-abbrev', range])).trim().split('\n');
    const statuses = { A: 'added', D: 'removed', M: 'modified', T: 'changed' } as const;
    const files = raw
      .filter((line) => line !== '')
      .map((line, index) => {
        const [meta = '', filename = ''] = line.split('\t');
        const [, , , blob = '', letter = 'M'] = meta.split(' ');
        const [added = '0', deleted = '0'] = (counts[index] ?? '').split('\t');
        const [additions, deletions] = [Number(added) || 0, Number(deleted) || 0];
        const page = pageUrl(world, call.repository);
        return {
          sha: blob,
          filename,
          status: statuses[letter as keyof typeof statuses] ?? 'modified',
          additions,
          deletions,
          changes: additions + deletions,
          blob_url: `${page}/blob/${pull.head}/${filename}`,
          raw_url: `${page}/raw/${pull.head}/${filename}`,
          contents_url: `${world.url}/api/v3/repos/${call.repository.owner}/${call.repository.name}/contents/${filename}?ref=${pull.head}`,
        };
      });
    const { page, headers } = paginate(call, `/pulls/${pull.number}/files`, files);
    return { headers, body: page };
  });
}
