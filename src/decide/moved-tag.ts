import type { Evidence } from '../model/decision.ts';
import type { ReleaseObservation } from '../model/observation.ts';
import { pinnedSources } from '../model/recipe/pinned-sources.ts';
import type { Recipe } from '../model/recipe/recipe.ts';

/** A tag that a recipe builds, and the commit that it pins. */
export interface PinnedTag {
  readonly repository: string;
  readonly tag: string;
  readonly commit: string;
}

/** One that now names another commit. */
export interface MovedTag extends PinnedTag {
  readonly now: string;
}

/** The tags that the recipe builds at the version that it has. */
export function pinnedTags(recipe: Recipe): readonly PinnedTag[] {
  return pinnedSources(recipe).flatMap(({ address, tag, pin }) =>
    tag === undefined ? [] : [{ repository: address, tag, commit: pin }],
  );
}

/**
 * The first of the pinned tags that upstream has at another commit. Only what the source says of the very repository counts, not
 * what another one has under the same name (a fork). A pin of the tag object instead of the commit is no move.
 */
export function movedTag(pins: readonly PinnedTag[], observation: ReleaseObservation): MovedTag | undefined {
  const place = watchedRepository(observation.source);
  if (place === undefined) return undefined;
  for (const pin of pins) {
    if (normalAddress(pin.repository) !== place) continue;
    const seen = observation.tags.find((one) => one.tag === pin.tag);
    if (seen?.commit === undefined || seen.commit === pin.commit || seen.object === pin.commit) continue;
    return { ...pin, now: seen.commit };
  }
  return undefined;
}

/** One sentence, with both commits. */
export function describeMove({ tag, repository, commit, now }: MovedTag): string {
  return `tag ${tag} of ${repository} was at ${commit} and is now at ${now}`;
}

export function moveEvidence(moved: MovedTag, { source, observedAt }: ReleaseObservation): Evidence {
  return { fact: describeMove(moved), source, at: observedAt };
}

/** Of `github:OWNER/REPO/tags`, `git:URL`, `gitlab:HOST/PATH` and `gitea:HOST/PATH`; undefined where no repository is watched. */
function watchedRepository(source: string): string | undefined {
  const colon = source.indexOf(':');
  const [kind, rest] = [source.slice(0, colon), source.slice(colon + 1)];
  if (kind === 'github') return `github.com/${rest.replace(/\/(?:releases|tags)$/, '')}`.toLowerCase();
  return kind === 'git' || kind === 'gitlab' || kind === 'gitea' ? normalAddress(rest) : undefined;
}

/** Without scheme, user, `.git` and last slash, in lower case. */
function normalAddress(address: string): string {
  return address
    .replace(/^[a-z+]+:\/\//i, '')
    .replace(/^[^/@]*@/, '')
    .replace(/^www\./i, '')
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .toLowerCase();
}
