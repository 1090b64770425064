import type { ReleaseObservation, SourceChoice } from '../model/observation.ts';
import type { Proposal } from '../model/proposal.ts';
import type { Recipe } from '../model/recipe/recipe.ts';
import type { TimelineBump } from '../model/timeline.ts';
import { formerRelease, type LeftRules, noRules, rulesOfProposals } from './backtest-tag.ts';
import type { DecideInput } from './input.ts';
import type { NothingNew } from './new-pins.ts';

/** A recipe that the timeline tells of, as it is today. */
export interface BacktestRecipe {
  readonly recipe: Recipe;
  readonly source: SourceChoice | undefined;
}

/** What of a recipe did not hold when an update was made. */
export type LeftOut = LeftRules | 'updates-disabled' | 'manual';

/** What is known of a package from the simulation itself. */
export interface BacktestPast {
  readonly today: BacktestRecipe;
  readonly merged: Proposal[];
  /** Of the recipe as it was at one version: another one is looked up again. */
  nothingNew?: NothingNew & { readonly from: TimelineBump['from'] };
}

/** The commits are not in a timeline: all that is known is whether they were others. */
const commits = { before: 'the commit before', after: 'the commit after' };

/**
 * What is known at a time (milliseconds since 1970) when main is at `from` and upstream has the versions of `bumps`. That an
 * update was made shows that the recipe of then allowed it: what of today's does not is left out, and `lefts` says so for each.
 * Throws recipe.pattern-invalid.
 */
export function formerInput(
  past: BacktestPast,
  from: TimelineBump['from'],
  bumps: readonly TimelineBump[],
  at: number,
): { readonly input: Omit<DecideInput, 'policy'>; readonly lefts: readonly (LeftOut | undefined)[] } {
  const { recipe: today, source: chosen } = past.today;
  const { name } = today.package;
  const source: SourceChoice = chosen ?? { key: `git:timeline/${name}`, chosenBy: 'update' };
  const written = today.update ?? noRules;
  const releases = bumps.map((bump) =>
    formerRelease(bump.to.version, written, name, {
      prerelease: false,
      publishedAt: new Date(bump.at).toISOString(),
      commit: bump.changed > 0 ? commits.after : commits.before,
    }),
  );
  const isSpelt = releases.every(({ left }) => left === undefined);
  const tags = releases.map(({ tag }, index) => (isSpelt ? tag : { ...tag, tag: bumps[index]?.to.version ?? tag.tag }));
  const repository = repositoryOf(source.key);
  const observation: ReleaseObservation = {
    kind: 'release',
    source: source.key,
    tags: tags.toReversed(),
    observedAt: new Date(at).toISOString(),
  };
  const update = { ...(isSpelt ? written : rulesOfProposals(written)), enabled: true, manual: undefined };
  const input = {
    recipe: { ...today, package: { ...today.package, version: from.version, epoch: from.epoch }, update },
    source,
    observation,
    findings: [],
    proposals: past.merged,
    history: [],
    pinned: bumps.flatMap(({ to }, index) =>
      to.version === from.version ? [{ repository, tag: tags[index]?.tag ?? '', commit: commits.before }] : [],
    ),
    nothingNew: isSame(past.nothingNew?.from, from) ? past.nothingNew : undefined,
    now: new Date(at),
  };
  const switched = written.enabled !== true ? 'updates-disabled' : written.manual === true ? 'manual' : undefined;
  return { input, lefts: releases.map(({ left }) => switched ?? left) };
}

function isSame(one: TimelineBump['from'] | undefined, other: TimelineBump['from']): boolean {
  return one?.version === other.version && one.epoch === other.epoch;
}

/** Address of the repository that a source watches, as a recipe would have it. */
function repositoryOf(key: string): string {
  const place = key.slice(key.indexOf(':') + 1);
  return key.startsWith('github:') ? `https://github.com/${place.replace(/\/(?:releases|tags)$/, '')}` : place;
}

/** The proposal of an update, opened and merged at one time, milliseconds since 1970. */
export function mergedProposal({ recipe, from, to, commit }: TimelineBump, at: number, number: number): Proposal {
  const time = new Date(at).toISOString();
  const change = {
    package: recipe,
    path: `${recipe}.yaml`,
    from: `${from.version}-r${from.epoch}`,
    to: `${to.version}-r0`,
    why: 'newer-release',
  };
  return {
    package: recipe,
    version: change.to,
    number,
    url: `timeline:${commit}`,
    branch: `regrow/${recipe}`,
    title: `${recipe}/${to.version} package update`,
    state: 'merged',
    head: commit,
    base: commit,
    changes: [change],
    fixes: [],
    labels: [],
    openedAt: time,
    closedAt: time,
  };
}
