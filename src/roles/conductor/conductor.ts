import type { AnyJobRequest } from '../../jobs/queues.ts';
import type { JobHandlers } from '../../jobs/worker.ts';
import type { ImageRequest } from '../../model/request.ts';
import { resultSchema } from '../../model/result.ts';
import { createRepositoryView } from '../../report/repository.ts';
import { isBuilt, planAll } from './building.ts';
import type { ConductorContext } from './context.ts';
import { decideAll } from './deciding.ts';
import { createAdvisoryShelf, recordFindings } from './finding.ts';
import { followProposals } from './following.ts';
import { updateImages } from './imaging.ts';
import { makeProposal, proposalFindings, readForge, startProposals } from './proposing.ts';
import { publishReady, recordGeneration } from './publishing.ts';
import { createRecipeReader } from './recipes.ts';
import { advisoryJobs, recordObserved, releaseJobs } from './watching.ts';
import { observeWorld, type World } from './world.ts';

export interface ConductorOptions {
  /** Keys that published packages are signed with, and that images trust. */
  readonly keys: () => Promise<ImageRequest['keys']>;
}

export interface Conductor {
  readonly handlers: JobHandlers;
  /** The jobs that ask every source that a recipe on main names, once in a slot. */
  releaseJobs(slot: number): Promise<readonly AnyJobRequest[]>;
  /** The job that asks one advisory feed. */
  advisoryJobs(feed: string, slot: number): readonly AnyJobRequest[];
  /** Compares what should be with what is and enqueues the difference. Calls that come while one runs share the next. */
  reconcile(): Promise<void>;
}

/** Ledger key of when a round last ended well: the api may run in another process. */
export const heartbeat = 'conductor/last-round';
/** Rounds in a row before the next event or the timer goes on. */
const mostRounds = 20;
const decoder = new TextDecoder();

export function createConductor(context: ConductorContext, options: ConductorOptions): Conductor {
  const { book, objects, repository, clock, log } = context;
  const reader = createRecipeReader(context);
  const view = createRepositoryView(objects);
  const advisories = createAdvisoryShelf(context);
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function observe(): Promise<World> {
    await repository.refresh();
    return observeWorld(context, reader, view, await readForge(context));
  }

  /** Says whether git or the forge is no longer as it was observed. */
  async function round(): Promise<boolean> {
    const world = await observe();
    const index = advisories();
    await recordGeneration(context, world);
    await recordFindings(context, world, index);
    const decisions = await decideAll(context, world, index);
    await startProposals(context, world, decisions);
    const plans = await planAll(context, world);
    const findingsOf = (origins: readonly string[]) => proposalFindings(world, index, origins);
    const moved = await followProposals(context, world, plans, index);
    const main = plans.get('main');
    if (main !== undefined) await publishReady(context, world, main, findingsOf);
    await updateImages(context, world, await options.keys(), main !== undefined && isBuilt(main));
    await recordProblems(world);
    await book.put('cursor', heartbeat, { cursor: clock.now().toISOString() });
    return moved;
  }

  /** Rounds until one changes nothing of what it looked at; each merge or extension is one step, so they are few. */
  async function settle(): Promise<void> {
    for (let rounds = 0; rounds < mostRounds; rounds += 1) if (!(await round())) return;
  }

  async function recordProblems(world: World): Promise<void> {
    const rows = [...world.problems].map(([key, value]) => [key, { value, about: value.name }] as const);
    const { came } = await book.replace('problem', new Map(rows));
    for (const key of came) {
      const problem = world.problems.get(key);
      if (problem === undefined) continue;
      log.warn({ problem }, 'found a problem');
      await book.tell({
        id: `problem/${key}/${problem.code}/${problem.message}`,
        kind: problem.area === 'recipe' ? 'recipe-invalid' : 'problem',
        package: problem.name,
        text: `${problem.name}: ${problem.message}`,
        facts: { code: problem.code, area: problem.area },
      });
    }
  }

  function reconcile(): Promise<void> {
    // One round at a time; whoever asks while one runs gets the one after it, which sees what they know.
    next ??= (running ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        running = next;
        next = undefined;
        return settle();
      });
    return next;
  }

  return {
    reconcile,
    async releaseJobs(slot) {
      await repository.refresh();
      const { commit } = await repository.head();
      return releaseJobs(context, await reader.read(commit), slot);
    },
    advisoryJobs: (feed, slot) => advisoryJobs(context, feed, slot),
    handlers: {
      reconcile: () => reconcile(),
      async propose({ package: name, version }, { signal }) {
        const changed = await makeProposal(context, await observe(), { name, version, signal });
        if (changed) await reconcile();
      },
      async result({ key }) {
        const object = await objects.get(key);
        if (object === undefined) return;
        const result = resultSchema.parse(JSON.parse(decoder.decode(object.bytes)));
        // What came of builds, verdicts and publications is found by every round itself; what was seen is told once.
        if (result.kind === 'observed') {
          const changed = await recordObserved(context, result);
          await objects.remove(key);
          if (!changed) return;
        }
        await reconcile();
      },
    },
  };
}
