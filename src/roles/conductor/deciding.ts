import { setImmediate } from 'node:timers/promises';
import { decide } from '../../decide/decide.ts';
import type { DecideInput } from '../../decide/input.ts';
import { describeMove } from '../../decide/moved-tag.ts';
import type { Past, RecipeChange } from '../../decide/past-updates.ts';
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
/** Decisions that are made before others have a turn: thousands take seconds, and a lease must be renewed meanwhile. */
const batch = 50;

/** What a decision was made from: the same things again give the same decision. */
interface Made {
  readonly from: readonly unknown[];
  readonly at: number;
  readonly decision: Decision;
  /** Of the recipe in `from`, where it was looked up: git reads all of a history for it. */
  readonly lastChange?: RecipeChange | undefined;
}

export type Decide = (world: World, advisories: AdvisoryIndex) => Promise<readonly Decision[]>;

/**
 * Decides about every package and writes down what changed. A package that nothing changed for is not decided about again: a
 * distribution has thousands, and a round comes with every build. A recipe with a bad pattern is a problem of that recipe alone.
 */
export function createDecider(context: ConductorContext): Decide {
  const { book, settings, clock } = context;
  const made = new Map<string, Made>();

  async function decideOne(file: RecipeFile, world: World, past: Past, advisories: AdvisoryIndex): Promise<Made> {
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
    if (known !== undefined && isFresh && known.from.every((one, i) => one === from[i])) return known;
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
    const when = { from, at: now.getTime() };
    if (first.reason !== 'loop') return { ...when, decision: first };
    // Who went back is looked up where somebody did.
    const lastChange =
      (known?.from[0] === file ? known.lastChange : undefined) ??
      (await context.repository.lastChange(world.tree.commit, file.path));
    return { ...when, decision: decide({ ...input, lastChange }), lastChange };
  }

  /** Undefined where the recipe keeps it from being decided, which becomes a problem of it alone. */
  async function tryOne(file: RecipeFile, world: World, past: Past, advisories: AdvisoryIndex) {
    try {
      return await decideOne(file, world, withoutUnseenMerges(past, world, clock.now()), advisories);
    } catch (thrown) {
      if (!(thrown instanceof RegrowError)) throw thrown;
      const { name } = file.recipe.package;
      world.problems.set(`recipe/${name}`, { ...recipeProblem(file.path, thrown), name });
      return undefined;
    }
  }

  return async (world, advisories) => {
    const pastOf = pastsOf(book, world);
    const decisions: Decision[] = [];
    let anew = 0;
    for (const [name, file] of world.tree.recipes) {
      const one = await tryOne(file, world, pastOf(name), advisories);
      if (one === undefined) continue;
      const { decision } = one;
      decisions.push(decision);
      if (decision.movedTag !== undefined) {
        const { movedTag, from } = decision;
        const message = `${from.version}: ${describeMove(movedTag)}`;
        world.problems.set(`source/${name}`, movedProblem({ area: 'source', name, message, file: file.path }));
      }
      if (one === made.get(name)) continue;
      await tell(context, decision, book.get('decision', name)?.value);
      await book.put('decision', name, decision, name);
      // Known once it is written down: where the disk is full, the next round writes it.
      made.set(name, one);
      anew += 1;
      if (anew % batch === 0) await setImmediate();
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
