import { RegrowError, reportError, toRegrowError } from '../../errors.ts';
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

/** What went wrong with one package, as a problem of it alone, by its ledger key. What time heals is not about it: thrown on. */
export function packageProblem(name: string, thrown: unknown): readonly [string, Problem] {
  const error = toRegrowError(thrown);
  if (error.retry !== 'never') throw thrown;
  const { code, message, remedy, file, field } = reportError(error);
  return [
    `recipe/${name}`,
    {
      area: 'recipe',
      name,
      code,
      message,
      ...(remedy === undefined ? {} : { remedy }),
      ...(file === undefined ? {} : { file }),
      ...(field === undefined ? {} : { field }),
    },
  ];
}

/** A source that is another one than when it was pinned. */
export function movedProblem(about: Pick<Problem, 'area' | 'name' | 'message' | 'file'>): Problem {
  return {
    ...about,
    code: 'source.moved',
    remedy:
      about.area === 'source'
        ? 'ask upstream why it moved; where it is right, set the new commit in the recipe and raise its epoch'
        : `ask upstream why it moved; \`regrow release ${about.name}\` pins what is there now, merging by hand takes what was pinned`,
  };
}
