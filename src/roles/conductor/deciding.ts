import { decide } from '../../decide/decide.ts';
import type { PastUpdate } from '../../decide/past-updates.ts';
import type { AdvisoryIndex } from '../../decide/vulnerability.ts';
import { RegrowError } from '../../errors.ts';
import type { Decision } from '../../model/decision.ts';
import type { Proposal } from '../../model/proposal.ts';
import { chooseSource } from '../../watch/choice.ts';
import type { ConductorContext } from './context.ts';
import { findingsAt } from './finding.ts';
import { recipeProblem } from './recipes.ts';
import type { World } from './world.ts';

/** Milliseconds after which a decision is made anew even when nothing that it stands on changed. */
const reviewAfter = 3600_000;

/** What a decision was made from: the same things again give the same decision. */
interface Made {
  readonly from: readonly unknown[];
  readonly at: number;
  readonly decision: Decision;
}

export type Decide = (world: World, advisories: AdvisoryIndex) => Promise<readonly Decision[]>;

/**
 * Decides about every package and writes down what changed. A package that nothing changed for is not decided about again: a
 * distribution has thousands, and a round comes with every build. A recipe with a bad pattern is a problem of that recipe alone.
 */
export function createDecider(context: ConductorContext): Decide {
  const { book, settings, clock } = context;
  const made = new Map<string, Made>();

  function decideOne(
    name: string,
    world: World,
    { proposals, history }: Past,
    advisories: AdvisoryIndex,
  ): Decision | undefined {
    const file = world.tree.recipes.get(name);
    if (file === undefined) return undefined;
    const { recipe } = file;
    const source = chooseSource(recipe);
    const observation = source === undefined ? undefined : book.get('observation', `release/${source.key}`)?.value;
    const failure = source === undefined ? undefined : book.get('observation', `failure/${source.key}`)?.value;
    const ends = proposals
      .map(({ number, state, version, closedAt }) => `${number} ${state} ${version} ${closedAt}`)
      .join();
    const before = history.map(({ version, at }) => `${version} ${at}`).join();
    const from = [file, observation, failure, ends, before, advisories];
    const now = clock.now();
    const known = made.get(name);
    // What waits for a time is looked at again each round; so is everything once in a while.
    const isFresh = known?.decision.until === undefined && now.getTime() - (known?.at ?? 0) < reviewAfter;
    if (known !== undefined && isFresh && known.from.every((one, i) => one === from[i])) return known.decision;
    const decision = decide({
      recipe,
      source,
      observation: observation?.kind === 'release' ? observation : undefined,
      failure: failure?.kind === 'failure' ? failure : undefined,
      findings: findingsAt(recipe, recipe.package.version, advisories),
      advisories,
      proposals,
      policy: settings.policy,
      history,
      now,
    });
    made.set(name, { from, at: now.getTime(), decision });
    return decision;
  }

  return async (world, advisories) => {
    const pasts = pastOf(context, world);
    const decisions: Decision[] = [];
    for (const [name, file] of world.tree.recipes) {
      try {
        const before = made.get(name)?.decision;
        const decision = decideOne(name, world, pasts.get(name) ?? noPast, advisories);
        if (decision === undefined) continue;
        decisions.push(decision);
        if (decision === before) continue;
        const known = book.get('decision', name)?.value;
        await tell(context, decision, known);
        await book.put('decision', name, decision, name);
      } catch (thrown) {
        if (!(thrown instanceof RegrowError)) throw thrown;
        world.problems.set(`recipe/${name}`, { ...recipeProblem(file.path, thrown), name });
      }
    }
    await forgetGone(context, world, made);
    return decisions;
  };
}

/** What was proposed for one package before. */
interface Past {
  readonly proposals: Proposal[];
  readonly history: PastUpdate[];
}

const noPast: Past = { proposals: [], history: [] };

/**
 * The forge tells of those that are open or ended lately. The ledger knows the older ones: what a person closed holds its
 * version for as long as there is no other.
 */
function pastOf({ book }: ConductorContext, world: World): ReadonlyMap<string, Past> {
  const pasts = new Map<string, Past>();
  const of = (name: string): Past => {
    const past = pasts.get(name) ?? { proposals: [], history: [] };
    pasts.set(name, past);
    return past;
  };
  const listed = new Set<number>();
  for (const proposal of world.proposals) {
    listed.add(proposal.number);
    of(proposal.package).proposals.push(proposal);
  }
  for (const { value: proposal } of book.all('proposal')) {
    // One that was open when it was last seen has ended since, nobody saw how.
    if (listed.has(proposal.number) || proposal.state === 'open') continue;
    const { proposals, history } = of(proposal.package);
    if (proposal.closedBy !== undefined) proposals.push(proposal);
    else history.push({ version: proposal.version, at: proposal.closedAt ?? proposal.openedAt });
  }
  return pasts;
}

/** Decisions about packages that git no longer has. One whose recipe cannot be read just now keeps its own. */
async function forgetGone({ book }: ConductorContext, world: World, made: Map<string, Made>): Promise<void> {
  const gone = [...book.all('decision')].map(({ key }) => key);
  for (const name of gone) {
    if (world.tree.recipes.has(name) || world.tree.problems.has(name)) continue;
    made.delete(name);
    await book.remove('decision', name);
  }
}

/** What people want to hear: updates, and updates that wait. That a package is up to date is no news. */
async function tell(context: ConductorContext, decision: Decision, before: Decision | undefined): Promise<void> {
  const { package: name, action, to, because, reason } = decision;
  if (to === undefined || (action !== 'bump' && action !== 'hold')) return;
  if (before?.action === action && before.reason === reason && before.to?.version === to.version) return;
  await context.book.tell({
    id: `decided/${name}/${to.version}/${reason}`,
    kind: reason === 'loop' ? 'loop-stopped' : 'decided',
    package: name,
    text: action === 'bump' ? `${name}: ${because}` : `${name} ${to.version} waits: ${because}`,
    facts: { reason, from: decision.from.version, to: to.version },
  });
}
