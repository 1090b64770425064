import { RegrowError, reportError } from '../../errors.ts';
import type { Problem } from '../../model/plan.ts';
import type { Proposal } from '../../model/proposal.ts';

/** What went wrong with one proposal, as a problem of it alone. What is not about it is thrown on. */
export function proposalProblem(proposal: Proposal, thrown: unknown): Problem {
  if (!(thrown instanceof RegrowError) || thrown.code === 'aborted') throw thrown;
  const { code, message, remedy, file, line } = reportError(thrown);
  return {
    area: 'forge',
    name: proposal.package,
    code,
    message: `pull request #${proposal.number}: ${message}`,
    ...(remedy === undefined ? {} : { remedy }),
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
  };
}
