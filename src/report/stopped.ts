import { withoutEpoch } from '../model/apk-version.ts';
import type { Decision } from '../model/decision.ts';
import type { Problem } from '../model/plan.ts';
import type { Proposal } from '../model/proposal.ts';

/** What the ledger knows of one package. */
export interface StoppedFacts {
  readonly decision: Decision | undefined;
  /** In every state. */
  readonly proposals: readonly Proposal[];
  readonly problems: readonly Problem[];
}

/**
 * The version, without epoch, that regrow stopped and that a person may release: it was made before, a person closed it, it pins
 * nothing new, or a source of its open proposal moved. Undefined where nothing is stopped, or something else stops it.
 */
export function stoppedVersion({ decision, proposals, problems }: StoppedFacts): string | undefined {
  const moved = problems.some(({ area, code }) => area === 'forge' && code === 'source.moved');
  const open = proposals.find(({ state }) => state === 'open');
  if (moved && open !== undefined) return withoutEpoch(open.version);
  if (decision?.action !== 'hold') return undefined;
  const { reason, to } = decision;
  return reason === 'loop' || reason === 'closed-by-hand' || reason === 'pins-nothing-new' ? to?.version : undefined;
}
