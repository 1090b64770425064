import type { TimelineBump } from '../model/timeline.ts';
import type { BumpFate } from './backtest.ts';

/** A span of time and how much was in it. */
export interface Peak {
  /** UTC: `2026-06-02` or `2026-06-02T14`. */
  readonly at: string;
  readonly count: number;
}

/** Pull requests over time. */
export interface Load {
  readonly opened: number;
  /** Pull requests beyond the first for one version of one package. */
  readonly repeated: number;
  readonly builds: number;
  readonly peakDay: Peak | undefined;
  readonly peakHour: Peak | undefined;
  /** By month, `2026-06`, in order. */
  readonly byMonth: ReadonlyMap<string, number>;
}

/** Why updates were not proposed: how many, and the first of them. */
export interface Suppression {
  readonly reason: BumpFate['reason'];
  readonly count: number;
  readonly packages: number;
  readonly examples: readonly BumpFate[];
}

export interface BacktestFigures extends Load {
  readonly bumps: number;
  readonly suppressed: readonly Suppression[];
  /** Versions of a package that were updated to again, and how many updates that stopped. */
  readonly loops: { readonly versions: number; readonly updates: number };
  /** Updates for which something of today's recipe was left out, by what. */
  readonly left: ReadonlyMap<string, number>;
}

interface Opening {
  readonly at: number;
  readonly bump: TimelineBump;
}

/** What really happened: each update was one pull request. */
export function loadOfHistory(bumps: readonly TimelineBump[], targets: number): Load {
  return loadOf(
    bumps.map((bump) => ({ at: bump.at, bump })),
    targets,
  );
}

/** `targets`: how many one pull request is built for; `examples`: how many of each reason are named. */
export function backtestFigures(fates: readonly BumpFate[], targets: number, examples: number): BacktestFigures {
  const opened = fates.flatMap(({ bump, openedAt }) => (openedAt === undefined ? [] : [{ at: openedAt, bump }]));
  const reasons = new Map<BumpFate['reason'], BumpFate[]>();
  const left = new Map<string, number>();
  for (const fate of fates) {
    if (fate.left !== undefined) left.set(fate.left, (left.get(fate.left) ?? 0) + 1);
    if (fate.openedAt !== undefined) continue;
    const known = reasons.get(fate.reason);
    if (known === undefined) reasons.set(fate.reason, [fate]);
    else known.push(fate);
  }
  const suppressed = [...reasons].map(([reason, ones]) => ({
    reason,
    count: ones.length,
    packages: new Set(ones.map(({ bump }) => bump.recipe)).size,
    examples: ones.slice(0, examples),
  }));
  const loops = reasons.get('loop') ?? [];
  return {
    bumps: fates.length,
    ...loadOf(opened, targets),
    suppressed: suppressed.sort((a, b) => b.count - a.count),
    loops: { versions: new Set(loops.map(({ bump }) => versionKey(bump))).size, updates: loops.length },
    left,
  };
}

function loadOf(openings: readonly Opening[], targets: number): Load {
  const days = new Map<string, number>();
  const hours = new Map<string, number>();
  const months = new Map<string, number>();
  for (const { at } of openings) {
    const time = new Date(at).toISOString();
    for (const [spans, length] of [[days, 10] as const, [hours, 13] as const, [months, 7] as const]) {
      const span = time.slice(0, length);
      spans.set(span, (spans.get(span) ?? 0) + 1);
    }
  }
  return {
    opened: openings.length,
    repeated: openings.length - new Set(openings.map(({ bump }) => versionKey(bump))).size,
    builds: openings.length * targets,
    peakDay: peakOf(days),
    peakHour: peakOf(hours),
    byMonth: new Map([...months].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** The first of the fullest. */
function peakOf(spans: ReadonlyMap<string, number>): Peak | undefined {
  let peak: Peak | undefined;
  for (const [at, count] of spans) {
    if (peak === undefined || count > peak.count || (count === peak.count && at < peak.at)) peak = { at, count };
  }
  return peak;
}

function versionKey({ recipe, to }: TimelineBump): string {
  return `${recipe} ${to.version}`;
}
