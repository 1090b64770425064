import type { LedgerEvent } from '../model/event.ts';
import type { PackageState } from '../model/explanation.ts';
import type { QueueJob } from '../model/queue.ts';
import type { ImageRow, PackageRow, ProposalRow, Status } from '../model/status.ts';
import { type Html, html } from './html.ts';
import { buildChip, counted, layout, link, packageLink, section, stateBadge, time } from './parts.ts';

/** What the page shows, read already. */
export interface StatusPage {
  readonly brand: string;
  readonly status: Status;
  readonly packages: readonly PackageRow[];
  readonly jobs: readonly QueueJob[];
  readonly events: readonly LedgerEvent[];
}

/** Rows of the package list on the first page; the rest is under /packages. */
const packagesShown = 60;
/** What needs eyes comes first. */
const order: readonly PackageState[] = [
  'failing',
  'waiting',
  'moving',
  'behind',
  'unknown',
  'held',
  'unwatched',
  'current',
];

/** Worst first, then by name. */
function sortPackages(rows: readonly PackageRow[]): PackageRow[] {
  const rank = (row: PackageRow): number => order.indexOf(row.state) - (row.vulnerabilities > 0 ? order.length : 0);
  return [...rows].sort((a, b) => rank(a) - rank(b) || (a.package < b.package ? -1 : 1));
}

function packageTable(rows: readonly PackageRow[]): Html {
  return html`<div class="table"><table>
<thead><tr><th>package</th><th>state</th><th>published</th><th>in git</th><th>upstream</th><th class="wide">why it is where it is</th></tr></thead>
<tbody>${rows.map(
    (row) => html`<tr>
<td data-label="package"><span>${packageLink(row.package)}${row.vulnerabilities > 0 ? html` <span class="badge failing">${counted(row.vulnerabilities, 'vulnerability', 'vulnerabilities')}</span>` : undefined}</span></td>
<td data-label="state">${stateBadge(row.state)}</td>
<td data-label="published" class="version">${row.published.length === 0 ? '–' : row.published.join(', ')}</td>
<td data-label="in git" class="version">${row.git ?? '–'}</td>
<td data-label="upstream" class="version">${row.upstream ?? (row.state === 'current' ? 'same' : '–')}</td>
<td data-label="why" class="wide">${row.text}</td>
</tr>`,
  )}</tbody></table></div>`;
}

function proposalList(rows: readonly ProposalRow[]): Html {
  return html`<ul class="cards">${rows.map(
    (row) => html`<li class="card">
<h3>${link(row.url, html`#${row.number} ${row.title}`)}</h3>
<p class="meta">${packageLink(row.package)} to <b>${row.version}</b>, opened ${time(row.openedAt)}${row.packages.length > 1 ? html`, changes ${row.packages.length} recipes` : undefined}</p>
${row.fixes.length > 0 ? html`<p class="meta">fixes ${row.fixes.map((id) => html`<span class="badge failing">${id}</span> `)}</p>` : undefined}
<p class="chips">${row.builds.length === 0 ? html`<span class="meta">its builds are not planned yet</span>` : row.builds.map(buildChip)}</p>
</li>`,
  )}</ul>`;
}

function imageList(rows: readonly ImageRow[]): Html {
  return html`<ul class="cards">${rows.map(
    (row) => html`<li class="card">
<h3>${packageLink(row.ref)} ${row.problem === undefined ? undefined : html`${stateBadge('failing')} `}${row.vulnerabilities.length === 0 ? html`<span class="badge current">0 vulnerabilities</span>` : html`<span class="badge failing">${counted(row.vulnerabilities.length, 'vulnerability', 'vulnerabilities')}</span>`}</h3>
${row.problem === undefined ? undefined : html`<p>${row.problem}</p>`}
${
  row.digest === undefined
    ? html`<p class="meta">not published, since ${time(row.at)}</p>`
    : html`<p class="meta">${counted(row.packages, 'package')}, ${row.targets.join(', ')}, generation ${row.generation ?? ''}, ${time(row.at)}</p>
<p class="meta"><code class="digest">${row.digest}</code></p>`
}
${row.output === '' ? undefined : html`<pre>${row.output.trimEnd()}</pre>`}
${row.vulnerabilities.length > 0 ? html`<p class="meta">${row.vulnerabilities.join(', ')}</p>` : undefined}
</li>`,
  )}</ul>`;
}

function jobTitle(job: QueueJob): string {
  const { payload } = job;
  const about = payload['package'] ?? payload['name'] ?? payload['source'] ?? payload['feed'] ?? '';
  const version = typeof payload['version'] === 'string' ? ` ${payload['version']}` : '';
  return `${job.type} ${typeof about === 'string' ? about : ''}${version}`.trim();
}

function queueList(status: Status, jobs: readonly QueueJob[]): Html {
  const queues = Object.entries(status.queues).sort(([a], [b]) => (a < b ? -1 : 1));
  return html`<p class="chips">${queues.map(
    ([name, counts]) =>
      html`<span class="chip ${counts.failed > 0 ? 'failed' : counts.active > 0 ? 'running' : 'idle'}"><span class="dot"></span>${name} <small>${counts.active} active, ${counts.waiting + counts.delayed} waiting${counts.failed > 0 ? `, ${counts.failed} failed` : ''}</small></span>`,
  )}</p>${jobs.length === 0 ? html`<p class="empty">nothing is queued</p>` : html`<ol class="jobs">${jobs.map((job) => html`<li><span class="where ${job.state}">${job.state}${job.position === undefined ? '' : ` ${job.position}`}</span> ${jobTitle(job)} <span class="meta">${job.queue}, ${time(job.at)}</span></li>`)}</ol>`}`;
}

/** Events, newest first. */
export function eventList(events: readonly LedgerEvent[]): Html {
  return html`<ol class="events">${events.map(
    (event) =>
      html`<li class="${event.kind}"><span class="kind">${event.kind.replaceAll('-', ' ')}</span> <span>${event.package === undefined ? undefined : html`${packageLink(event.package)} `}${event.text}</span> ${time(event.at)}</li>`,
  )}</ol>`;
}

function tiles(status: Status): Html {
  const { states, total } = status.packages;
  const tile = (value: number | string, label: string, mood = ''): Html =>
    html`<div class="tile ${mood}"><b>${value}</b><span>${label}</span></div>`;
  const count = (...names: PackageState[]): number => names.reduce((sum, name) => sum + (states[name] ?? 0), 0);
  const bad = count('failing');
  return html`<div class="tiles">
${tile(total, 'packages')}
${tile(count('current', 'unwatched'), 'current', 'good')}
${tile(count('moving', 'behind'), 'on their way')}
${tile(count('held', 'waiting'), 'held or waiting')}
${tile(bad, 'failing', bad > 0 ? 'bad' : '')}
${tile(status.vulnerabilities, 'open vulnerabilities', status.vulnerabilities > 0 ? 'bad' : 'good')}
${tile(status.generation?.generation ?? '–', 'generation')}
</div>`;
}

function freshness(status: Status): Html {
  const { sources, feeds, quiet } = status;
  return html`<p class="pulse ${quiet.alarm ? 'alarm' : 'fine'}"><span class="dot"></span>${quiet.text}</p>
<p class="meta">${counted(sources.total, 'source')}${sources.dueSince === undefined ? undefined : html`, ${sources.due} due since ${time(sources.dueSince)}`}${sources.failing.length > 0 ? html`, <b>${sources.failing.length} failing</b>: ${sources.failing.slice(0, 5).map((one) => html`${one.source} since ${time(one.since)} (${one.message}) `)}` : undefined}${feeds.map((feed) => html`; advisories from ${feed.name}: ${counted(feed.records, 'record')}, ${feed.failingSince === undefined ? html`seen ${time(feed.lastSeen)}` : html`<b>failing since</b> ${time(feed.failingSince)}`}`)}</p>`;
}

/** The page at /: works without a script; with one it keeps itself fresh. */
export function renderStatusPage(page: StatusPage): string {
  const { status, packages, jobs, events } = page;
  const sorted = sortPackages(packages);
  const { generation } = status;
  const published =
    generation === undefined
      ? html`<p class="meta">Nothing is published yet.</p>`
      : html`<p class="meta">Generation ${generation.generation}, ${time(generation.at)}: ${generation.targets.map(({ target, packages: count }) => `${target} has ${counted(count, 'package')}`).join(', ')}.${generation.added.length > 0 ? html` Added ${generation.added.slice(0, 8).join(', ')}${generation.added.length > 8 ? ` and ${generation.added.length - 8} more` : ''}.` : undefined}</p>`;
  const more = sorted.length - packagesShown;
  const body = html`
${tiles(status)}
${freshness(status)}
${section('proposals', 'Open pull requests', status.proposals.length, proposalList(status.proposals), 'No update is waiting.')}
${section('images', 'Images', status.images.length, imageList(status.images), 'No image is published yet.')}
${section(
  'packages',
  'Packages',
  packages.length,
  html`${published}${packageTable(sorted.slice(0, packagesShown))}${more > 0 ? html`<p><a href="/packages">${more} more</a></p>` : undefined}`,
  'No recipe was read yet.',
)}
<div class="two">
${section('queue', 'Queue', undefined, queueList(status, jobs))}
${section('events', 'What happened', undefined, events.length === 0 ? html`<p class="empty">Nothing yet.</p>` : eventList(events))}
</div>`;
  return layout({ title: page.brand, brand: page.brand, live: true, body });
}

/** The page at /packages: all of them, of one state where asked. */
export function renderPackagesPage(page: {
  readonly brand: string;
  readonly packages: readonly PackageRow[];
  readonly state?: PackageState;
}): string {
  const counts = order.map((state) => ({ state, count: page.packages.filter((row) => row.state === state).length }));
  const shown = page.packages.filter((row) => page.state === undefined || row.state === page.state);
  const body = html`<h1>Packages</h1>
<p class="chips"><a class="chip idle" href="/packages">all ${page.packages.length}</a>${counts.filter(({ count }) => count > 0).map(({ state, count }) => html`<a class="chip" href="/packages?state=${state}">${stateBadge(state)} ${count}</a>`)}</p>
${packageTable(sortPackages(shown))}`;
  return layout({ title: `packages · ${page.brand}`, brand: page.brand, live: false, body });
}
