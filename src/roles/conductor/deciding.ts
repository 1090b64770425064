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

/** Decides about every package and writes down what changed. A recipe with a bad pattern is a problem of that recipe alone. */
export async function decideAll(
  context: ConductorContext,
  world: World,
  advisories: AdvisoryIndex,
): Promise<readonly Decision[]> {
  const { book, settings, clock } = context;
  const proposals = new Map<string, Proposal[]>();
  for (const proposal of world.proposals) {
    proposals.set(proposal.package, [...(proposals.get(proposal.package) ?? []), proposal]);
  }
  const decisions: Decision[] = [];
  for (const [name, file] of world.tree.recipes) {
    const source = sourceOf(file.recipe);
    const observation = source === undefined ? undefined : book.get('observation', `release/${source}`)?.value;
    const failure = source === undefined ? undefined : book.get('observation', `failure/${source}`)?.value;
    try {
      const decision = decide({
        recipe: file.recipe,
        source,
        observation: observation?.kind === 'release' ? observation : undefined,
        failure: failure?.kind === 'failure' ? failure : undefined,
        findings: findingsAt(file.recipe, file.recipe.package.version, advisories),
        advisories,
        proposals: proposals.get(name) ?? [],
        policy: settings.policy,
        history: [],
        now: clock.now(),
      });
      decisions.push(decision);
      const known = book.get('decision', name)?.value;
      await book.put('decision', name, decision, name);
      if (decision.action !== known?.action || decision.to?.version !== known?.to?.version)
        await tell(context, decision, known);
    } catch (thrown) {
      if (!(thrown instanceof RegrowError)) throw thrown;
      world.problems.set(`recipe/${name}`, { ...recipeProblem(file.path, thrown), name });
    }
  }
  const names = new Set(decisions.map((decision) => decision.package));
  await book.replace(
    'decision',
    new Map(decisions.map((decision) => [decision.package, { value: decision, about: decision.package }])),
    (key) => !names.has(key) && !world.tree.problems.has(key),
  );
  return decisions;
}

/** What people want to hear: updates, and updates that wait. That a package is up to date is no news. */
async function tell(context: ConductorContext, decision: Decision, before: Decision | undefined): Promise<void> {
  const { package: name, action, to, because, reason } = decision;
  if (to === undefined || (action !== 'bump' && action !== 'hold')) return;
  if (before?.reason === reason && before.to?.version === to.version) return;
  await context.book.tell({
    id: `decided/${name}/${to.version}/${reason}`,
    kind: reason === 'loop' ? 'loop-stopped' : 'decided',
    package: name,
    text: action === 'bump' ? `${name}: ${because}` : `${name} ${to.version} waits: ${because}`,
    facts: { reason, from: decision.from.version, to: to.version },
  });
}
