import type { Evidence } from '../model/decision.ts';
import type { ReleaseObservation } from '../model/observation.ts';

/** A tag that a recipe builds and the commit that it pins it to, at the version that the recipe has. */
export interface PinnedTag {
  readonly repository: string;
  readonly tag: string;
  readonly commit: string;
}

/** A tag that now names another commit than the one that was pinned. */
export interface MovedTag extends PinnedTag {
  readonly now: string;
}

/**
 * The first of the pinned tags that upstream now has at another commit. Only what the source itself says of the very repository
 * counts, not what another one has under the same name (a fork). A pin of the tag object instead of the commit is no move.
 */
export function movedTag(pins: readonly PinnedTag[], observation: ReleaseObservation): MovedTag | undefined {
  if (pins.length === 0) return undefined;
  const place = watchedRepository(observation.source);
  if (place === undefined) return undefined;
  for (const pin of pins) {
    if (normalAddress(pin.repository) !== place) continue;
    const tag = observation.tags.find((one) => one.tag === pin.tag);
    if (tag?.commit === undefined || tag.commit === pin.commit || tag.object === pin.commit) continue;
    return { ...pin, now: tag.commit };
  }
  return undefined;
}

export function describeMove(moved: MovedTag, { source, observedAt }: ReleaseObservation): Evidence {
  const { tag, repository, commit, now } = moved;
  return { fact: `tag ${tag} of ${repository} was at ${commit} and is now at ${now}`, source, at: observedAt };
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
