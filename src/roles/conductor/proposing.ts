import { pinsNothingNew } from '../../decide/new-pins.ts';
import { closedByHand, madeBefore } from '../../decide/past-updates.ts';
import type { AdvisoryIndex } from '../../decide/vulnerability.ts';
import { type RegrowError, reportError, toRegrowError } from '../../errors.ts';
import { compareApkVersions, withoutEpoch } from '../../model/apk-version.ts';
import type { Decision } from '../../model/decision.ts';
import type { Problem } from '../../model/plan.ts';
import type { Change, Proposal } from '../../model/proposal.ts';
import { parseRecipe } from '../../model/recipe/recipe.ts';
import type { VerifyRequest } from '../../model/request.ts';
import { linksOf } from '../../propose/links.ts';
import { propose } from '../../propose/propose.ts';
import type { Book } from './book.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { findingsAt } from './finding.ts';
import { refuseMoved } from './moved-sources.ts';
import { pastsOf, releaseOf, rememberNothingNew } from './past.ts';
import { type PinnedVersion, pinVersion } from './pinning.ts';
import { packageProblem } from './problems.ts';
import type { RecipeFile } from './recipes.ts';
import type { World } from './world.ts';

/** How long a refusal by someone else rests before the same is asked again, milliseconds. */
const refusedRest = 60 * 60_000;

/** Asks for a proposal of every bump that has none open yet. */
export async function startProposals(
  context: ConductorContext,
  world: World,
  decisions: readonly Decision[],
): Promise<void> {
  // One whose text was taken away counts as none: proposing the same again writes the text again.
  const shown = world.proposals.filter(({ state, changes }) => state === 'open' && changes.length > 0);
  const open = new Set(shown.map(({ package: name, version }) => `${name} ${version}`));
  const wanted = new Set<string>();
  for (const { package: name, action, to, urgency } of decisions) {
    if (action !== 'bump' || to === undefined) continue;
    const version = `${to.version}-r${to.epoch}`;
    if (open.has(`${name} ${version}`)) continue;
    wanted.add(proposeProblem(name));
    if (isResting(context, name, refusalOf(version, world.tree.recipes.get(name)))) continue;
    const effect = `propose-${name}-${version}`;
    try {
      await ensureJob(context, 'propose', effect, (attempt) => ({ package: name, version, attempt }), urgency);
    } catch (thrown) {
      // What is wrong with one package keeps no other from being proposed.
      world.problems.set(...packageProblem(name, thrown));
    }
  }
  const gone = [...context.book.all('problem')].filter(
    ({ key, value }) => value.area === 'propose' && !wanted.has(key),
  );
  for (const { key } of gone) await context.book.remove('problem', key);
}

/** Ledger key of why a package's update cannot be proposed. */
function proposeProblem(name: string): string {
  return `propose/${name}`;
}

/** What was refused: another version, and the same one on another recipe, is another thing. */
function refusalOf(version: string, file: RecipeFile | undefined): string {
  return `${version} ${file?.blob ?? ''}`;
}

/** Whether this very thing was refused, and asking again now would give the same answer. */
function isResting({ book, clock }: ConductorContext, name: string, refusal: string): boolean {
  const row = book.get('cursor', `refused/${name}`);
  const problem = book.get('problem', proposeProblem(name))?.value;
  if (row === undefined || problem === undefined || row.value.cursor !== refusal) return false;
  // What is wrong with the recipe changes with the recipe alone; what others refuse may be there after a while.
  return problem.code.startsWith('recipe.') || clock.now().getTime() - Date.parse(row.at) < refusedRest;
}

/** One update that is to be proposed. */
interface Wanted {
  readonly name: string;
  /** Full version with epoch. */
  readonly version: string;
  readonly signal: AbortSignal;
}

/**
 * Makes the proposal of one bump, when it is still what was decided: looks every source up, edits the recipe by position, and
 * shows it on the forge. One that would pin nothing new is remembered instead. Says whether there is something new to look at.
 */
export async function makeProposal(context: ConductorContext, world: World, wanted: Wanted): Promise<boolean> {
  const { book, clock } = context;
  const { name, version } = wanted;
  const file = world.tree.recipes.get(name);
  if (file === undefined) return false;
  // It may have ended since it was decided: the next round says so.
  if (hasEnded(book, world, name, withoutEpoch(version))) return true;
  try {
    const update = await prepareUpdate(context, world, wanted);
    if (update === undefined) return false;
    const { hashes, changed, lookedUp } = update.pinned;
    const { version: bare, commit } = update.decision.to;
    const isWanted = releaseOf(book, name)?.version === bare;
    if (!isWanted && pinsNothingNew({ pinned: hashes.length, changed: changed.length })) {
      await rememberNothingNew(book, file, { version: bare, commit, lookedUp, at: clock.now().toISOString() });
    } else {
      await showUpdate(context, world, update);
    }
    await book.remove('problem', proposeProblem(name));
    return true;
  } catch (thrown) {
    const error = toRegrowError(thrown);
    if (error.code === 'aborted' || error.code === 'queue.unreachable') throw error;
    await recordRefusal(context, file, version, error);
    // What time heals is tried again soon, by the queue; someone's commit on the branch goes away without our doing.
    if (error.retry !== 'never') throw error;
    if (error.code !== 'forge.conflict') {
      await book.remove('cursor', `refused/${name}`);
      await book.put('cursor', `refused/${name}`, { cursor: refusalOf(version, file) });
    }
    return false;
  }
}

function hasEnded(book: Book, world: World, name: string, version: string): boolean {
  const past = pastsOf(book, world)(name);
  return closedByHand(version, past) !== undefined || madeBefore(version, past) !== undefined;
}

/**
 * Makes an open proposal again on what main has now, without the recipes that extended it. Undefined where the update is no
 * longer what was decided. Throws what keeps it from being made: source.moved where a source is another one than the proposal
 * pinned, and nobody released it.
 */
export async function remakeProposal(
  context: ConductorContext,
  world: World,
  proposal: Proposal,
  signal: AbortSignal,
): Promise<Proposal | undefined> {
  const { package: name, version } = proposal;
  const update = await prepareUpdate(context, world, { name, version, signal });
  if (update === undefined) return undefined;
  await refuseMoved(context, world, proposal, parseRecipe(update.file.path, update.pinned.text).recipe);
  return showUpdate(context, world, update, true);
}

/** An update that is still what was decided, with everything that it pins looked up. */
interface Prepared {
  readonly decision: Decision & { readonly to: NonNullable<Decision['to']> };
  readonly file: RecipeFile;
  readonly pinned: PinnedVersion;
}

/** Undefined where it is not what was decided, or no longer is once its sources are looked up, which may take minutes. */
async function prepareUpdate(
  context: ConductorContext,
  world: World,
  { name, version, signal }: Wanted,
): Promise<Prepared | undefined> {
  const decision = decisionFor(context.book, name, version);
  const file = world.tree.recipes.get(name);
  if (decision === undefined || file === undefined) return undefined;
  const { from, to } = decision;
  // Main went on since: it is decided anew.
  if (file.recipe.package.version !== from.version || file.recipe.package.epoch !== from.epoch) return undefined;
  const pinned = await pinVersion(context, file, to.version, signal);
  return decisionFor(context.book, name, version) === undefined ? undefined : { decision, file, pinned };
}

/** The decision to go to just this version, with epoch. */
function decisionFor(book: Book, name: string, version: string): Prepared['decision'] | undefined {
  const decision = book.get('decision', name)?.value;
  const to = decision?.action === 'bump' ? decision.to : undefined;
  if (decision === undefined || to === undefined || `${to.version}-r${to.epoch}` !== version) return undefined;
  return { ...decision, to };
}

function showUpdate(
  { forge, repository }: ConductorContext,
  world: World,
  { decision, file, pinned }: Prepared,
  afresh = false,
): Promise<Proposal> {
  const { to } = decision;
  const version = `${to.version}-r${to.epoch}`;
  const change: Change = {
    package: decision.package,
    path: file.path,
    from: `${decision.from.version}-r${decision.from.epoch}`,
    to: version,
    why: decision.because,
  };
  return propose(
    { forge, isMerged: (commit) => repository.contains(world.tree.commit, commit) },
    {
      package: decision.package,
      version,
      base: world.tree.commit,
      files: [{ path: file.path, text: pinned.text }],
      changes: [change],
      because: decision.because,
      urgency: decision.urgency,
      fixes: decision.fixes,
      evidence: decision.evidence,
      pins: pinned.pins,
      afresh,
      ...linksOf(decision),
    },
  );
}

async function recordRefusal(
  { book }: ConductorContext,
  file: RecipeFile,
  version: string,
  error: RegrowError,
): Promise<void> {
  const { name } = file.recipe.package;
  const { code, message, remedy } = reportError(error);
  const problem: Problem = {
    area: 'propose',
    name,
    code,
    message: `${version} cannot be proposed: ${message}`,
    file: file.path,
    ...(remedy === undefined ? {} : { remedy }),
  };
  if (!(await book.put('problem', proposeProblem(name), problem, name))) return;
  await book.tell({
    id: `problem/propose/${name}/${version}/${code}`,
    kind: 'problem',
    package: name,
    text: `${name} ${version} cannot be proposed: ${message}`,
    facts: { code, version },
  });
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
    if (published !== undefined) before.push(...findingsAt(recipe, withoutEpoch(published), index));
    after.push(...findingsAt(recipe, withoutEpoch(next), index));
  }
  return { before, after };
}
