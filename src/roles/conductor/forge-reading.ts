import type { Proposal } from '../../model/proposal.ts';
import { readProposals } from '../../propose/proposals.ts';
import type { ConductorContext } from './context.ts';

/** How long a proposal that ended is still looked at, milliseconds: what a person closed holds its version. */
const remembered = 90 * 24 * 3600 * 1000;

/** Reads the proposals from the forge, and tells what became of them since they were last read. */
export async function readForge(context: ConductorContext): Promise<readonly Proposal[]> {
  const { book, forge, clock } = context;
  const proposals = await readProposals(forge, new Date(clock.now().getTime() - remembered).toISOString());
  for (const proposal of proposals) {
    const before = book.get('proposal', String(proposal.number))?.value;
    const kind = whatHappened(before, proposal);
    if (kind !== undefined) await tellOf(context, proposal, kind);
    await book.put('proposal', String(proposal.number), proposal, proposal.package);
  }
  return proposals;
}

async function tellOf(
  context: ConductorContext,
  proposal: Proposal,
  kind: NonNullable<ReturnType<typeof whatHappened>>,
): Promise<void> {
  const did = {
    proposed: 'is proposed',
    'proposal-updated': 'changed',
    'proposal-merged': 'is merged',
    'proposal-closed': 'is closed',
  };
  await context.book.tell({
    id: `${kind}/${proposal.number}/${proposal.head}`,
    kind,
    package: proposal.package,
    text: `${proposal.title} ${did[kind]}: ${proposal.url}`,
    facts: {
      number: proposal.number,
      version: proposal.version,
      url: proposal.url,
      ...sourceOfDecision(context, proposal),
    },
  });
}

/** The source whose release it is about, so that the time from one to the other can be told. */
function sourceOfDecision({ book }: ConductorContext, proposal: Proposal): { source?: string } {
  const source = book.get('decision', proposal.package)?.value.to?.source;
  return source === undefined ? {} : { source };
}

function whatHappened(before: Proposal | undefined, now: Proposal) {
  if (before === undefined && now.state === 'open') return 'proposed';
  if (before?.state === now.state) return before.head === now.head ? undefined : 'proposal-updated';
  if (now.state === 'merged') return 'proposal-merged';
  return now.state === 'closed' ? 'proposal-closed' : 'proposed';
}
