import type { FastifyReply } from 'fastify';
import { git } from './git.ts';
import { currentStatuses } from './routes/commits.ts';
import type { PullState, RepositoryState } from './state.ts';

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
pre{white-space:pre-wrap;padding:1rem;border:1px solid #8884;border-radius:6px;font-size:.85rem}
small{opacity:.7}a{color:inherit}`;

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function send(reply: FastifyReply, title: string, body: string): FastifyReply {
  const head = `<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">`;
  return reply
    .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    .type('text/html; charset=utf-8')
    .send(`${head}<title>${escapeHtml(title)}</title><style>${style}</style>${body}</html>\n`);
}

/** The page of a repository: its pull requests, newest first. */
export function repositoryPage(repository: RepositoryState, reply: FastifyReply): FastifyReply {
  const { owner, name } = repository;
  const rows = [...repository.pulls.values()]
    .reverse()
    .map(
      (pull) =>
        `<li><a href="/${owner}/${name}/pull/${pull.number}">${escapeHtml(pull.title)}</a> ${stateOf(pull)}</li>`,
    );
  const list = rows.length === 0 ? '<p>No pull requests yet.</p>' : `<ul>${rows.join('')}</ul>`;
  return send(
    reply,
    `${owner}/${name}`,
    `<h1>${owner}/${name}</h1><p>${escapeHtml(repository.description)}</p>${list}`,
  );
}

/** The page of a pull request: what it says, its checks, its comments and its change, all of them as plain text. */
export async function pullPage(
  repository: RepositoryState,
  pull: PullState,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { owner, name, directory } = repository;
  const checks = currentStatuses(repository.statuses, pull.head).map(
    ({ state, context, description }) =>
      `<li>${state}: ${escapeHtml(context)} <small>${escapeHtml(description ?? '')}</small></li>`,
  );
  const comments = repository.comments
    .filter(({ number }) => number === pull.number)
    .map(({ author, body }) => `<h2>${escapeHtml(author)} says</h2><pre>${escapeHtml(visible(body))}</pre>`);
  const change = await git(directory, ['diff', `${pull.baseHead}...${pull.head}`]);
  return send(
    reply,
    pull.title,
    `<p><small><a href="/${owner}/${name}">${owner}/${name}</a> #${pull.number}, ${escapeHtml(pull.branch)}</small></p>
<h1>${escapeHtml(pull.title)}</h1><p>${stateOf(pull)} ${escapeHtml(pull.labels.join(', '))}</p>
<pre>${escapeHtml(visible(pull.body ?? ''))}</pre>
${checks.length === 0 ? '' : `<h2>Checks</h2><ul>${checks.join('')}</ul>`}
${comments.join('\n')}
<h2>Change</h2><pre>${escapeHtml(change)}</pre>`,
  );
}

function stateOf({ state, mergedAt }: PullState): string {
  return `<small>${mergedAt === null ? state : 'merged'}</small>`;
}

/** Markdown without its comments, which GitHub does not show either. */
function visible(markdown: string): string {
  return markdown.replace(/<!--[\s\S]*?-->\n?/g, '').trim();
}
