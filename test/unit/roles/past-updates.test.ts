import { afterEach, beforeEach, expect, test } from 'vitest';
import { releaseVersion } from '../../../src/roles/conductor/releasing.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { address, createProposingWorld, type ProposingWorld, recipe } from '../../support/proposing-world.ts';

const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(40)) as [string, string, string];
let world: ProposingWorld;

beforeEach(async () => {
  world = await createProposingWorld();
  world.release({ 'v1.0.0': a });
  await world.hand.push({ 'tool.yaml': recipe('1.0.0', a) });
});
afterEach(() => world.close());

test('a version that pins nothing new is looked up once, and not proposed until the recipe or the version is another', async () => {
  const { ledger, propose, decide, open, events } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': a });
  await propose();
  expect(await open()).toEqual([]);
  const { decision } = await decide();
  expect(decision).toMatchObject({ action: 'hold', reason: 'pins-nothing-new', to: { version: '1.1.0' } });
  expect(decision?.evidence.map(({ fact }) => fact)).toContain(`tag v1.1.0 of ${address} is ${a}`);
  expect(await events()).toContain('decided');

  const later = await world.start(ledger);
  expect((await later.decide()).decision).toMatchObject({ reason: 'pins-nothing-new' });
  await world.hand.push({ 'tool.yaml': recipe('1.0.0', a, { more: '# edited\n' }) });
  expect((await later.decide()).decision).toMatchObject({ action: 'bump' });
  await later.propose();
  world.release({ 'v1.0.0': a, 'v1.1.0': a, 'v1.2.0': b });
  expect((await later.decide()).decision).toMatchObject({ action: 'bump', to: { version: '1.2.0' } });
});

test('a tag that is moved to something new after that is looked up again', async () => {
  const { propose, decide, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': a });
  await propose();
  expect((await decide()).decision).toMatchObject({ reason: 'pins-nothing-new' });
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await propose();
  expect(await open()).toMatchObject([{ version: '1.1.0-r0' }]);
});

test('a person may have it all the same', async () => {
  const { context, propose, decide, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': a });
  expect(await releaseVersion(context, 'tool')).toBe(false);
  await propose();
  await decide();
  expect(await releaseVersion(context, 'tool')).toBe(true);
  await propose();
  expect(await open()).toMatchObject([{ version: '1.1.0-r0' }]);
});

test('a version that main went back from is not proposed again, whatever is lost, until a person releases it', async () => {
  const first = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await first.propose();
  const [proposal] = await first.open();
  await world.hand.forge.merge(proposal?.number ?? 0, proposal?.head ?? '');
  expect((await first.decide()).decision).toMatchObject({ action: 'current' });
  world.hand.clock.advance(3 * 24 * 3600_000);
  const back = await world.hand.push({ 'tool.yaml': recipe('1.0.0', a) });

  for (const ledger of [first.ledger, createMemoryLedger()]) {
    const conductor = await world.start(ledger);
    const { decision } = await conductor.decide();
    expect(decision).toMatchObject({ action: 'hold', reason: 'loop', to: { version: '1.1.0' } });
    expect(decision?.because).toContain(`last changed by someone in ${back.slice(0, 12)}`);
    expect(await conductor.events()).toContain('loop-stopped');
  }
  const conductor = await world.start(first.ledger);
  await conductor.decide();
  expect(await releaseVersion(conductor.context, 'tool')).toBe(true);
  expect(await conductor.events()).toContain('released');
  await conductor.propose();
  expect(await conductor.open()).toMatchObject([{ version: '1.1.0-r0' }]);
  expect((await conductor.open())[0]?.number).not.toBe(proposal?.number);
});

test('a job that comes late does not open a second proposal of what has ended meanwhile', async () => {
  const { decide, propose, proposeLate, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await propose();
  // A person deletes the branch: closed by hand, and nobody has decided since.
  await world.hand.run('update-ref', '-d', 'refs/heads/regrow/tool');
  expect(await open()).toEqual([]);
  expect(await proposeLate('1.1.0-r0')).toBe(true);
  expect(await open()).toEqual([]);
  expect((await decide()).decision).toMatchObject({ reason: 'closed-by-hand' });
});

test('nor does one of what a person made on main meanwhile', async () => {
  const { decide, proposeLate, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await decide();
  await world.hand.push({ 'tool.yaml': recipe('1.1.0', b) });
  expect(await proposeLate('1.1.0-r0')).toBe(false);
  expect(await open()).toEqual([]);
});

test('nor one of a version that another took the place of while its sources were looked up', async () => {
  const { decide, propose, proposeLate, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await decide();
  world.meanwhile(async () => {
    world.release({ 'v1.0.0': a, 'v1.1.0': b, 'v1.2.0': c });
    await propose();
  });
  expect(await proposeLate('1.1.0-r0')).toBe(false);
  expect(await open()).toMatchObject([{ version: '1.2.0-r0' }]);
});

test('where one update comes after the other, the open one is made again when main changes its recipe', async () => {
  const update = '  require-sequential: true\n';
  await world.hand.push({ 'tool.yaml': recipe('1.0.0', a, { update }) });
  const { propose, follow, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await propose();
  const [before] = await open();
  world.release({ 'v1.0.0': a, 'v1.1.0': b, 'v1.2.0': c });
  await world.hand.push({ 'tool.yaml': recipe('1.0.0', a, { update, more: '# edited\n' }) });
  expect(await follow()).toEqual([]);
  const [after] = await open();
  expect(after).toMatchObject({ number: before?.number, version: '1.1.0-r0' });
  expect(await world.hand.read('tool.yaml', after?.head ?? '')).toContain('# edited');
});

test('main as it was before a merge is not main that went back', async () => {
  const { propose, decide, open, events } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await propose();
  const [proposal] = await open();
  const before = await world.hand.head('main');
  await world.hand.forge.merge(proposal?.number ?? 0, proposal?.head ?? '');
  // The server is slow to give out what it merged.
  const after = await world.hand.head('main');
  await world.hand.run('update-ref', 'refs/heads/main', before ?? '');
  expect((await decide()).decision).toMatchObject({ action: 'bump' });
  await world.hand.run('update-ref', 'refs/heads/main', after ?? '');
  expect((await decide()).decision).toMatchObject({ action: 'current' });
  expect(await events()).not.toContain('loop-stopped');
  // Pushed back by force, main is older than the merge for good.
  await world.hand.run('update-ref', 'refs/heads/main', before ?? '');
  world.hand.clock.advance(3 * 60_000);
  expect((await decide()).decision).toMatchObject({ action: 'hold', reason: 'loop' });
});

test('a tag that moved under what is built is a finding with both commits, and nothing is proposed', async () => {
  const { decide } = await world.start();
  world.release({ 'v1.0.0': c });
  const { decision, world: seen } = await decide();
  expect(decision).toMatchObject({ action: 'hold', reason: 'moved-tag', movedTag: { commit: a, now: c } });
  const problem = seen.problems.get('source/tool');
  expect(problem).toMatchObject({ area: 'source', code: 'source.moved', file: 'tool.yaml' });
  expect(problem?.message).toContain(`was at ${a} and is now at ${c}`);
  // Said again in every round, for as long as it is so.
  expect((await decide()).world.problems.has('source/tool')).toBe(true);
});

test('a tag that moves under an open proposal is told on it, and pinned anew only when a person says so', async () => {
  const { context, propose, follow, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await propose();
  const [before] = await open();
  expect(await follow()).toEqual([]);
  world.release({ 'v1.0.0': a, 'v1.1.0': c });
  const [problem] = await follow();
  expect(problem).toMatchObject({ area: 'forge', code: 'source.moved' });
  expect(problem?.message).toContain(`was at ${b} and is now at ${c}`);
  const record = JSON.parse(await world.hand.run('cat-file', '-p', `refs/regrow/proposals/${before?.number}`));
  expect(JSON.stringify(record)).toContain(`is now at ${c}`);
  const status = () => world.hand.run('cat-file', '-p', `refs/regrow/statuses/${before?.head}`);
  expect(await status()).toContain('failure');

  // Upstream moves it back, and away again: the status says each time what is.
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  expect(await follow()).toEqual([]);
  expect(await status()).not.toContain('failure');
  world.release({ 'v1.0.0': a, 'v1.1.0': c });
  await follow();
  expect(await status()).toContain('failure');

  // Main changes the recipe, so that the proposal would be made again.
  await world.hand.push({ 'tool.yaml': recipe('1.0.0', a, { more: '# edited\n' }) });
  expect(await follow()).toMatchObject([{ code: 'source.moved' }]);
  expect((await open())[0]?.head).toBe(before?.head);

  world.hand.clock.advance(60_000);
  expect(await releaseVersion(context, 'tool')).toBe(true);
  await follow();
  const [after] = await open();
  expect(after?.head).not.toBe(before?.head);
  expect(await world.hand.read('tool.yaml', after?.head ?? '')).toContain(c);
  expect(await follow()).toEqual([]);
});

test('a tag that upstream moved before it was pinned is not said to have moved since', async () => {
  const { decide, proposeLate, follow, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await decide();
  world.hand.clock.advance(5 * 60_000);
  world.release({ 'v1.0.0': a, 'v1.1.0': c });
  expect(await proposeLate('1.1.0-r0')).toBe(true);
  expect(await world.hand.read('tool.yaml', (await open())[0]?.head ?? '')).toContain(c);
  expect(await follow({ isObserved: false })).toEqual([]);
  expect(await follow()).toEqual([]);
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  expect(await follow()).toMatchObject([{ code: 'source.moved' }]);
});

test('a source that moved between two looks of regrow itself is not pinned anew without a word', async () => {
  const { propose, follow, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await propose();
  const [before] = await open();
  await world.hand.push({ 'tool.yaml': recipe('1.0.0', a, { more: '# edited\n' }) });
  // First asked for its tags, then for its hashes, upstream says something else.
  let asked = 0;
  world.release({
    'v1.0.0': a,
    get 'v1.1.0'() {
      asked += 1;
      return asked === 1 ? b : c;
    },
  });
  // Green or not, it does not merge either.
  const [problem] = await follow({ isBuilt: true });
  expect(problem).toMatchObject({ code: 'source.moved' });
  expect(problem?.message).toContain(`was ${b} when it was proposed and is ${c} now`);
  expect((await open())[0]?.head).toBe(before?.head);
});

test('a green proposal merges by itself, unless a person holds the package meanwhile, or may have wanted to', async () => {
  const hold = [{ package: 'tool', reason: 'it breaks our proxy', until: '2030-01-01' }];
  const { ledger, propose, open } = await world.start();
  world.release({ 'v1.0.0': a, 'v1.1.0': b });
  await propose();
  for (const policy of [{ hold }, { pin: { tool: '1.0' } }, { ignore: ['tool'] }]) {
    const held = await world.start(ledger, policy);
    expect(await held.follow({ isBuilt: true })).toEqual([]);
    expect(await open()).toMatchObject([{ state: 'open', version: '1.1.0-r0' }]);
  }
  const free = await world.start(ledger);
  const annotated = recipe('1.0.0', a).replace('epoch: 0', 'epoch: 0\n  annotations: {dev.regrow.holt: it breaks}');
  await world.hand.push({ 'tool.yaml': annotated });
  for (let round = 0; round < 2; round += 1) {
    expect(await free.follow({ isBuilt: true })).toMatchObject([{ code: 'recipe.annotation-invalid' }]);
    expect(await open()).toMatchObject([{ state: 'open' }]);
  }
  await world.hand.push({ 'tool.yaml': recipe('1.0.0', a) });
  for (let round = 0; round < 2; round += 1) expect(await free.follow({ isBuilt: true })).toEqual([]);
  expect(await open()).toEqual([]);
  expect((await free.decide()).decision).toMatchObject({ action: 'current', from: { version: '1.1.0' } });
});
