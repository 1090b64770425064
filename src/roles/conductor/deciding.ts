import { decide } from '../../decide/decide.ts';
import type { AdvisoryIndex } from '../../decide/vulnerability.ts';
import { RegrowError } from '../../errors.ts';
import type { Decision } from '../../model/decision.ts';
import type { Proposal } from '../../model/proposal.ts';
import { sourceOf } from '../../watch/registry.ts';
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
    proposals: readonly Proposal[],
    advisories: AdvisoryIndex,
  ): Decision | undefined {
    const file = world.tree.recipes.get(name);
    if (file === undefined) return undefined;
    const { recipe } = file;
    const source = sourceOf(recipe);
    const observation = source === undefined ? undefined : book.get('observation', `release/${source}`)?.value;
    const failure = source === undefined ? undefined : book.get('observation', `failure/${source}`)?.value;
    const ends = proposals
      .map(({ number, state, version, closedAt }) => `${number} ${state} ${version} ${closedAt}`)
      .join();
    const from = [file, observation, failure, ends, advisories];
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
      history: [],
      now,
    });
    made.set(name, { from, at: now.getTime(), decision });
    return decision;
  }

  return async (world, advisories) => {
    const proposals = new Map<string, Proposal[]>();
    for (const proposal of world.proposals) {
      const others = proposals.get(proposal.package);
      if (others === undefined) proposals.set(proposal.package, [proposal]);
      else others.push(proposal);
    }
    const decisions: Decision[] = [];
    for (const [name, file] of world.tree.recipes) {
      try {
        const before = made.get(name)?.decision;
        const decision = decideOne(name, world, proposals.get(name) ?? [], advisories);
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
