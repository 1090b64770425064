import { compareApkVersions, splitEpoch } from '../model/apk-version.ts';
import type { Proposal } from '../model/proposal.ts';
import type { UpdateBlock } from '../model/recipe/recipe.ts';

/** An update that was made some time. */
export interface PastUpdate {
  /** With or without epoch. */
  readonly version: string;
  /** ISO 8601. */
  readonly at: string;
}

const day = 24 * 60 * 60 * 1000;

/** The proposal of a version that a person closed. It stays closed until there is another version. */
export function closedByHand(version: string, proposals: readonly Proposal[]): Proposal | undefined {
  return proposals.find(
    (proposal) => proposal.state === 'closed' && proposal.closedBy !== undefined && isOf(proposal.version, version),
  );
}

/**
 * The loop breaker: a second update to one version within a day means that the first did not do what it should, and the next
 * would not either. Gives the time from which on it may be tried again. An open proposal is not a repetition.
 */
export function repeatedUntil(
  version: string,
  proposals: readonly Proposal[],
  history: readonly PastUpdate[],
  now: Date,
): string | undefined {
  if (proposals.some((proposal) => proposal.state === 'open' && isOf(proposal.version, version))) return undefined;
  const ended = proposals.map((proposal) => ({
    version: proposal.version,
    at: proposal.closedAt ?? proposal.openedAt,
  }));
  const times = [...ended, ...history].filter((past) => isOf(past.version, version)).map((past) => Date.parse(past.at));
  const latest = Math.max(...times.filter((time) => now.getTime() - time < day));
  return Number.isFinite(latest) ? new Date(latest + day).toISOString() : undefined;
}

/** With `require-sequential`, the open proposal of an older version, which is merged or closed first. */
export function heldForSequence(
  version: string,
  update: UpdateBlock,
  proposals: readonly Proposal[],
): Proposal | undefined {
  if (update['require-sequential'] !== true) return undefined;
  return proposals.find(
    (proposal) => proposal.state === 'open' && compareApkVersions(splitEpoch(proposal.version).version, version) < 0,
  );
}

function isOf(fullVersion: string, version: string): boolean {
  return fullVersion === version || splitEpoch(fullVersion).version === version;
}
