import type { AdvisoryIndex } from '../../decide/vulnerability.ts';
import { RegrowError, reportError } from '../../errors.ts';
import { compareApkVersions } from '../../model/apk-version.ts';
import type { Decision } from '../../model/decision.ts';
import type { Problem } from '../../model/plan.ts';
import type { Change, Proposal } from '../../model/proposal.ts';
import type { VerifyRequest } from '../../model/request.ts';
import { linksOf } from '../../propose/links.ts';
import { readProposals } from '../../propose/proposals.ts';
import { propose } from '../../propose/propose.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { findingsAt } from './finding.ts';
import { pinVersion } from './pinning.ts';
import type { World } from './world.ts';

/** How long a proposal that ended is still looked at, milliseconds: what a person closed holds its version. */
const remembered = 90 * 24 * 3600 * 1000;

/** Reads the proposals from the forge, and tells what became of them since they were last read. */
export async function readForge(context: ConductorContext): Promise<readonly Proposal[]> {
  const { book, forge, clock } = context;
  const proposals = await readProposals(forge, new Date(clock.now().getTime() - remembered).toISOString());
  for (const proposal of proposals) {
    const before = book.get('proposal', String(proposal.number))?.value;
    await book.put('proposal', String(proposal.number), proposal, proposal.package);
    const kind = whatHappened(before, proposal);
    if (kind === undefined) continue;
    const did = {
      proposed: 'is proposed',
      'proposal-updated': 'changed',
      'proposal-merged': 'is merged',
      'proposal-closed': 'is closed',
    };
    await book.tell({
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
  return proposals;
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

/** Asks for a proposal of every bump that has none open yet. */
export async function startProposals(
  context: ConductorContext,
  world: World,
  decisions: readonly Decision[],
): Promise<void> {
  const open = new Set(
    world.proposals.filter(({ state }) => state === 'open').map(({ package: name, version }) => `${name} ${version}`),
  );
  for (const { package: name, action, to, urgency } of decisions) {
    if (action !== 'bump' || to === undefined) continue;
    const version = `${to.version}-r${to.epoch}`;
    if (open.has(`${name} ${version}`)) continue;
    const problem = context.book.get('problem', `propose/${name}`)?.value;
    // What failed for this very version and would fail again is not tried again; it stays a problem until something changes.
    if (problem !== undefined && isSettled(context, name, version)) {
      world.problems.set(`propose/${name}`, problem);
      continue;
    }
    const effect = `propose-${name}-${version}`;
    await ensureJob(context, 'propose', effect, (attempt) => ({ package: name, version, attempt }), urgency);
  }
}

function isSettled(context: ConductorContext, name: string, version: string): boolean {
  return context.book.get('cursor', `refused/${name}`)?.value.cursor === version;
}

/**
 * Makes the proposal of one bump, when it is still what was decided: looks every source up, edits the recipe by position, and
 * shows it on the forge. Says whether there is something new to look at.
 */
export async function makeProposal(
  context: ConductorContext,
  world: World,
  { name, version, signal }: { readonly name: string; readonly version: string; readonly signal: AbortSignal },
): Promise<boolean> {
  const { book, forge } = context;
  const decision = book.get('decision', name)?.value;
  const file = world.tree.recipes.get(name);
  if (decision?.action !== 'bump' || decision.to === undefined || file === undefined) return false;
  if (`${decision.to.version}-r${decision.to.epoch}` !== version) return false;
  try {
    const { text } = await pinVersion(context, file, decision.to.version, signal);
    const change: Change = {
      package: name,
      path: file.path,
      from: `${decision.from.version}-r${decision.from.epoch}`,
      to: version,
      why: decision.because,
    };
    await propose(
      { forge },
      {
        package: name,
        version,
        base: world.tree.commit,
        files: [{ path: file.path, text }],
        changes: [change],
        because: decision.because,
        urgency: decision.urgency,
        fixes: decision.fixes,
        evidence: decision.evidence,
        ...linksOf(decision),
      },
    );
    await book.remove('problem', `propose/${name}`);
    return true;
  } catch (thrown) {
    const { code, message, retry, remedy } = reportError(thrown);
    if (retry !== 'never') throw thrown;
    const problem: Problem = {
      area: 'propose',
      name,
      code,
      message,
      file: file.path,
      ...(remedy === undefined ? {} : { remedy }),
    };
    // Someone's commit on the branch goes away without our doing: that is looked at again.
    if (code !== 'forge.conflict') await book.put('cursor', `refused/${name}`, { cursor: version });
    await book.put('problem', `propose/${name}`, problem, name);
    await book.tell({
      id: `problem/propose/${name}/${version}/${code}`,
      kind: 'problem',
      package: name,
      text: `${name} ${version} cannot be proposed: ${message}`,
      facts: { code, version },
    });
    return false;
  }
}

/** Known vulnerabilities of packages as published, and as they would be at the versions given. */
export function proposalFindings(
  world: World,
  index: AdvisoryIndex,
  origins: readonly string[],
  versions: ReadonlyMap<string, string> = new Map(),
): VerifyRequest['findings'] {
  const before: VerifyRequest['findings']['before'] = [];
  const after: VerifyRequest['findings']['after'] = [];
  for (const origin of origins) {
    const recipe = world.tree.recipes.get(origin)?.recipe;
    if (recipe === undefined) continue;
    const published = [...world.published.values()]
      .flat()
      .filter(({ info }) => info.name === origin)
      .map(({ info }) => info.version)
      .toSorted(compareApkVersions)
      .at(-1);
    const next = versions.get(origin) ?? recipe.package.version;
    if (published !== undefined) before.push(...findingsAt(recipe, published.replace(/-r\d+$/, ''), index));
    after.push(...findingsAt(recipe, next.replace(/-r\d+$/, ''), index));
  }
  return { before, after };
}

/** What went wrong with one proposal, as a problem of it alone. What is not about it is thrown on. */
export function proposalProblem(proposal: Proposal, thrown: unknown): Problem {
  if (!(thrown instanceof RegrowError) || thrown.code === 'aborted') throw thrown;
  const { code, message, remedy } = reportError(thrown);
  return { area: 'forge', name: proposal.package, code, message, ...(remedy === undefined ? {} : { remedy }) };
}
