import { compareApkVersions, isApkVersion, withoutEpoch } from '../model/apk-version.ts';
import type { Proposal } from '../model/proposal.ts';
import type { UpdateBlock } from '../model/recipe/recipe.ts';

/** An update that was proposed some time, and is no longer open. */
export interface PastUpdate {
  /** With or without epoch. */
  readonly version: string;
  /** ISO 8601: when it ended, or began where its end is not known. */
  readonly at: string;
  /** How it ended, where that is known. */
  readonly state?: 'merged' | 'closed' | undefined;
  readonly url?: string | undefined;
}

/** A person's word that one version is to be proposed again: what ended before does not count. */
export interface Release {
  /** Without epoch. */
  readonly version: string;
  /** ISO 8601. */
  readonly at: string;
}

/** Who changed the recipe on main last. */
export interface RecipeChange {
  readonly commit: string;
  /** ISO 8601. */
  readonly at: string;
  readonly author: string;
}

/** What is known of the updates of one package so far. */
export interface Past {
  /** Proposals of this package in every state, as far as the forge still tells of them. */
  readonly proposals: readonly Proposal[];
  /** Updates that are no longer proposals of the forge. */
  readonly history: readonly PastUpdate[];
  readonly released?: Release | undefined;
}

/** The proposal of a version that a person closed. It stays closed until there is another version, or a person releases it. */
export function closedByHand(version: string, past: Past): Proposal | undefined {
  return past.proposals.find(
    (proposal) =>
      proposal.state === 'closed' &&
      proposal.closedBy !== undefined &&
      isOf(proposal.version, version) &&
      counts(proposal.closedAt ?? proposal.openedAt, version, past),
  );
}

/**
 * The loop breaker: the last update to this version that was made already. A second one means that the first did not do what it
 * should, and the next would not either, so each version is proposed once, until a person releases it. An open proposal is no
 * repetition.
 */
export function madeBefore(version: string, past: Past): PastUpdate | undefined {
  const { proposals, history } = past;
  if (proposals.some((proposal) => proposal.state === 'open' && isOf(proposal.version, version))) return undefined;
  const ended = proposals.flatMap(({ version: full, state, closedAt, openedAt, url }) =>
    state === 'open' ? [] : [{ version: full, at: closedAt ?? openedAt, state, url }],
  );
  const made = [...ended, ...history].filter(
    (update) => isOf(update.version, version) && counts(update.at, version, past),
  );
  return made.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))[0];
}

/** `from`: the version that main has. */
export function describeRepeat(version: string, from: string, made: PastUpdate, change?: RecipeChange): string {
  const where = made.url === undefined ? '' : ` (${made.url})`;
  const went = { merged: 'was merged', closed: 'was closed' };
  const ended = made.state === undefined ? 'was proposed' : went[made.state];
  const last =
    change === undefined ? '' : `, last changed by ${change.author} in ${change.commit.slice(0, 12)} at ${change.at}`;
  return `the update to ${version} ${ended} at ${made.at}${where}, and main is at ${from} again${last}: it is not made a second time`;
}

/** With `require-sequential`, the open proposal of an older version, which is merged or closed first. */
export function heldForSequence(
  version: string,
  update: UpdateBlock,
  proposals: readonly Proposal[],
): Proposal | undefined {
  if (update['require-sequential'] !== true) return undefined;
  return proposals.find((proposal) => proposal.state === 'open' && isOlder(withoutEpoch(proposal.version), version));
}

/** What ended before a person's release of the version is forgiven. */
function counts(at: string, version: string, { released }: Past): boolean {
  return released?.version !== version || Date.parse(at) > Date.parse(released.at);
}

function isOlder(version: string, than: string): boolean {
  return isApkVersion(version) && compareApkVersions(version, than) < 0;
}

function isOf(fullVersion: string, version: string): boolean {
  return fullVersion === version || withoutEpoch(fullVersion) === version;
}
