import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { git, tryGit } from '../git.ts';
import { readCommit } from '../objects.ts';
import { revision } from '../refs.ts';
import { notFound, Refusal } from '../refusal.ts';
import { type Call, paginate, parseBody, repositoryRoute, writer } from '../route.ts';
import { commitShape } from '../shapes/git-data.ts';
import { combinedStatusShape, statusShape } from '../shapes/release.ts';
import { apiUrl, pageUrl } from '../shapes/repository.ts';
import { nextId, now, type StatusState, type World } from '../state.ts';

const statusSchema = z.object({
  state: z.enum(['error', 'failure', 'pending', 'success']),
  context: z.string().default('default'),
  description: z.string().max(140).nullish(),
  target_url: z.string().nullish(),
});

async function commitOf(call: Call, expression: string) {
  const { directory } = call.repository;
  const sha = await revision(directory, `${expression}^{commit}`);
  const commit = sha === undefined ? undefined : await readCommit(directory, sha);
  if (commit === undefined) throw new Refusal(422, `No commit found for SHA: ${expression}`);
  return commit;
}

/** The newest status of each context, newest first. */
export function currentStatuses(all: readonly StatusState[], sha: string): readonly StatusState[] {
  const newest = new Map<string, StatusState>();
  for (const status of all) if (status.sha === sha) newest.set(status.context, status);
  return [...newest.values()].sort((a, b) => b.id - a.id);
}

/** Commits, their statuses, branches and comparisons. */
export function commitRoutes(app: FastifyInstance, world: World): void {
  repositoryRoute(app, world, 'GET', '/commits/:ref', async (call) => ({
    body: commitShape(world, call.repository, await commitOf(call, call.params['ref'] ?? '')),
  }));

  repositoryRoute(app, world, 'GET', '/commits/:ref/status', async (call) => {
    const { sha } = await commitOf(call, call.params['ref'] ?? '');
    return { body: combinedStatusShape(world, call.repository, sha, currentStatuses(call.repository.statuses, sha)) };
  });

  repositoryRoute(app, world, 'GET', '/commits/:ref/statuses', async (call) => {
    const { sha } = await commitOf(call, call.params['ref'] ?? '');
    const statuses = call.repository.statuses.filter((status) => status.sha === sha).reverse();
    const { page, headers } = paginate(call, `/commits/${sha}/statuses`, statuses);
    return { headers, body: page.map((status) => statusShape(world, call.repository, status)) };
  });

  repositoryRoute(app, world, 'POST', '/statuses/:sha', async (call) => {
    const body = parseBody(statusSchema, call.body, 'Status');
    const { sha } = await commitOf(call, call.params['sha'] ?? '');
    const status: StatusState = {
      id: nextId(world),
      sha,
      state: body.state,
      context: body.context,
      description: body.description ?? null,
      targetUrl: body.target_url ?? null,
      author: writer(call),
      createdAt: now(world),
    };
    call.repository.statuses.push(status);
    return { status: 201, body: statusShape(world, call.repository, status) };
  });

  repositoryRoute(app, world, 'GET', '/branches/:branch', async (call) => {
    const name = call.params['branch'] ?? '';
    const sha = await revision(call.repository.directory, `refs/heads/${name}`);
    if (sha === undefined) throw new Refusal(404, 'Branch not found');
    const url = `${apiUrl(world, call.repository)}/branches/${name}`;
    return {
      body: {
        name,
        commit: commitShape(world, call.repository, await commitOf(call, sha)),
        _links: { self: url, html: `${pageUrl(world, call.repository)}/tree/${name}` },
        protected: false,
        protection: { enabled: false, required_status_checks: { enforcement_level: 'off', contexts: [], checks: [] } },
        protection_url: `${url}/protection`,
      },
    };
  });

  repositoryRoute(app, world, 'GET', '/compare/:basehead', async (call) => {
    const [from = '', to = ''] = (call.params['basehead'] ?? '').split('...');
    const { directory } = call.repository;
    const base = await commitOf(call, from);
    const head = await commitOf(call, to);
    const run = await tryGit(directory, ['merge-base', base.sha, head.sha]);
    if (run.code !== 0) throw notFound();
    const middle = await commitOf(call, run.stdout.toString().trim());
    const shas = (await git(directory, ['rev-list', '--reverse', `${base.sha}..${head.sha}`]))
      .split('\n')
      .filter(Boolean);
    const behind = Number((await git(directory, ['rev-list', '--count', `${head.sha}..${base.sha}`])).trim());
    const ahead = shas.length;
    const page = `${pageUrl(world, call.repository)}/compare/${from}...${to}`;
    const commits = [];
    for (const sha of shas) commits.push(commitShape(world, call.repository, await commitOf(call, sha)));
    return {
      body: {
        url: `${apiUrl(world, call.repository)}/compare/${from}...${to}`,
        html_url: page,
        permalink_url: page,
        diff_url: `${page}.diff`,
        patch_url: `${page}.patch`,
        base_commit: commitShape(world, call.repository, base),
        merge_base_commit: commitShape(world, call.repository, middle),
        status: ahead > 0 ? (behind > 0 ? 'diverged' : 'ahead') : behind > 0 ? 'behind' : 'identical',
        ahead_by: ahead,
        behind_by: behind,
        total_commits: ahead,
        commits,
      },
    };
  });
}
