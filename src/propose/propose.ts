import { RegrowError } from '../errors.ts';
import type { Decision, Evidence } from '../model/decision.ts';
import type { Change, Proposal } from '../model/proposal.ts';
import type { Forge, ForgeBranch, ForgeProposal } from '../ports/forge.ts';
import { type BodyData, buildsIn, parseBody, printBody } from './body.ts';
import { branchOf } from './branch.ts';
import { baseOf, contentOf, type EditedFile, holds, messageOf, refuseWhenNotOurs } from './commit.ts';
import { labelsOf } from './labels.ts';
import { toProposal } from './proposals.ts';
import { titleOf } from './title.ts';

/** An update that is ready to be shown: recipes edited on top of a commit of main. */
export interface Update {
  readonly package: string;
  /** Full version with epoch, `1.8.2-r0`. */
  readonly version: string;
  /** The commit of main whose recipes were edited. */
  readonly base: string;
  readonly files: readonly EditedFile[];
  readonly changes: readonly Change[];
  readonly because: string;
  readonly urgency: Decision['urgency'];
  readonly fixes: readonly string[];
  readonly evidence: readonly Evidence[];
  /** What came of the recipe's dependency pins, a sentence each. */
  readonly pins?: readonly string[];
  /** Page of the release, and of the difference to the version before. */
  readonly release?: string;
  readonly compare?: string;
  /**
   * That the branch has to stand on `base`, also where it shows the same on an older commit of main: what main changed since
   * would not merge. Recipes that extended the proposal are left behind, to be added again from main's newer ones.
   */
  readonly afresh?: boolean;
}

export interface ProposePorts {
  readonly forge: Forge;
  /** Whether the commit of main that an update is made on has this commit in it. */
  readonly isMerged?: (commit: string) => Promise<boolean>;
}

/**
 * Brings the forge to where the update is shown: the fixed branch of the package has a commit with these files, and one open
 * pull request says so. Finds what is there, makes what is missing, changes what differs; run twice, or stopped anywhere and
 * run again, the result is the same. Throws forge.conflict when the branch has a commit of someone else.
 */
export async function propose({ forge, isMerged }: ProposePorts, update: Update): Promise<Proposal> {
  const branch = branchOf(update.package);
  const content = contentOf(update.files);
  const tip = await forge.branch(branch);
  const open = await forge.find(branch);
  // Someone's commit that main has by now is not lost when the branch goes on: the branch was left behind by a merge.
  if (tip !== undefined && !(await isMerged?.(tip.commit))) refuseWhenNotOurs(branch, tip);
  const known = open === undefined ? undefined : parseBody(open.body);
  if (open !== undefined && known !== undefined && isShown(known, update, content, tip)) {
    return show(forge, branch, { open, data: known, labels: labelsOf(update), builds: buildsIn(open.body) });
  }
  // Stopped between the commit and the pull request, an earlier run has left the commit.
  const left = tip !== undefined && holds(tip, content) ? tip : undefined;
  const isLeft = left !== undefined && (update.afresh !== true || baseOf(left) === update.base);
  const base = isLeft ? (baseOf(left) ?? update.base) : update.base;
  const data = bodyOf({ ...update, base }, content);
  // What cannot be shown must not be pushed.
  printBody(data);
  const head = isLeft
    ? left.commit
    : await forge.write({
        branch,
        parent: base,
        expectedHead: tip?.commit,
        message: messageOf(titleOf(update.package, update.version), changesText(update.changes), content, base),
        files: update.files,
      });
  return show(forge, branch, { open, data, labels: labelsOf(update), head });
}

/** Whether the pull request and the branch already are what the update asks for, with or without dependents added since. */
function isShown(known: BodyData, update: Update, content: string, tip: ForgeBranch | undefined): boolean {
  const last = known.contents.at(-1);
  return (
    known.version === update.version &&
    known.contents[0] === content &&
    (update.afresh !== true || known.base === update.base) &&
    last !== undefined &&
    tip !== undefined &&
    holds(tip, last)
  );
}

function bodyOf(update: Update, content: string): BodyData {
  return {
    schema: 2,
    package: update.package,
    version: update.version,
    base: update.base,
    contents: [content],
    because: update.because,
    urgency: update.urgency,
    fixes: [...update.fixes],
    evidence: [...update.evidence],
    ...(update.pins === undefined || update.pins.length === 0 ? {} : { pins: [...update.pins] }),
    ...(update.release === undefined ? {} : { release: update.release }),
    ...(update.compare === undefined ? {} : { compare: update.compare }),
    changes: [...update.changes],
  };
}

interface Shown {
  readonly open: ForgeProposal | undefined;
  readonly data: BodyData;
  readonly labels: readonly string[];
  /** What the section of builds says; nothing where the builds are of another commit. */
  readonly builds?: string;
  /** Of the branch, where it was moved. */
  readonly head?: string;
}

/** Opens the pull request, or makes the open one say what `data` says. Changes nothing that is right already. */
export async function show(
  forge: Forge,
  branch: string,
  { open, data, labels, builds, head }: Shown,
): Promise<Proposal> {
  const title = titleOf(data.package, data.version);
  const body = printBody(data, builds);
  const shown = open ?? (await forge.open(branch, { title, body, labels }));
  const missing = labels.filter((label) => !shown.labels.includes(label));
  const change = {
    ...(shown.title === title ? {} : { title }),
    ...(sameText(shown.body, body) ? {} : { body }),
    ...(missing.length === 0 ? {} : { labels }),
  };
  if (Object.keys(change).length > 0) await forge.update(shown.number, change);
  const proposal = toProposal(
    { ...shown, title, body, labels: [...shown.labels, ...missing], head: head ?? shown.head },
    data,
  );
  if (proposal === undefined) throw new RegrowError('internal', `${branch} does not read back as a proposal`);
  return proposal;
}

/** Forges change line ends and the end of a text. */
function sameText(a: string, b: string): boolean {
  const normal = (text: string): string => text.replaceAll('\r\n', '\n').trimEnd();
  return normal(a) === normal(b);
}

/** Why it is made stands in the pull request: the commit is the same whether the release or its advisory was seen first. */
function changesText(changes: Update['changes']): string {
  return changes.map((change) => `${change.package}: ${change.from} to ${change.to}`).join('\n');
}
