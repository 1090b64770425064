import type { LedgerEvent } from '../model/event.ts';
import type { BuildSummary, Explanation, PackageState } from '../model/explanation.ts';
import type { QueueCounts, QueueJob } from '../model/queue.ts';
import type { PackageRow, ProposalRow, Status } from '../model/status.ts';
import { bytesText } from './collection.ts';
import { spanText } from './freshness.ts';
import { type Mood, paint, printable, renderTable, type Style } from './table.ts';

const stateMoods: Readonly<Record<PackageState, Mood>> = {
  current: 'good',
  behind: 'busy',
  moving: 'busy',
  waiting: 'hold',
  held: 'hold',
  failing: 'bad',
  unknown: 'faint',
  unwatched: 'faint',
};

const buildMoods: Readonly<Record<BuildSummary['state'], Mood>> = {
  waiting: 'faint',
  running: 'busy',
  passed: 'good',
  verified: 'good',
  failed: 'bad',
  refused: 'bad',
};

/** `3 min ago`, `in 2 h`. Times are ISO 8601. */
export function agoText(at: string, now: string): string {
  const age = Date.parse(now) - Date.parse(at);
  if (Number.isNaN(age)) return at;
  return age < 0 ? `in ${spanText(-age)}` : `${spanText(age)} ago`;
}

function dash(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : text;
}

export function packagesText(rows: readonly PackageRow[], style: Style): string {
  if (rows.length === 0) return 'no packages\n';
  return renderTable(
    ['PACKAGE', 'STATE', 'PUBLISHED', 'GIT', 'UPSTREAM', 'WHY'],
    rows.map((row) => [
      { text: row.package },
      { text: row.state, mood: stateMoods[row.state] },
      { text: dash(row.published.join(', ')) },
      { text: dash(row.git) },
      { text: dash(row.upstream) },
      { text: row.text },
    ]),
    style,
  );
}

export function proposalsText(rows: readonly ProposalRow[], now: string, style: Style): string {
  if (rows.length === 0) return 'no open pull requests\n';
  return renderTable(
    ['NUMBER', 'PACKAGE', 'VERSION', 'OPENED', 'BUILDS'],
    rows.map((row) => [
      { text: `#${row.number}` },
      { text: row.package },
      { text: row.version },
      { text: agoText(row.openedAt, now) },
      { text: dash(row.builds.map((build) => `${build.package} ${build.target} ${build.state}`).join(', ')) },
    ]),
    style,
  );
}

/** The queues, then their jobs. */
export function queueText(
  queues: Readonly<Record<string, QueueCounts>>,
  jobs: readonly QueueJob[],
  now: string,
  style: Style,
): string {
  const counts = Object.entries(queues).sort(([a], [b]) => (a < b ? -1 : 1));
  const head = renderTable(
    ['QUEUE', 'ACTIVE', 'WAITING', 'DELAYED', 'FAILED'],
    counts.map(([name, one]) => [
      { text: name },
      { text: String(one.active) },
      { text: String(one.waiting) },
      { text: String(one.delayed) },
      { text: String(one.failed), mood: one.failed > 0 ? 'bad' : undefined },
    ]),
    style,
  );
  const body = renderTable(
    ['STATE', 'PLACE', 'JOB', 'QUEUE', 'SINCE'],
    jobs.map((job) => [
      { text: job.state, mood: job.state === 'failed' ? 'bad' : job.state === 'active' ? 'busy' : undefined },
      { text: job.position === undefined ? '-' : String(job.position) },
      { text: jobText(job) },
      { text: job.queue },
      { text: agoText(job.at, now) },
    ]),
    style,
  );
  return `${head === '' ? 'no queues\n' : head}\n${body === '' ? 'nothing is queued\n' : body}`;
}

/** A job in a few words: its type and what it is about. */
function jobText(job: Pick<QueueJob, 'type' | 'payload'>): string {
  const about = ['package', 'name', 'source', 'feed', 'kind'].map((key) => job.payload[key]);
  const words = [job.type, about.find((one) => typeof one === 'string'), job.payload['version'], job.payload['target']];
  return words.filter((one): one is string => typeof one === 'string').join(' ');
}

export function eventsText(events: readonly LedgerEvent[], style: Style): string {
  if (events.length === 0) return 'nothing has happened yet\n';
  return renderTable(
    ['AT', 'WHAT', 'PACKAGE', ''],
    events.map((event) => [
      { text: event.at.slice(0, 19).replace('T', ' ') },
      { text: event.kind },
      { text: dash(event.package) },
      { text: event.text },
    ]),
    style,
  );
}

function statusLine(label: string, text: string, mood: Mood | undefined, style: Style): string {
  return `${paint(label.padEnd(16), 'faint', style)}${paint(printable(text), mood, style)}\n`;
}

/** How far behind the watch of upstreams is. */
function dueText({ sources, at }: Status): string {
  if (sources.due === 0 || sources.dueSince === undefined) return '';
  return `, ${sources.due} due, the first for ${spanText(Date.parse(at) - Date.parse(sources.dueSince))}`;
}

function collectionLine({ collection, at }: Status, style: Style): string {
  if (collection === undefined) return '';
  const { removed, waiting, missing } = collection;
  const amounts = `${bytesText(removed.bytes)} removed ${agoText(collection.at, at)}, ${bytesText(waiting.bytes)} wait`;
  if (missing === 0) return statusLine('unused', amounts, undefined, style);
  return statusLine(
    'unused',
    `${amounts}; the store is damaged (\`regrow gc --dry-run\` says what is missing)`,
    'bad',
    style,
  );
}

/** Most sources whose failure is told. */
const mostFailing = 3;

/** The state of everything on one screen. */
export function statusText(status: Status, style: Style): string {
  const { packages, generation, sources, quiet } = status;
  const states = Object.entries(packages.states)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
  const waiting = Object.values(status.queues).reduce((sum, one) => sum + one.waiting + one.delayed, 0);
  const active = Object.values(status.queues).reduce((sum, one) => sum + one.active, 0);
  const failing = packages.states.failing > 0 ? 'bad' : undefined;
  let text = statusLine('packages', `${packages.total}${states === '' ? '' : `: ${states}`}`, failing, style);
  if (packages.failing.length > 0) {
    const others = packages.states.failing - packages.failing.length;
    const more = others > 0 ? `, and ${others} more` : '';
    const how = `(\`regrow explain ${packages.failing[0] ?? ''}\` says why)`;
    text += statusLine('failing', `${packages.failing.join(', ')}${more} ${how}`, 'bad', style);
  }
  text += statusLine('pull requests', `${status.proposals.length} open`, undefined, style);
  text += statusLine('queue', `${active} running, ${waiting} waiting`, undefined, style);
  text += statusLine(
    'published',
    generation === undefined
      ? 'nothing yet'
      : `generation ${generation.generation}, ${agoText(generation.at, status.at)}: ${generation.targets.map((one) => `${one.target} ${one.packages}`).join(', ')}`,
    undefined,
    style,
  );
  if (status.unsigned !== undefined) text += statusLine('signatures', status.unsigned, 'bad', style);
  text += statusLine(
    'vulnerabilities',
    `${status.vulnerabilities} open`,
    status.vulnerabilities > 0 ? 'bad' : 'good',
    style,
  );
  text += statusLine(
    'sources',
    `${sources.total}${dueText(status)}${sources.failing.length > 0 ? `, ${sources.failing.length} failing` : ''}`,
    sources.failing.length > 0 ? 'bad' : undefined,
    style,
  );
  for (const { source, since, message } of sources.failing.slice(0, mostFailing)) {
    text += statusLine('failing', `${source}, since ${agoText(since, status.at)}: ${message}`, 'bad', style);
  }
  for (const feed of status.feeds) {
    const seen = feed.lastSeen === undefined ? 'not seen yet' : `seen ${agoText(feed.lastSeen, status.at)}`;
    const broken = feed.failingSince === undefined ? '' : `, failing since ${agoText(feed.failingSince, status.at)}`;
    const mood = feed.failingSince === undefined ? undefined : 'bad';
    text += statusLine(`feed ${feed.name}`, `${feed.records} records, ${seen}${broken}`, mood, style);
  }
  text += collectionLine(status, style);
  text += statusLine('pulse', quiet.text, quiet.alarm ? 'bad' : 'good', style);
  if (status.proposals.length > 0) text += `\n${proposalsText(status.proposals, status.at, style)}`;
  if (status.images.length > 0) {
    text += `\n${renderTable(
      ['IMAGE', 'STATE', 'VULNERABILITIES', 'PACKAGES', 'DIGEST'],
      status.images.map((image) => [
        { text: image.ref },
        { text: image.state, mood: stateMoods[image.state] },
        { text: String(image.vulnerabilities.length), mood: image.vulnerabilities.length > 0 ? 'bad' : 'good' },
        { text: String(image.packages) },
        { text: image.digest ?? 'not published' },
      ]),
      style,
    )}`;
    for (const { ref, problem } of status.images) {
      if (problem !== undefined) text += `${paint(printable(`${ref}: ${problem}`), 'bad', style)}\n`;
    }
  }
  return text;
}

/** One answer to "why is this package where it is?", its short form first. */
export function explanationText(one: Explanation, style: Style): string {
  const { blocker, next, versions } = one;
  const when = (at: string | undefined): string => (at === undefined ? '' : ` (${agoText(at, one.at)})`);
  const lines: string[] = [
    `${paint(one.package, 'strong', style)} ${paint(one.state, stateMoods[one.state], style)}`,
    printable(one.answer),
    '',
  ];
  const rows: [string, string][] = [
    ['upstream', versions.upstream === undefined ? '-' : `${versions.upstream.version}  ${versions.upstream.source}`],
    ['pull request', versions.proposal === undefined ? '-' : `${versions.proposal.version}  ${versions.proposal.url}`],
    ['in git', dash(versions.git)],
    ...(versions.published.length === 0
      ? [['published', '-'] as [string, string]]
      : versions.published.map((at): [string, string] => [
          'published',
          `${at.version}  ${at.target}: ${at.packages.join(', ')}`,
        ])),
    ['now', `${blocker.text}${blocker.since === undefined ? '' : `, since ${agoText(blocker.since, one.at)}`}`],
    ['next', `${next.text}${when(next.at)}`],
    ...one.actions.map((action, index): [string, string] => [index === 0 ? 'you can' : '', action]),
  ];
  for (const [label, text] of rows) lines.push(`${paint(label.padEnd(14), 'faint', style)}${printable(text)}`);
  if (blocker.tail.length > 0) lines.push('', ...blocker.tail.map((line) => `  | ${printable(line)}`));
  if (one.vulnerabilities.length > 0) {
    lines.push('', paint('known vulnerabilities', 'strong', style));
    for (const { advisory, summary, remedy } of one.vulnerabilities) {
      lines.push(
        `  ${paint(advisory, 'bad', style)} ${printable(summary ?? '')}`.trimEnd(),
        `    ${printable(remedy)}`,
      );
    }
  }
  if (one.evidence.length > 0) {
    lines.push('', paint('evidence', 'strong', style));
    for (const { fact, source, at } of one.evidence)
      lines.push(`  ${printable(fact)}  [${printable(source)}${when(at)}]`);
  }
  const builds = renderTable(
    ['BUILD', 'VERSION', 'TARGET', 'STATE', 'WHY'],
    one.builds.map((build) => [
      { text: `${build.key.slice(0, 12)}.${build.attempt}` },
      { text: `${build.package} ${build.version}` },
      { text: build.target },
      { text: build.state, mood: buildMoods[build.state] },
      { text: build.why },
    ]),
    style,
  );
  return `${lines.join('\n')}\n${builds === '' ? '' : `\n${builds}`}`;
}
