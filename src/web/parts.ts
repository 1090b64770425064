import type { BuildSummary, PackageState } from '../model/explanation.ts';
import { type Html, type HtmlValue, html, safeHref } from './html.ts';

const stateWords: Readonly<Record<PackageState, string>> = {
  current: 'current',
  behind: 'behind',
  moving: 'on its way',
  waiting: 'waits for you',
  held: 'held',
  failing: 'failing',
  unknown: 'unknown',
  unwatched: 'not watched',
};

export function stateBadge(state: PackageState): Html {
  return html`<span class="badge ${state}">${stateWords[state]}</span>`;
}

/** `2026-11-24 23:40 UTC`, which a script turns into how long ago that is. */
export function time(at: string | undefined): Html {
  if (at === undefined) return html``;
  const stamp = new Date(at);
  const text = Number.isNaN(stamp.getTime()) ? at : `${stamp.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return html`<time datetime="${at}" title="${text}">${text}</time>`;
}

/** `1 package`, `2 packages`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A link, or plain text where the address is not one that a browser should follow. */
export function link(address: string, text: HtmlValue): Html {
  const href = safeHref(address);
  return href === '#' ? html`${text}` : html`<a href="${href}">${text}</a>`;
}

export function packageLink(name: string): Html {
  return html`<a href="/packages/${encodeURIComponent(name)}">${name}</a>`;
}

const buildWords: Readonly<Record<BuildSummary['state'], string>> = {
  waiting: 'queued',
  running: 'building',
  passed: 'built',
  failed: 'failed',
  verified: 'verified',
  refused: 'refused by a gate',
};

/** One build as a chip that leads to its log. */
export function buildChip(build: BuildSummary): Html {
  const place = build.position === undefined ? '' : ` #${build.position}`;
  const text = html`<span class="dot"></span>${build.package} <small>${build.target}</small> ${buildWords[build.state]}${place}`;
  const hasLog = build.state !== 'waiting' && build.state !== 'running';
  const title = `${build.version}: ${build.why}`;
  return hasLog
    ? html`<a class="chip ${build.state}" title="${title}" href="/v1/builds/${encodeURIComponent(build.key)}/log">${text}</a>`
    : html`<span class="chip ${build.state}" title="${title}">${text}</span>`;
}

/** A section with a heading, how many there are, and what to say where there is none. */
export function section(id: string, title: string, count: number | undefined, body: Html, empty?: string): Html {
  return html`<section id="${id}">
<h2>${title}${count === undefined ? undefined : html` <span class="count">${count}</span>`}</h2>
${count === 0 && empty !== undefined ? html`<p class="empty">${empty}</p>` : body}
</section>`;
}

/** A whole document. */
export function layout(options: { title: string; brand: string; live: boolean; body: Html }): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${options.title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" defer></script>
</head>
<body${options.live ? html` data-live` : undefined}>
<header><a class="brand" href="/">${options.brand}</a><nav><a href="/packages">packages</a><a href="/v1/status">json</a><a href="/metrics">metrics</a></nav><span id="live" hidden></span></header>
<main>${options.body}</main>
</body>
</html>
`;
  return page.html;
}
