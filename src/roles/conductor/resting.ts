import { RegrowError } from '../../errors.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { ConductorContext } from './context.ts';
import { proposalProblem } from './problems.ts';
import type { World } from './world.ts';

/** How long the same is not tried again, milliseconds: a review, or a setting of the forge, changes neither branch nor main. */
const rest = 15 * 60_000;

/**
 * Does something with a proposal that may be refused. What was refused is a problem of the proposal and rests until its head or
 * main is another one, or a while has gone: a rule of the forge says the same in every round. Gives what `work` gives; false
 * where it was refused, now or before. What goes away at once or is not about the proposal is thrown.
 */
export async function unlessRefused(
  { book, clock }: ConductorContext,
  world: World,
  proposal: Proposal,
  what: 'merge' | 'remake' | 'extend',
  work: () => Promise<boolean>,
): Promise<boolean> {
  const key = `refused-${what}/${proposal.package}`;
  const problemKey = `forge/${proposal.package}`;
  const asked = `${proposal.number} ${proposal.head} ${world.tree.commit}`;
  const row = book.get('cursor', key);
  const problem = book.get('problem', problemKey)?.value;
  if (row?.value.cursor === asked && problem !== undefined && clock.now().getTime() - Date.parse(row.at) < rest) {
    if (!world.problems.has(problemKey)) world.problems.set(problemKey, problem);
    return false;
  }
  try {
    const done = await work();
    await book.remove('cursor', key);
    return done;
  } catch (thrown) {
    if (!(thrown instanceof RegrowError) || thrown.retry === 'now') throw thrown;
    if (what === 'merge' && thrown.code !== 'forge.conflict' && thrown.code !== 'forge.refused') throw thrown;
    world.problems.set(problemKey, proposalProblem(proposal, thrown));
    // Written anew, so that the rest begins now.
    await book.remove('cursor', key);
    await book.put('cursor', key, { cursor: asked });
    return false;
  }
}
