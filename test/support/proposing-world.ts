import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createExec } from '../../src/adapters/exec.ts';
import { createRecipeRepository } from '../../src/adapters/recipe-repository.ts';
import { indexAdvisories } from '../../src/decide/vulnerability.ts';
import type { Decision } from '../../src/model/decision.ts';
import type { Problem, Purpose } from '../../src/model/plan.ts';
import { type Policy, policySchema } from '../../src/model/policy.ts';
import type { Ledger } from '../../src/ports/ledger.ts';
import { openBook } from '../../src/roles/conductor/book.ts';
import type { PurposePlan } from '../../src/roles/conductor/building.ts';
import type { ConductorContext } from '../../src/roles/conductor/context.ts';
import { createDecider } from '../../src/roles/conductor/deciding.ts';
import { followProposals } from '../../src/roles/conductor/following.ts';
import { readForge } from '../../src/roles/conductor/forge-reading.ts';
import { makeProposal } from '../../src/roles/conductor/proposing.ts';
import { createRecipeReader } from '../../src/roles/conductor/recipes.ts';
import type { World } from '../../src/roles/conductor/world.ts';
import { createMemoryLedger } from '../fakes/memory-ledger.ts';
import { type BareForge, createBareForge } from './bare-forge.ts';

export const address = 'https://github.com/o/tool';
export const source = 'github:o/tool/tags';

/** The recipe of `tool`, which follows the tags of one repository. */
export const recipe = (version: string, commit: string, { more = '', update = '' } = {}) => `package:
  name: tool
  version: "${version}"
  epoch: 0
update:
  enabled: true
${update}  github: {identifier: o/tool, use-tag: true, strip-prefix: v}
pipeline:
  - uses: git-checkout
    with:
      repository: ${address}
      tag: v\${{package.version}}
      expected-commit: ${commit}
${more}`;

/** The deciding and proposing half of a conductor, on a real bare forge and an upstream whose tags the test sets. */
export async function createProposingWorld() {
  const hand: BareForge = await createBareForge();
  const mirror = mkdtempSync(join(tmpdir(), 'regrow-mirror-'));
  /** What upstream has: commits by tag. */
  let tags: Readonly<Record<string, string>> = {};
  /** Done before upstream answers the next question for its tags. */
  let meanwhile: (() => Promise<unknown>) | undefined;

  /** A conductor as it is after a start: all that it knows is in the ledger, git and the forge. */
  async function start(ledger: Ledger = createMemoryLedger(), policy: Partial<Policy> = {}) {
    const { clock, forge } = hand;
    const book = await openBook(ledger, clock);
    const exec = createExec();
    const repository = createRecipeRepository({
      exec,
      protocols: ['file'],
      rewrite: [{ from: 'https://forge.test/os', to: `file://${hand.repository}` }],
      repository: 'https://forge.test/os',
      directory: mirror,
      mainBranch: 'main',
    });
    const refs = () => Object.entries(tags).map(([tag, commit]) => ({ name: `refs/tags/${tag}`, commit }));
    const context = {
      book,
      forge,
      repository,
      clock,
      git: {
        lsRemote: async () => {
          const work = meanwhile;
          meanwhile = undefined;
          await work?.();
          return refs();
        },
      },
      settings: {
        targets: ['x86_64-gnu'],
        recipesPath: '.',
        imagesPath: 'images',
        imageEngine: () => 'regrow',
        policy: { ...policySchema.parse({}), ...policy },
        mergeGreen: true,
      },
      builtinPipelines: new Map(),
    } as unknown as ConductorContext;
    const reader = createRecipeReader(context);
    const decideAll = createDecider(context);

    async function look(): Promise<World> {
      const proposals = await readForge(context);
      await repository.refresh();
      const tree = await reader.read((await repository.head()).commit);
      const problems = new Map<string, Problem>();
      return { tree, reader, proposals, problems, reachable: true, published: new Map() } as unknown as World;
    }

    /** What a round decides, with what upstream has now already observed. */
    async function decide(): Promise<{ decision: Decision | undefined; world: World }> {
      const seen = Object.entries(tags).map(([tag, commit]) => ({ tag, commit, prerelease: false }));
      const observedAt = clock.now().toISOString();
      await book.put('observation', `release/${source}`, { kind: 'release', source, tags: seen, observedAt });
      const world = await look();
      const decisions = await decideAll(world, indexAdvisories([]));
      const decision = decisions.find((one) => one.package === 'tool');
      return { decision, world };
    }

    /** As `startProposals` would have it done. */
    async function propose(): Promise<void> {
      const { decision, world } = await decide();
      const to = decision?.to;
      if (decision?.action !== 'bump' || to === undefined) throw new Error(`no bump but ${decision?.because}`);
      const wanted = { name: 'tool', version: `${to.version}-r0`, signal: new AbortController().signal };
      const made = await makeProposal(context, world, wanted);
      // What keeps it from being made is told by what a person would see.
      expect([made, ...[...book.all('problem')].map(({ value }) => value.message)]).toEqual([true]);
    }

    /** A job that was queued by an earlier round, taken now. */
    async function proposeLate(version: string): Promise<boolean> {
      const wanted = { name: 'tool', version, signal: new AbortController().signal };
      return makeProposal(context, await look(), wanted);
    }

    /**
     * Follows open proposals; gives what became a problem. Once nothing is still to be built, they are green. `isObserved`: that
     * upstream was asked just before.
     */
    async function follow({ isBuilt = false, isObserved = true } = {}): Promise<readonly Problem[]> {
      const world = isObserved ? (await decide()).world : await look();
      const plans = new Map<Purpose, PurposePlan>();
      for (const { number } of world.proposals) {
        const wait = { package: 'tool', target: 'x86_64-gnu', because: 'soon', reason: 'dependency-pending' } as const;
        const waits = isBuilt ? [] : [{ ...wait, version: '1', purpose: number, on: [] }];
        plans.set(number, { purpose: number, builds: [], waits });
      }
      await followProposals(context, world, plans, indexAdvisories([]));
      const problems = new Map([...world.problems].map(([key, value]) => [key, { value, about: value.name }]));
      await book.replace('problem', problems);
      return [...world.problems.values()];
    }

    const open = async () => (await readForge(context)).filter(({ state }) => state === 'open');
    const events = async () => (await ledger.events({ limit: 50 })).map(({ kind }) => kind);
    return { ledger, book, context, decide, propose, proposeLate, follow, open, events };
  }

  return {
    hand,
    start,
    release(now: Readonly<Record<string, string>>) {
      tags = now;
    },
    meanwhile(work: () => Promise<unknown>) {
      meanwhile = work;
    },
    async close() {
      await hand.close();
      rmSync(mirror, { recursive: true, force: true });
    },
  };
}

export type ProposingWorld = Awaited<ReturnType<typeof createProposingWorld>>;
