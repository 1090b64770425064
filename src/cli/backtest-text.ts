import type { BumpFate } from '../decide/backtest.ts';
import type { BacktestFigures, Load, Peak } from '../decide/backtest-figures.ts';
import type { TimelineBump } from '../model/timeline.ts';
import { type Cell, paint, printable, renderTable, type Style } from '../report/table.ts';

interface Side {
  /** Of the configuration: its file. */
  readonly name: string;
  readonly targets: number;
  readonly figures: BacktestFigures;
}

/** What one run of the command found. */
export interface Backtest {
  readonly bumps: readonly TimelineBump[];
  readonly history: Load;
  readonly own: Side;
  readonly against?: Side;
}

export function backtestJson({ bumps, history, own, against }: Backtest): Record<string, unknown> {
  const span = [bumps[0]?.at, bumps.at(-1)?.at].map((at) => (at === undefined ? null : new Date(at).toISOString()));
  return {
    updates: bumps.length,
    packages: packagesOf(bumps),
    from: span[0],
    to: span[1],
    history: loadJson(history),
    own: sideJson(own),
    ...(against === undefined ? {} : { against: sideJson(against) }),
  };
}

function sideJson({ name, targets, figures }: Side): Record<string, unknown> {
  const { suppressed, loops, left } = figures;
  return {
    configuration: name,
    targets,
    ...loadJson(figures),
    loops,
    suppressed: suppressed.map(({ examples, ...one }) => ({ ...one, examples: examples.map(exampleJson) })),
    left: Object.fromEntries(left),
  };
}

function loadJson({ opened, repeated, builds, peakDay, peakHour, byMonth }: Load): Record<string, unknown> {
  return {
    opened,
    repeated,
    builds,
    peakDay: peakDay ?? null,
    peakHour: peakHour ?? null,
    byMonth: Object.fromEntries(byMonth),
  };
}

function exampleJson({ bump, because }: BumpFate): Record<string, unknown> {
  const { recipe, from, to, at, commit } = bump;
  return { package: recipe, from: from.version, to: to.version, at: new Date(at).toISOString(), commit, because };
}

export function backtestText(backtest: Backtest, style: Style): string {
  const { bumps, own, against } = backtest;
  const sides = against === undefined ? [own] : [own, against];
  const days = [bumps[0], bumps.at(-1)].map((bump) => (bump === undefined ? '-' : dayOf(bump.at)));
  const head = `${amount(bumps.length)} updates of ${amount(packagesOf(bumps))} packages, ${days.join(' to ')}\n`;
  const names = ['', 'HISTORY', ...sides.map(({ name }) => name)];
  const table = renderTable(
    names,
    figureRows(backtest, sides).map(([label, ...cells]) => [{ text: label }, ...cells.map((text): Cell => ({ text }))]),
    style,
  );
  return [head, table, ...sides.map((side) => reasonsText(side, style))].join('\n');
}

type Row = readonly [string, ...string[]];

function figureRows({ history }: Backtest, sides: readonly Side[]): readonly Row[] {
  const loads = [history, ...sides.map(({ figures }) => figures)];
  const row = (label: string, of: (load: Load) => string): Row => [label, ...loads.map(of)];
  const ofSides = (label: string, of: (figures: BacktestFigures) => string): Row => [
    label,
    '-',
    ...sides.map(({ figures }) => of(figures)),
  ];
  const reasons = [...new Set(sides.flatMap(({ figures }) => figures.suppressed.map(({ reason }) => reason)))];
  const months = [...new Set(loads.flatMap(({ byMonth }) => [...byMonth.keys()]))].toSorted();
  const countOf = (figures: BacktestFigures, reason: string) =>
    figures.suppressed.find((one) => one.reason === reason)?.count ?? 0;
  return [
    row('pull requests', ({ opened }) => amount(opened)),
    row('again for a version', ({ repeated }) => amount(repeated)),
    row('builds', ({ builds }) => amount(builds)),
    row('peak day', ({ peakDay }) => peakText(peakDay)),
    row('peak hour', ({ peakHour }) => peakText(peakHour)),
    ofSides('loops stopped', ({ loops }) => `${amount(loops.versions)} (${amount(loops.updates)} updates)`),
    ofSides('not proposed', ({ bumps, opened }) => amount(bumps - opened)),
    ...reasons.map((reason) => ofSides(`  ${reason}`, (figures) => amount(countOf(figures, reason)))),
    ...months.map((month) => row(month, ({ byMonth }) => amount(byMonth.get(month) ?? 0))),
  ];
}

/** Why not, with the first updates of each reason. */
function reasonsText({ name, figures }: Side, style: Style): string {
  const lines = figures.suppressed.flatMap(({ reason, count, packages, examples }) => [
    `${paint(reason, 'strong', style)}: ${amount(count)} updates of ${amount(packages)} packages`,
    ...examples.map(({ bump, because }) => {
      const { recipe, from, to, at } = bump;
      return `  ${dayOf(at)} ${printable(`${recipe} ${from.version} to ${to.version}: ${because}`)}`;
    }),
  ]);
  const left = [...figures.left].map(([what, count]) => `${amount(count)} ${what}`).join(', ');
  const note = left === '' ? [] : [`decided without what today's recipe says against the update of then: ${left}`];
  return `${[`not proposed with ${name}`, ...lines, ...note].join('\n')}\n`;
}

function packagesOf(bumps: readonly TimelineBump[]): number {
  return new Set(bumps.map(({ recipe }) => recipe)).size;
}

function peakText(peak: Peak | undefined): string {
  return peak === undefined ? '-' : `${amount(peak.count)} (${peak.at})`;
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function amount(number: number): string {
  return number.toLocaleString('en-US');
}
