import { z } from 'zod';
import { evidenceSchema } from '../model/decision.ts';
import { changeSchema } from '../model/proposal.ts';
import { code, link, plain, table } from './markdown.ts';

/** How far one build of a proposal is. */
export const buildLineSchema = z.strictObject({
  package: z.string(),
  target: z.string(),
  state: z.enum(['waiting', 'running', 'passed', 'failed']),
  /** One sentence. */
  text: z.string(),
  url: z.string().optional(),
});

/** What a pull request's body says, to people and, in a comment that is not shown, to regrow itself. */
export const bodySchema = z.strictObject({
  schema: z.literal(1),
  package: z.string(),
  /** Full version with epoch. */
  version: z.string(),
  /** The commit of the main branch that the changes were made on. */
  base: z.string(),
  /** What the commits on the branch hold (`contentOf`): that of the update, then those that extended it. */
  contents: z.array(z.string()).min(1),
  because: z.string(),
  urgency: z.enum(['security', 'normal', 'low']),
  fixes: z.array(z.string()),
  evidence: z.array(evidenceSchema),
  release: z.string().optional(),
  compare: z.string().optional(),
  changes: z.array(changeSchema),
  builds: z.array(buildLineSchema),
});

export type BodyData = z.infer<typeof bodySchema>;
export type BuildLine = z.infer<typeof buildLineSchema>;

const open = '<!-- regrow:update ';
const close = ' -->';
/** GitHub refuses a longer body, counted in characters. */
const limit = 65_536;
const shownRows = 50;
const shownEvidence = 12;

/** The body as Markdown. `parseBody` gives back what went in, but for evidence that had no room. */
export function printBody(data: BodyData): string {
  const full = print(data);
  if (full.length <= limit) return full;
  return print({ ...data, evidence: data.evidence.slice(0, 3), changes: data.changes.map((change) => brief(change)) });
}

function brief<T extends { readonly why: string }>(change: T): T {
  return { ...change, why: change.why.slice(0, 40) };
}

function print(data: BodyData): string {
  const own = data.changes.find((change) => change.package === data.package);
  const from = own === undefined ? '' : ` from ${code(own.from)}`;
  const parts = [
    `**${plain(data.package)}** goes${from} to ${code(data.version)}: ${plain(data.because)}.`,
    data.fixes.length === 0
      ? ''
      : `Fixes ${data.fixes.map((id) => link(id, `https://osv.dev/vulnerability/${id}`)).join(', ')}.`,
    links(data),
    section('Why', evidenceList(data)),
    section('Changes', changesTable(data)),
    section('Builds', buildsTable(data)),
    '---',
    'Made by regrow. It keeps this branch up to date and never overwrites a commit that is not its own. Close this pull request to skip the version.',
    `${open}${escapeJson(JSON.stringify(data))}${close}`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
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

function evidenceList({ evidence }: BodyData): string {
  return evidence
    .slice(0, shownEvidence)
    .map(
      ({ fact, source, at }) => `- ${plain(fact)} (${link(source, source)}${at === undefined ? '' : `, ${plain(at)}`})`,
    )
    .join('\n');
}

function changesTable({ changes }: BodyData): string {
  if (changes.length === 0) return '';
  const rows = changes
    .slice(0, shownRows)
    .map(({ package: name, path, from, to, why }) => [
      `${plain(name)} (${code(path)})`,
      code(from),
      code(to),
      plain(why),
    ]);
  const more = changes.length > shownRows ? `\n\nand ${changes.length - shownRows} more.` : '';
  return `${table(['Recipe', 'From', 'To', 'Why'], rows)}${more}`;
}

function buildsTable({ builds }: BodyData): string {
  if (builds.length === 0) return 'None yet.';
  const rows = builds.map(({ package: name, target, state, text, url }) => [
    plain(name),
    plain(target),
    link(state, url),
    plain(text),
  ]);
  return table(['Package', 'Target', 'State', ''], rows.slice(0, shownRows));
}

/** The data that `printBody` put in; undefined where it is gone or is not what it was. Line ends may have been changed. */
export function parseBody(text: string): BodyData | undefined {
  const start = text.lastIndexOf(open);
  const end = text.indexOf(close, start);
  if (start === -1 || end === -1) return undefined;
  try {
    return bodySchema.safeParse(JSON.parse(text.slice(start + open.length, end))).data;
  } catch {
    return undefined;
  }
}

/** JSON that cannot end the comment that it stands in, or open markup. */
function escapeJson(json: string): string {
  return json
    .replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
    .replaceAll('--', '-\\u002d');
}
