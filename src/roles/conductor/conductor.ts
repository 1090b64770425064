import type { JobPayload } from '../../jobs/catalogue.ts';
import type { AnyJobRequest } from '../../jobs/queues.ts';
import type { JobHandlers } from '../../jobs/worker.ts';
import { canonicalJson } from '../../model/canonical.ts';
import type { Problem } from '../../model/plan.ts';
import type { Proposal } from '../../model/proposal.ts';
import type { ImageRequest } from '../../model/request.ts';
import { createRepositoryView } from '../../report/repository.ts';
import { failureOf } from '../../watch/failure.ts';
import { parseResult } from '../effects.ts';
import { refuseAfter } from './book.ts';
import { planAll } from './building.ts';
import { followCollection, orderCollection } from './collecting.ts';
import type { ConductorContext } from './context.ts';
import { createDecider } from './deciding.ts';
import { createEditWatch } from './edited.ts';
import { createAdvisoryShelf, recordFindings } from './finding.ts';
import { followProposals } from './following.ts';
import { readForge } from './forge-reading.ts';
import { recordGenerations } from './generations.ts';
import { updateImages } from './imaging.ts';
import { recordVerdicts } from './judging.ts';
import { advisoryJob, recordFailure, recordObserved } from './observing.ts';
import { makeProposal, proposalFindings, startProposals } from './proposing.ts';
import { publishReady } from './publishing.ts';
import { createRecipeReader, type RecipeTree } from './recipes.ts';
import { recordRefusals } from './refusals.ts';
import { releaseVersion } from './releasing.ts';
import { followPackageSigning } from './signing.ts';
import { tidy } from './tidying.ts';
import { createWatching } from './watching.ts';
import { tellUndone } from './withdrawn.ts';
import { observeWorld, type World } from './world.ts';

export interface ConductorOptions {
  /** Keys that published packages are signed with, and that images trust. */
  readonly keys: () => Promise<ImageRequest['keys']>;
  /** Aborted when this is no longer the conductor: a round then ends before its next step. */
  readonly signal?: AbortSignal;
}

export interface Conductor {
  readonly handlers: JobHandlers;
  /** The jobs that ask the sources of the recipes on main that are due. `slot`: of the schedule. */
  watchJobs(slot: number): Promise<readonly AnyJobRequest[]>;
  /** The job that asks one advisory feed. */
  advisoryJobs(feed: string, slot: number): Promise<readonly AnyJobRequest[]>;
  /** Compares what should be with what is and enqueues the difference. Calls that come while one runs share the next. */
  reconcile(): Promise<void>;
  /** Resolves when nothing goes on that was asked for. */
  idle(): Promise<void>;
}

/** Ledger key of when a round last ended well: the api may run in another process. */
export const heartbeat = 'conductor/last-round';
/** What a forge that cannot be asked is called among the sources. */
const forgeSource = 'forge';
/** Rounds in a row before the next event or the timer goes on. */
const mostRounds = 20;

function eventKind({ area, code }: Problem) {
  if (code === 'source.moved') return 'tag-moved';
  return area === 'recipe' ? 'recipe-invalid' : 'problem';
}

/** What the forge said, and when (milliseconds since 1970). */
interface Asked {
  readonly proposals: readonly Proposal[];
  readonly at: number;
}

export function createConductor(context: ConductorContext, options: ConductorOptions): Conductor {
  const { book, objects, repository, clock, log } = context;
  const reader = createRecipeReader(context);
  const view = createRepositoryView(objects);
  const advisories = createAdvisoryShelf(context);
  const decideAll = createDecider(context);
  const findEdits = createEditWatch(context);
  const watching = createWatching(context);
  let asked: Asked | undefined;
  /** What goes on now. */
  const busy = new Set<Promise<unknown>>();
  let observing: Promise<unknown> = Promise.resolve();
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  /** One at a time: two would fetch into the same mirror. */
  function alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = observing.catch(() => undefined).then(work);
    observing = turn;
    return during(turn);
  }

  function observe(): Promise<World> {
    return alone(look);
  }

  function during<T>(work: Promise<T>): Promise<T> {
    busy.add(work);
    const leave = () => void busy.delete(work);
    work.then(leave, leave);
    return work;
  }

  /** Reads proposals and brings the mirror up to date, unless that was done a moment ago and nothing of ours came between. */
  async function askForge(): Promise<Asked> {
    const now = clock.now().getTime();
    if (asked !== undefined && now >= asked.at && now - asked.at < context.settings.forgeRest) return asked;
    asked = undefined;
    // The forge first: what it says of branches is then in the mirror.
    const proposals = await readForge(context).catch(async (thrown: unknown) => {
      // What main has is git's to say, and main goes on without the forge.
      await repository.refresh().catch((err: unknown) => log.debug({ err }, 'the mirror is not refreshed'));
      throw thrown;
    });
    await repository.refresh();
    await book.remove('observation', `failure/${forgeSource}`);
    asked = { proposals, at: now };
    return asked;
  }

  async function look(): Promise<World> {
    try {
      const { proposals } = await askForge();
      return await observeWorld(context, reader, view, { proposals, reachable: true });
    } catch (thrown) {
      const failure = failureOf(forgeSource, thrown, clock.now());
      if (!/^(forge|upstream)\./.test(failure.code)) throw thrown;
      // What main asked for when it was last seen is built and published meanwhile; proposals wait.
      log.warn({ err: thrown }, 'the forge cannot be asked');
      await recordFailure(context, failure);
      const proposals = [...book.all('proposal')].map(({ value }) => value);
      return observeWorld(context, reader, view, { proposals, reachable: false });
    }
  }

  /** Says whether git or the forge is no longer as it was observed. */
  async function round(): Promise<boolean> {
    // The book refuses writes once this is no longer the conductor; what goes elsewhere does not begin.
    const go = () => refuseAfter(options.signal);
    go();
    const world = await observe();
    const index = advisories();
    await recordGenerations(context, world);
    await recordFindings(context, world, index);
    go();
    const decisions = await decideAll(world, index);
    if (world.reachable) await startProposals(context, world, decisions);
    go();
    const plans = await planAll(context, world);
    const findingsOf = (origins: readonly string[]) => proposalFindings(world, index, origins);
    go();
    const moved = world.reachable && (await followProposals(context, world, plans, index));
    const main = plans.get('main');
    go();
    if (main !== undefined) await publishReady(context, world, main, findingsOf);
    go();
    await updateImages(context, world, { keys: await options.keys(), advisories: index, main });
    await followPackageSigning(context, world);
    await findEdits(world);
    await recordProblems(world);
    await tidy(context);
    await followCollection(context, plans);
    await book.put('cursor', heartbeat, { cursor: clock.now().toISOString() });
    return moved;
  }

  /** Rounds until one changes nothing of what it looked at; each merge or extension is one step, so they are few. */
  async function settle(): Promise<void> {
    for (let rounds = 0; rounds < mostRounds; rounds += 1) {
      if (!(await round())) return;
      asked = undefined;
    }
  }

  async function recordProblems(world: World): Promise<void> {
    const known = new Map([...book.all('problem')].map((entry) => [entry.key, canonicalJson(entry.value)]));
    const rows = [...world.problems].map(([key, value]) => [key, { value, about: value.name }] as const);
    // Problems of the forge are seen only while it can be asked; those of proposing an update are kept by who proposes.
    const isSeen = ({ area }: Problem) => area !== 'propose' && (world.reachable || area !== 'forge');
    for (const [key, problem] of world.problems) {
      if (known.get(key) === canonicalJson(problem)) continue;
      await book.tell({
        id: `problem/${key}/${problem.code}/${problem.message}`,
        kind: eventKind(problem),
        // An image often has the name of a package, and is none.
        ...(problem.area === 'image' || problem.area === 'signing' ? {} : { package: problem.name }),
        text: `${problem.area === 'image' ? 'image ' : ''}${problem.name}: ${problem.message}`,
        facts: {
          code: problem.code,
          area: problem.area,
          ...(problem.area === 'image' ? { image: problem.name } : {}),
        },
      });
    }
    await book.replace('problem', new Map(rows), (key) => {
      const before = book.get('problem', key)?.value;
      return before === undefined || isSeen(before);
    });
  }

  function reconcile(): Promise<void> {
    // One round at a time; whoever asks while one runs gets the one after it, which sees what they know.
    next ??= (running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        running = next;
        next = undefined;
        return during(settle());
      });
    return next;
  }

  /** Says whether the forge is another one now. */
  async function proposeOne({ package: name, version }: JobPayload<'propose'>, job: AbortSignal): Promise<boolean> {
    const signal = options.signal === undefined ? job : AbortSignal.any([job, options.signal]);
    const world = await observe();
    refuseAfter(options.signal);
    // However it ends, the forge may be another one now.
    asked = undefined;
    const made = await makeProposal(context, world, { name, version, signal });
    if (made) asked = undefined;
    return made;
  }

  /** The recipes on main as the mirror has them: rounds bring it up to date, unless there was none yet. */
  async function mainTree(): Promise<RecipeTree> {
    const head = await repository.head().catch(async () => {
      await alone(() => repository.refresh());
      return repository.head();
    });
    return reader.read(head.commit);
  }

  async function poke({ slot, ...about }: JobPayload<'poke'>): Promise<readonly AnyJobRequest[]> {
    const tree = await mainTree();
    if (about.what === 'repository' || tree.recipes.has(about.name)) return watching.poked(tree, about, slot);
    // It may have come to main a moment ago.
    await alone(() => repository.refresh());
    return watching.poked(await mainTree(), about, slot);
  }

  /** Writes down what came out, where no round finds it by itself. Says whether a round may see something new. */
  async function record(key: string): Promise<boolean> {
    const object = await objects.get(key);
    if (object === undefined) return false;
    const result = parseResult(object.bytes);
    // What came of builds and publications is found by every round itself; a verdict may be asked for otherwise by then.
    if (result?.kind === 'verified') await recordVerdicts(context, result);
    if (result?.kind === 'published') {
      await recordRefusals(context, result);
      await tellUndone(context, result);
    }
    if (result?.kind !== 'watched' && result?.kind !== 'observed') return true;
    // What was seen is told once.
    const changed = result.kind === 'watched' ? await watching.record(result) : await recordObserved(context, result);
    await objects.remove(key);
    return changed;
  }

  return {
    reconcile,
    async idle() {
      while (busy.size > 0) await Promise.allSettled(busy);
    },
    watchJobs: (slot) => during(mainTree().then((tree) => watching.due(tree, slot))),
    async advisoryJobs(feed, slot) {
      return [{ type: 'watch-advisories', payload: await advisoryJob(context, { feed, slot, part: 0 }) }];
    },
    handlers: {
      reconcile() {
        // Who asks for one wants to see what is now.
        asked = undefined;
        return reconcile();
      },
      async poke(job) {
        await context.queues.enqueueMany(await during(poke(job)));
      },
      async 'order-collection'(job) {
        await during(orderCollection(context, job));
        await reconcile();
      },
      async release({ package: name }) {
        if (await during(releaseVersion(context, name))) await reconcile();
      },
      async propose(job, { signal }) {
        if (await during(proposeOne(job, signal))) await reconcile();
      },
      async result({ key }) {
        if (await during(record(key))) await reconcile();
      },
    },
  };
}
