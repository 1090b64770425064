import { RegrowError } from '../errors.ts';
import { type BodyData, readData, writeData } from './body-data.ts';
import { code, link, plain, table } from './markdown.ts';

export { type BodyData, readData as parseBody } from './body-data.ts';

/** How far one build of a proposal is. */
export interface BuildLine {
  readonly package: string;
  readonly target: string;
  readonly state: 'waiting' | 'running' | 'passed' | 'failed';
  /** One sentence. */
  readonly text: string;
  readonly url?: string | undefined;
  /** What a second build of it gave otherwise, a sentence each. Untrusted text. */
  readonly differences?: readonly string[] | undefined;
}

/** GitHub refuses a longer body, counted in characters. */
const limit = 65_536;
/** How much of it is shown, longest first: the hidden part has to fit beside it. */
const sizes = [
  { rows: 50, evidence: 12, text: 300 },
  { rows: 50, evidence: 3, text: 60 },
  { rows: 10, evidence: 3, text: 60 },
] as const;
type Size = (typeof sizes)[number];
/** Characters that are kept for the builds where the body is written before they are known. */
const buildsRoom = 6_000;
const buildsOpen = '<!-- regrow:builds -->';
const buildsClose = '<!-- /regrow:builds -->';
const noBuilds = 'None yet.';
/** Most lines about second builds. */
const differencesShown = 12;

/**
 * The body as Markdown. `parseBody` gives back what went in, but for evidence and pins that had no room. `builds` is what the section
 * of builds says (`buildsTable`, or `buildsIn` of another body). Throws forge.refused when it is more than a forge takes.
 */
export function printBody(data: BodyData, builds: string = noBuilds): string {
  for (const size of sizes) {
    const body = print(data, builds, size);
    if (body.length + Math.max(0, buildsRoom - builds.length) <= limit) return body;
  }
  const least = print(data, noBuilds, sizes[2]);
  if (least.length <= limit) return least;
  throw new RegrowError(
    'forge.refused',
    `${data.changes.length} recipes are more than the text of one pull request can name`,
    {
      package: data.package,
      remedy: 'make the update by hand: raise the epochs of the dependents in several steps',
    },
  );
}

function print(data: BodyData, builds: string, size: Size): string {
  const own = data.changes.find((change) => change.package === data.package);
  const from = own === undefined ? '' : ` from ${code(own.from)}`;
  const kept = size === sizes[0] ? data : shortened(data, size);
  const parts = [
    `**${plain(data.package)}** goes${from} to ${code(data.version)}: ${plain(data.because)}.`,
    data.fixes.length === 0
      ? ''
      : `Fixes ${data.fixes.map((id) => link(id, `https://osv.dev/vulnerability/${id}`)).join(', ')}.`,
    links(data),
    section('Why', evidenceList(data, size)),
    section('Changes', changesTable(data, size)),
    section('Dependency pins', pinsList(data, size)),
    section('Builds', `${buildsOpen}\n${builds}\n${buildsClose}`),
    '---',
    'Made by regrow. It keeps this branch up to date and never overwrites a commit that is not its own. Close this pull request to skip the version.',
    writeData(kept),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** What is kept where there is little room: what goes can be found again, with the next look at upstream. */
function shortened(data: BodyData, size: Size): BodyData {
  const evidence = data.evidence.slice(0, size.evidence);
  return { ...data, evidence, ...(data.pins === undefined ? {} : { pins: data.pins.slice(0, size.evidence) }) };
}

function links({ release, compare }: BodyData): string {
  const found = [
    release === undefined ? '' : link('Release', release),
    compare === undefined ? '' : link('What changed upstream', compare),
  ];
  return found.filter((part) => part !== '').join(' · ');
}

function section(title: string, text: string): string {
  return text === '' ? '' : `### ${title}\n\n${text}`;
}

function evidenceList({ evidence }: BodyData, size: Size): string {
  return evidence
    .slice(0, size.evidence)
    .map(
      ({ fact, source, at }) => `- ${plain(fact)} (${link(source, source)}${at === undefined ? '' : `, ${plain(at)}`})`,
    )
    .join('\n');
}

function pinsList({ pins = [] }: BodyData, size: Size): string {
  const lines = pins.slice(0, size.rows).map((pin) => `- ${plain(cut(pin, 2 * size.text))}`);
  return `${lines.join('\n')}${more(pins.length, size.rows)}`;
}

function changesTable({ changes }: BodyData, size: Size): string {
  if (changes.length === 0) return '';
  const rows = changes
    .slice(0, size.rows)
    .map(({ package: name, path, from, to, why }) => [
      `${plain(name)} (${code(path)})`,
      code(from),
      code(to),
      plain(cut(why, size.text)),
    ]);
  return `${table(['Recipe', 'From', 'To', 'Why'], rows)}${more(changes.length, size.rows)}`;
}

/** What the section of builds says. Those that failed stand first: the rest may have no room. */
export function buildsTable(builds: readonly BuildLine[]): string {
  if (builds.length === 0) return noBuilds;
  const order = ['failed', 'running', 'waiting', 'passed'] as const;
  const sorted = order.flatMap((state) =>
    builds
      .filter((build) => build.state === state)
      .toSorted((a, b) => (`${a.package} ${a.target}` < `${b.package} ${b.target}` ? -1 : 1)),
  );
  const rows = sorted.map(({ package: name, target, state, text, url }) => [
    plain(name),
    plain(target),
    link(state, url),
    plain(cut(text, 200)),
  ]);
  const header = ['Package', 'Target', 'State', ''];
  // In characters too: addresses of logs and names can be long.
  const differences = differencesList(sorted);
  for (let count = Math.min(rows.length, sizes[0].rows); ; count -= 1) {
    const shown = `${table(header, rows.slice(0, count))}${more(rows.length, count)}${differences}`;
    if (shown.length <= 2 * buildsRoom || count === 0) return shown;
  }
}

/** What second builds gave otherwise, below the table of builds. */
function differencesList(builds: readonly BuildLine[]): string {
  const lines = builds.flatMap(({ target, differences = [] }) =>
    differences.map((one) => `- ${plain(target)}: ${plain(cut(one, 300))}`),
  );
  if (lines.length === 0) return '';
  const shown = lines.slice(0, differencesShown).join('\n');
  return `\n\nBuilt a second time, it is not the same:\n\n${shown}${more(lines.length, differencesShown)}`;
}

function more(all: number, shown: number): string {
  return all > shown ? `\n\nand ${all - shown} more.` : '';
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** What the section of builds of a body says, to print it again. */
export function buildsIn(body: string): string {
  const text = body.replaceAll('\r\n', '\n');
  const start = text.indexOf(`${buildsOpen}\n`);
  const end = text.indexOf(`\n${buildsClose}`, start);
  return start === -1 || end === -1 ? noBuilds : text.slice(start + buildsOpen.length + 1, end);
}

/** The body with another section of builds, where it is one of ours. */
export function withBuilds(body: string, builds: string): string | undefined {
  const data = readData(body);
  return data === undefined ? undefined : printBody(data, builds);
}
