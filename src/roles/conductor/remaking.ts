import type { Proposal } from '../../model/proposal.ts';
import type { ConductorContext } from './context.ts';
import { remakeProposal } from './proposing.ts';
import { unlessRefused } from './resting.ts';
import type { World } from './world.ts';

/** Milliseconds for looking the sources of one update up again. */
const remakePatience = 5 * 60_000;

/** The same update on what main has now; dependents follow again when it is built. Says whether the branch moved. */
export function remake(context: ConductorContext, world: World, proposal: Proposal): Promise<boolean> {
  return unlessRefused(context, world, proposal, 'remake', async () => {
    const made = await remakeProposal(context, world, proposal, AbortSignal.timeout(remakePatience));
    return made !== undefined && made.head !== proposal.head;
  });
}
