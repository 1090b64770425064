import type { Evidence } from '../model/decision.ts';

/** How many hashes of sources a recipe pins, and how many of them are others at the new version. */
export interface PinCount {
  readonly pinned: number;
  readonly changed: number;
}

/** What was found when an update was about to be proposed: every source is the one that is built already. */
export interface NothingNew {
  /** Without epoch. */
  readonly version: string;
  /** The commit of its tag, where the source said it: a tag that names another one by now may pin something new. */
  readonly commit?: string | undefined;
  /** The sources that were looked up, one text each: `https://github.com/o/r tag v1.2 is still COMMIT`. */
  readonly lookedUp: readonly string[];
  /** ISO 8601. */
  readonly at: string;
}

/**
 * Whether a new version is only another name for the sources that are built already: it pins some, and every one stayed as it
 * was. A recipe that pins nothing (one that only gathers other packages) is what its version says, so its update is one.
 */
export function pinsNothingNew({ pinned, changed }: PinCount): boolean {
  return pinned > 0 && changed === 0;
}

export function describeNothingNew({ lookedUp, at }: NothingNew): Evidence[] {
  return lookedUp.map((fact) => ({ fact, source: 'sources', at }));
}
