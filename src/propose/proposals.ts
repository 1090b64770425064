import type { Proposal } from '../model/proposal.ts';
import type { Forge, ForgeProposal } from '../ports/forge.ts';
import { type BodyData, parseBody } from './body.ts';
import { branchPrefix, packageOfBranch } from './branch.ts';
import { parseTitle } from './title.ts';

/**
 * Proposals as the forge has them: all open ones, and those merged or closed since (ISO 8601). One whose body someone
 * rewrote is read from its branch and title, as far as those say it.
 */
export async function readProposals(forge: Pick<Forge, 'list'>, since?: string): Promise<readonly Proposal[]> {
  const found = await forge.list(branchPrefix, since);
  return found.flatMap((proposal) => toProposal(proposal, parseBody(proposal.body)) ?? []);
}

/** Undefined for a branch that is none of ours. */
export function toProposal(found: ForgeProposal, data: BodyData | undefined): Proposal | undefined {
  const name = packageOfBranch(found.branch);
  if (name === undefined || name === '') return undefined;
  const title = parseTitle(found.title);
  const readable = data !== undefined && data.package === name ? data : undefined;
  if (readable === undefined && title?.package !== name) return undefined;
  return {
    package: name,
    version: readable?.version ?? `${title?.version ?? ''}-r0`,
    number: found.number,
    url: found.url,
    branch: found.branch,
    title: found.title,
    state: found.state,
    head: found.head,
    base: readable?.base ?? found.head,
    changes: [...(readable?.changes ?? [])],
    fixes: readable?.fixes ?? [],
    labels: [...found.labels],
    openedAt: found.openedAt,
    ...(found.closedAt === undefined ? {} : { closedAt: found.closedAt }),
    ...(found.closedBy === undefined ? {} : { closedBy: found.closedBy }),
  };
}
