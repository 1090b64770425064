import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createExec } from '../../../src/adapters/exec.ts';
import { createRecipeRepository } from '../../../src/adapters/recipe-repository.ts';
import { indexAdvisories } from '../../../src/decide/vulnerability.ts';
import type { Decision } from '../../../src/model/decision.ts';
import type { Problem, Purpose } from '../../../src/model/plan.ts';
import { policySchema } from '../../../src/model/policy.ts';
import type { Ledger } from '../../../src/ports/ledger.ts';
import { openBook } from '../../../src/roles/conductor/book.ts';
import type { PurposePlan } from '../../../src/roles/conductor/building.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { createDecider } from '../../../src/roles/conductor/deciding.ts';
import { followProposals } from '../../../src/roles/conductor/following.ts';
import { readForge } from '../../../src/roles/conductor/forge-reading.ts';
import { makeProposal } from '../../../src/roles/conductor/proposing.ts';
import { createRecipeReader } from '../../../src/roles/conductor/recipes.ts';
import { releaseVersion } from '../../../src/roles/conductor/releasing.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { type BareForge, createBareForge } from '../../support/bare-forge.ts';

const address = 'https://github.com/o/tool';
const source = 'github:o/tool/tags';
const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];

const recipe = (version: string, commit: string, more = '') => `package:
  name: tool
  version: "${version}"
  epoch: 0
update:
  enabled: true
  github: {identifier: o/tool, use-tag: true, strip-prefix: v}
pipeline:
  - uses: git-checkout
    with:
      repository: ${address}
      tag: v\${{package.version}}
      expected-commit: ${commit}
${more}`;

let hand: BareForge;
let mirror: string;
/** What upstream has: commits by tag. */
let tags: Record<string, string>;

beforeEach(async () => {
  hand = await createBareForge();
  mirror = mkdtempSync(join(tmpdir(), 'regrow-mirror-'));
  tags = { 'v1.0.0': a };
  await hand.push({ 'tool.yaml': recipe('1.0.0', a) });
});
afterEach(async () => {
  await hand.close();
  rmSync(mirror, { recursive: true, force: true });
});

/** A conductor as it is after a start: all that it knows is in the ledger, git and the forge. */
async function start(ledger: Ledger = createMemoryLedger()) {
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
    git: { lsRemote: async () => refs() },
    settings: {
      targets: ['x86_64-gnu'],
      recipesPath: '.',
      imagesPath: 'images',
      policy: policySchema.parse({}),
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
    const [decision] = await decideAll(world, indexAdvisories([]));
    return { decision, world };
  }

  /** As `startProposals` would have it done. */
  async function propose(): Promise<void> {
    const { decision, world } = await decide();
    const to = decision?.to;
    if (decision?.action !== 'bump' || to === undefined) throw new Error(`no bump but ${decision?.because}`);
    const wanted = { name: 'tool', version: `${to.version}-r0`, signal: new AbortController().signal };
    expect(await makeProposal(context, world, wanted)).toBe(true);
  }

  /** Follows open proposals whose builds are all there; gives what became a problem. */
  async function follow(): Promise<readonly Problem[]> {
    const { world } = await decide();
    const plans = new Map<Purpose, PurposePlan>();
    for (const { number } of world.proposals) {
      // Something is still to be built, so that nothing merges.
      const wait = { package: 'tool', target: 'x86_64-gnu', because: 'soon', reason: 'dependency-pending' } as const;
      plans.set(number, { purpose: number, builds: [], waits: [{ ...wait, version: '1', purpose: number, on: [] }] });
    }
    await followProposals(context, world, plans, indexAdvisories([]));
    const problems = new Map([...world.problems].map(([key, value]) => [key, { value, about: value.name }]));
    await book.replace('problem', problems);
    return [...world.problems.values()];
  }

  const open = async () => (await readForge(context)).filter(({ state }) => state === 'open');
  const events = async () => (await ledger.events({ limit: 50 })).map(({ kind }) => kind);
  return { ledger, book, context, decide, propose, follow, open, events };
}

test('a version that pins nothing new is looked up once, and not proposed until the recipe or the version is another', async () => {
  const { ledger, propose, decide, open, events } = await start();
  tags = { 'v1.0.0': a, 'v1.1.0': a };
  await propose();
  expect(await open()).toEqual([]);
  const { decision } = await decide();
  expect(decision).toMatchObject({ action: 'hold', reason: 'pins-nothing-new', to: { version: '1.1.0' } });
  expect(decision?.evidence.map(({ fact }) => fact)).toContain(`tag v1.1.0 of ${address} is ${a}`);
  expect(await events()).toContain('decided');

  const later = await start(ledger);
  expect((await later.decide()).decision).toMatchObject({ reason: 'pins-nothing-new' });
  await hand.push({ 'tool.yaml': recipe('1.0.0', a, '# edited\n') });
  expect((await later.decide()).decision).toMatchObject({ action: 'bump' });
  await later.propose();
  tags = { ...tags, 'v1.2.0': b };
  expect((await later.decide()).decision).toMatchObject({ action: 'bump', to: { version: '1.2.0' } });
});

test('a person may have it all the same', async () => {
  const { context, propose, decide, open } = await start();
  tags = { 'v1.0.0': a, 'v1.1.0': a };
  expect(await releaseVersion(context, 'tool')).toBe(false);
  await propose();
  await decide();
  expect(await releaseVersion(context, 'tool')).toBe(true);
  await propose();
  expect(await open()).toMatchObject([{ version: '1.1.0-r0' }]);
});

test('a version that main went back from is not proposed again, whatever is lost, until a person releases it', async () => {
  const first = await start();
  tags = { 'v1.0.0': a, 'v1.1.0': b };
  await first.propose();
  const [proposal] = await first.open();
  await hand.forge.merge(proposal?.number ?? 0, proposal?.head ?? '');
  expect((await first.decide()).decision).toMatchObject({ action: 'current' });
  hand.clock.advance(3 * 24 * 3600_000);
  const back = await hand.push({ 'tool.yaml': recipe('1.0.0', a) });

  for (const ledger of [first.ledger, createMemoryLedger()]) {
    const conductor = await start(ledger);
    const { decision } = await conductor.decide();
    expect(decision).toMatchObject({ action: 'hold', reason: 'loop', to: { version: '1.1.0' } });
    expect(decision?.because).toContain(`last changed by someone in ${back.slice(0, 12)}`);
    expect(await conductor.events()).toContain('loop-stopped');
  }
  const conductor = await start(first.ledger);
  await conductor.decide();
  expect(await releaseVersion(conductor.context, 'tool')).toBe(true);
  expect(await conductor.events()).toContain('released');
  await conductor.propose();
  expect(await conductor.open()).toMatchObject([{ version: '1.1.0-r0' }]);
  expect((await conductor.open())[0]?.number).not.toBe(proposal?.number);
});

test('a tag that moved under what is built is a finding with both commits, and nothing is proposed', async () => {
  const { decide } = await start();
  tags = { 'v1.0.0': c };
  const { decision, world } = await decide();
  expect(decision).toMatchObject({ action: 'hold', reason: 'moved-tag', movedTag: { commit: a, now: c } });
  const problem = world.problems.get('source/tool');
  expect(problem).toMatchObject({ area: 'source', code: 'source.moved', file: 'tool.yaml' });
  expect(problem?.message).toContain(`was at ${a} and is now at ${c}`);
  // Said again in every round, for as long as it is so.
  expect((await decide()).world.problems.has('source/tool')).toBe(true);
});

test('a tag that moves under an open proposal is told on it, and pinned anew only when a person says so', async () => {
  const { context, propose, follow, open } = await start();
  tags = { 'v1.0.0': a, 'v1.1.0': b };
  await propose();
  const [before] = await open();
  expect(await follow()).toEqual([]);
  tags = { ...tags, 'v1.1.0': c };
  const [problem] = await follow();
  expect(problem).toMatchObject({ area: 'forge', code: 'source.moved' });
  expect(problem?.message).toContain(`was at ${b} and is now at ${c}`);
  const record = JSON.parse(await hand.run('cat-file', '-p', `refs/regrow/proposals/${before?.number}`));
  expect(JSON.stringify(record)).toContain(`is now at ${c}`);
  const status = JSON.parse(await hand.run('cat-file', '-p', `refs/regrow/statuses/${before?.head}`));
  expect(JSON.stringify(status)).toContain('failure');

  // Main changes the recipe, so that the proposal would be made again.
  await hand.push({ 'tool.yaml': recipe('1.0.0', a, '# edited\n') });
  expect(await follow()).toMatchObject([{ code: 'source.moved' }]);
  expect((await open())[0]?.head).toBe(before?.head);

  hand.clock.advance(60_000);
  expect(await releaseVersion(context, 'tool')).toBe(true);
  await follow();
  const [after] = await open();
  expect(after?.head).not.toBe(before?.head);
  expect(await hand.read('tool.yaml', after?.head ?? '')).toContain(c);
  expect(await follow()).toEqual([]);
});

test('a source that moved between two looks of regrow itself is not pinned anew without a word', async () => {
  const { propose, follow, open, book } = await start();
  tags = { 'v1.0.0': a, 'v1.1.0': b };
  await propose();
  const [before] = await open();
  const seen = book.get('observation', `release/${source}`)?.value;
  await hand.push({ 'tool.yaml': recipe('1.0.0', a, '# edited\n') });
  // Asked for its hashes, upstream already says otherwise than it was last observed.
  tags = new Proxy(tags, { ownKeys: () => ['v1.0.0', 'v1.1.0'], get: (_, tag) => (tag === 'v1.0.0' ? a : moving()) });
  let asked = 0;
  const moving = () => (asked++ === 0 ? b : c);
  expect(seen).toBeDefined();
  const [problem] = await follow();
  expect(problem).toMatchObject({ code: 'source.moved' });
  expect(problem?.message).toContain(`was ${b} when it was proposed and is ${c} now`);
  expect((await open())[0]?.head).toBe(before?.head);
});
