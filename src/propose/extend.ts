import { RegrowError } from '../errors.ts';
import type { Change, Proposal } from '../model/proposal.ts';
import { buildsIn, parseBody, printBody } from './body.ts';
import { contentOf, type EditedFile, holds, messageOf, refuseWhenNotOurs } from './commit.ts';
import { type ProposePorts, show } from './propose.ts';

export interface Extension {
  /** Recipes as they are to be on the branch. */
  readonly files: readonly EditedFile[];
  readonly changes: readonly Change[];
  /** Why they have to follow, one sentence. */
  readonly because: string;
}

/**
 * Adds recipes to an open proposal: the dependents of a library whose soname changed, with raised epochs. The same extension
 * again is nothing. Throws forge.conflict when the branch is not where `proposal` says, or has a commit of someone else;
 * forge.refused, before anything is pushed, when they are more than a pull request can name.
 */
export async function extendProposal(
  { forge }: ProposePorts,
  proposal: Proposal,
  extension: Extension,
): Promise<Proposal> {
  const { branch, number } = proposal;
  const content = contentOf(extension.files);
  const tip = await forge.branch(branch);
  const open = await forge.find(branch);
  const known = open === undefined ? undefined : parseBody(open.body);
  if (tip === undefined || open === undefined || open.number !== number || known === undefined) {
    throw new RegrowError('forge.conflict', `${branch} is no longer proposal ${number} of regrow`, {
      retry: 'later',
      package: proposal.package,
      remedy: 'nothing to do: the forge is read again',
    });
  }
  refuseWhenNotOurs(branch, tip);
  if (known.contents.includes(content)) {
    return show(forge, branch, { open, data: known, labels: [], builds: buildsIn(open.body) });
  }
  if (!holds(tip, content) && tip.commit !== proposal.head) {
    throw new RegrowError('forge.conflict', `${branch} moved from ${proposal.head} to ${tip.commit} meanwhile`, {
      retry: 'later',
      package: proposal.package,
      remedy: 'nothing to do: it is planned again from what is there',
    });
  }
  const added = new Set(extension.changes.map((change) => change.package));
  const changes = [...known.changes.filter((change) => !added.has(change.package)), ...extension.changes];
  const data = { ...known, contents: [...known.contents, content], changes };
  printBody(data);
  const title = `${proposal.package}: rebuild ${extension.changes.map((change) => change.package).join(', ')}`;
  const head = holds(tip, content)
    ? tip.commit
    : await forge.write({
        branch,
        parent: tip.commit,
        expectedHead: tip.commit,
        message: messageOf(title.length > 72 ? `${title.slice(0, 71)}…` : title, `${extension.because}.`, content),
        files: extension.files,
      });
  return show(forge, branch, { open, data, labels: [], head });
}
