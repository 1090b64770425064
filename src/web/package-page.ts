import type { LedgerEvent } from '../model/event.ts';
import type { BuildSummary, Explanation } from '../model/explanation.ts';
import { type Html, html } from './html.ts';
import { buildChip, layout, link, section, stateBadge, time } from './parts.ts';
import { eventList } from './status-page.ts';

export interface PackagePage {
  readonly brand: string;
  readonly explanation: Explanation;
  readonly events: readonly LedgerEvent[];
}

function versions({ versions: known }: Explanation): Html {
  const cell = (label: string, value: Html | string | undefined, note?: Html): Html =>
    html`<div class="stop${value === undefined ? ' none' : ''}"><span>${label}</span><b>${value ?? '–'}</b><small>${note}</small></div>`;
  const { upstream, proposal, published } = known;
  return html`<div class="stops">
${cell('upstream', upstream?.version, upstream === undefined ? undefined : html`${upstream.source}<br>${time(upstream.at)}`)}
${cell('pull request', proposal?.version, proposal === undefined ? undefined : link(proposal.url, `#${proposal.number}`))}
${cell('in git', known.git)}
${
  published.length === 0
    ? cell('published', undefined)
    : published.map((one) => cell(`published for ${one.target}`, one.version, html`${one.packages.join(', ')}`))
}
</div>`;
}

function buildRows(builds: readonly BuildSummary[]): Html {
  return html`<div class="table"><table><thead><tr><th>build</th><th>version</th><th>queued</th><th>took</th><th class="wide">why</th></tr></thead><tbody>${builds.map(
    (build) =>
      html`<tr><td data-label="build">${buildChip(build)}</td><td data-label="version" class="version">${build.version}</td><td data-label="queued">${time(build.queuedAt)}</td><td data-label="took">${build.milliseconds === undefined ? '–' : `${(build.milliseconds / 1000).toFixed(1)} s`}</td><td data-label="why" class="wide">${build.why}${build.attempt > 1 ? ` (attempt ${build.attempt})` : ''}</td></tr>`,
  )}</tbody></table></div>`;
}

/** A sentence whose parts in backquotes are commands. */
function withCode(sentence: string): Html {
  return html`${sentence.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}

/** The page at /packages/NAME: why the package is where it is. */
export function renderPackagePage(page: PackagePage): string {
  const { explanation, events } = page;
  const { blocker, next, vulnerabilities, evidence, builds, actions } = explanation;
  const log = blocker.buildKey === undefined ? undefined : `/v1/builds/${encodeURIComponent(blocker.buildKey)}/log`;
  const body = html`<h1>${explanation.package} ${stateBadge(explanation.state)}</h1>
<p class="answer">${explanation.answer}</p>
${versions(explanation)}
<div class="card">
<p><b>Now</b> ${blocker.text}${blocker.since === undefined ? undefined : html` <span class="meta">since ${time(blocker.since)}</span>`}</p>
<p><b>Next</b> ${next.text}${next.at === undefined ? undefined : html` <span class="meta">${time(next.at)}</span>`}</p>
${actions.length === 0 ? html`<p><b>You</b> need do nothing.</p>` : html`<p><b>You can</b></p><ul>${actions.map((action) => html`<li>${withCode(action)}</li>`)}</ul>`}
${blocker.tail.length > 0 ? html`<pre class="log">${blocker.tail.join('\n')}</pre>` : undefined}
${log !== undefined && blocker.kind !== 'queued' && blocker.kind !== 'building' ? html`<p><a href="${log}">the whole log</a></p>` : undefined}
</div>
${
  vulnerabilities.length === 0
    ? undefined
    : section(
        'vulnerabilities',
        'Known vulnerabilities',
        vulnerabilities.length,
        html`<ul class="cards">${vulnerabilities.map((one) => html`<li class="card"><h3>${one.advisory} <small>${one.aliases.join(', ')}</small></h3><p>${one.summary}</p><p class="meta">in ${one.component} ${one.version}. ${one.remedy}</p></li>`)}</ul>`,
      )
}
${section('evidence', 'Evidence', evidence.length, html`<ul class="evidence">${evidence.map((one) => html`<li>${one.fact} <span class="meta">${link(one.source, one.source)}${one.at === undefined ? undefined : html`, ${time(one.at)}`}</span></li>`)}</ul>`, 'None.')}
${section('builds', 'Builds', builds.length, buildRows(builds), 'None yet.')}
${section('events', 'History', events.length, eventList(events), 'Nothing yet.')}`;
  return layout({ title: `${explanation.package} · ${page.brand}`, brand: page.brand, live: true, body });
}

/** A page that says what is wrong, in the same clothes. */
export function renderErrorPage(brand: string, message: string): string {
  return layout({
    title: brand,
    brand,
    live: false,
    body: html`<h1>${message}</h1><p><a href="/">back to the start</a></p>`,
  });
}
