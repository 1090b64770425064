import { type DecideInput, decide } from '../../decide/decide.ts';
import { describeMove } from '../../decide/moved-tag.ts';
import type { Past } from '../../decide/past-updates.ts';
import type { AdvisoryIndex } from '../../decide/vulnerability.ts';
import { RegrowError } from '../../errors.ts';
import type { Decision } from '../../model/decision.ts';
import { chooseSource } from '../../watch/choice.ts';
import type { ConductorContext } from './context.ts';
import { findingsAt } from './finding.ts';
import { forgetPast, nothingNewOf, pastsOf, pastText, withoutUnseenMerges } from './past.ts';
import { movedProblem } from './problems.ts';
import { type RecipeFile, recipeProblem } from './recipes.ts';
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

  async function decideOne(file: RecipeFile, world: World, past: Past, advisories: AdvisoryIndex): Promise<Decision> {
    const { recipe } = file;
    const { name, version } = recipe.package;
    const source = chooseSource(recipe);
    const observation = source === undefined ? undefined : book.get('observation', `release/${source.key}`)?.value;
    const failure = source === undefined ? undefined : book.get('observation', `failure/${source.key}`)?.value;
    const nothingNew = nothingNewOf(book, file);
    const from = [file, observation, failure, pastText(past), nothingNew?.at, advisories];
    const now = clock.now();
    const known = made.get(name);
    // What waits for a time is looked at again each round; so is everything once in a while.
    const isFresh = known?.decision.until === undefined && now.getTime() - (known?.at ?? 0) < reviewAfter;
    if (known !== undefined && isFresh && known.from.every((one, i) => one === from[i])) return known.decision;
    const input: DecideInput = {
      recipe,
      source,
      observation: observation?.kind === 'release' ? observation : undefined,
      failure: failure?.kind === 'failure' ? failure : undefined,
      findings: findingsAt(recipe, version, advisories),
      advisories,
      ...past,
      policy: settings.policy,
      nothingNew,
      now,
    };
    const first = decide(input);
    // Who went back is looked up where somebody did.
    const decision =
      first.reason === 'loop'
        ? decide({ ...input, lastChange: await context.repository.lastChange(world.tree.commit, file.path) })
        : first;
    made.set(name, { from, at: now.getTime(), decision });
    return decision;
  }

  return async (world, advisories) => {
    const pastOf = pastsOf(book, world);
    const decisions: Decision[] = [];
    for (const [name, file] of world.tree.recipes) {
      try {
        const before = made.get(name)?.decision;
        const decision = await decideOne(
          file,
          world,
          withoutUnseenMerges(pastOf(name), world, clock.now()),
          advisories,
        );
        decisions.push(decision);
        if (decision.movedTag !== undefined) {
          const { movedTag, from } = decision;
          const message = `${from.version}: ${describeMove(movedTag)}`;
          world.problems.set(`source/${name}`, movedProblem({ area: 'source', name, message, file: file.path }));
        }
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
    await forgetPast(book, name);
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
