import { describe, expect, test } from 'vitest';
import { type Decision, decisionSchema } from '../../../src/model/decision.ts';
import { blockerKindSchema } from '../../../src/model/explanation.ts';
import type { Wait } from '../../../src/model/plan.ts';
import { gatherFacts } from '../../../src/report/facts.ts';
import { createRepositoryView } from '../../../src/report/repository.ts';
import { actionsFor, nextStep, stateOf } from '../../../src/report/sentences.ts';
import { ask, decided, failure, proposed } from '../../support/explaining.ts';
import {
  before,
  build,
  bump,
  createWorld,
  decision,
  finished,
  noon,
  proposal,
  putBuild,
  putVerdict,
  settings,
} from '../../support/report-world.ts';

describe('a decision that is not to bump is the answer', () => {
  const because = 'this is the reason that was given';
  const expected: Readonly<Record<Decision['reason'], { state: string; next: RegExp }>> = {
    'newer-release': { state: 'behind', next: /pull request is opened/ },
    'fixes-vulnerability': { state: 'behind', next: /pull request is opened/ },
    'up-to-date': { state: 'current', next: /asked again/ },
    'updates-disabled': { state: 'unwatched', next: /does not look/ },
    manual: { state: 'waiting', next: /a person’s/ },
    'source-unsupported': { state: 'waiting', next: /does not look/ },
    'source-failed': { state: 'failing', next: /asked again/ },
    'not-observed-yet': { state: 'unknown', next: /running round/ },
    'no-usable-release': { state: 'waiting', next: /asked again/ },
    downgrade: { state: 'held', next: /asked again/ },
    pinned: { state: 'held', next: /asked again/ },
    held: { state: 'held', next: /hold is taken away/ },
    'cooling-down': { state: 'held', next: /ends by itself/ },
    'closed-by-hand': { state: 'waiting', next: /next release/ },
    loop: { state: 'waiting', next: /until a person releases it/ },
    'moved-tag': { state: 'waiting', next: /without a person/ },
    'pins-nothing-new': { state: 'current', next: /next release/ },
  };

  test.each(decisionSchema.shape.reason.options)('%s', async (reason) => {
    const isBump = reason === 'newer-release' || reason === 'fixes-vulnerability';
    const world = await decided(
      isBump ? bump('zlib', '1.1', { reason, because }) : decision('zlib', { reason, because }),
    );
    const { state, answer, blocker, next } = await ask(world);
    expect(state).toBe(expected[reason].state);
    expect(answer).toContain('zlib is published at 1.0-r0');
    expect(answer).toContain(because);
    expect(blocker.since).toBe(before(30));
    expect(next.text).toMatch(expected[reason].next);
  });

  test('a hold says when it ends by itself', async () => {
    const until = '2026-12-01T00:00:00.000Z';
    const world = await decided(decision('zlib', { action: 'hold', reason: 'held', because: 'slow', until }));
    expect((await ask(world)).next).toEqual({ text: 'the hold ends by itself and the update is proposed', at: until });
  });

  test('what a person can release says how', async () => {
    for (const reason of ['loop', 'closed-by-hand', 'pins-nothing-new'] as const) {
      const world = await decided(decision('zlib', { action: 'hold', reason, because }));
      expect((await ask(world)).actions.join()).toContain('`regrow release zlib`');
    }
  });

  test('a tag that moved is the answer where nothing newer is there, and evidence where something is', async () => {
    const message = 'tag v1.0 was at a and is now at b';
    const moved = { area: 'source', name: 'zlib', code: 'source.moved', message } as const;
    const stays = await decided(decision('zlib', { action: 'hold', reason: 'moved-tag', because }));
    await stays.ledger.put('problem', 'source/zlib', moved, before(30), 'zlib');
    expect(await ask(stays)).toMatchObject({ state: 'waiting', blocker: { kind: 'moved-tag' } });
    const goes = await decided(bump('zlib', '1.1'));
    await goes.ledger.put('problem', 'source/zlib', moved, before(30), 'zlib');
    const { blocker, evidence } = await ask(goes);
    expect(blocker.kind).toBe('not-proposed-yet');
    expect(evidence.map(({ fact }) => fact)).toContain(`source.moved: ${message}`);
  });

  test('a cooling release says until when', async () => {
    const until = '2026-11-25T00:00:00.000Z';
    const world = await decided(decision('zlib', { action: 'hold', reason: 'cooling-down', because: 'young', until }));
    const { blocker, next } = await ask(world);
    expect(blocker.until).toBe(until);
    expect(next.at).toBe(until);
  });

  test('an up-to-date package says when its source is asked next: its own interval after it was last asked', async () => {
    const world = await decided(decision('zlib'));
    const source = 'github:acme/zlib/releases';
    const release = {
      kind: 'release' as const,
      source,
      tags: [{ tag: 'v1.0', prerelease: false }],
      observedAt: before(600),
    };
    await world.ledger.put('observation', `release/${source}`, release, before(600));
    const row = { source, packages: ['zlib'], interval: 12 * 60, asked: before(10) };
    await world.ledger.put('watch', source, row, before(10));
    const { next, versions, evidence } = await ask(world);
    expect(next.at).toBe(before(-2));
    await world.ledger.put('watch', source, { ...row, asked: before(45) }, before(45));
    expect((await ask(world)).next.at).toBe(noon);
    expect(versions.upstream).toEqual({ version: '1.0', source, at: before(10) });
    expect(evidence).toContainEqual({ fact: 'upstream’s newest tag is v1.0', source, at: before(600) });
  });

  test('a source that fails says since when, in the evidence', async () => {
    const source = 'github:acme/zlib/releases';
    const world = await decided(decision('zlib', { action: 'hold', reason: 'source-failed', because: 'HTTP 500' }));
    const failing = {
      kind: 'failure' as const,
      source,
      code: 'upstream.unreachable',
      message: 'HTTP 500',
      observedAt: before(90),
    };
    await world.ledger.put('observation', `failure/${source}`, failing, before(90));
    const { evidence, actions } = await ask(world);
    expect(evidence).toContainEqual({ fact: 'upstream.unreachable: HTTP 500', source, at: before(90) });
    expect(actions.join()).toContain('regrow poke zlib');
  });
});

describe('an open pull request', () => {
  test('without builds: they are not planned yet', async () => {
    const { blocker, versions, state } = await ask(await proposed());
    expect(blocker.kind).toBe('not-planned-yet');
    expect(state).toBe('moving');
    expect(versions).toMatchObject({ git: '1.0-r0', proposal: { version: '1.1-r0', number: 7 } });
  });

  test('queued: the position in the queue', async () => {
    const world = await proposed();
    const attempt = build('zlib', '1.1-r0', { purpose: 7 });
    await putBuild(world, attempt);
    const job = { queue: 'build-x86_64-gnu', type: 'build', state: 'waiting' as const, at: before(1) };
    world.queue.show([
      { ...job, id: 'other', position: 1, payload: { buildKey: 'f'.repeat(64), attempt: 1 } },
      { ...job, id: 'ours', position: 2, payload: { buildKey: attempt.buildKey, attempt: 1 } },
    ]);
    const { blocker, builds, actions } = await ask(world);
    expect(blocker.text).toBe('the build of 1.1-r0 for x86_64-gnu is queued at position 2 of 2');
    expect(builds[0]).toMatchObject({ state: 'waiting', position: 2 });
    expect(actions[0]).toContain('regrow logs zlib --follow');
  });

  test('a queue that cannot be reached still gives an answer, without the position', async () => {
    const world = await proposed();
    await putBuild(world, build('zlib', '1.1-r0', { purpose: 7 }));
    world.queue.break(new Error('no redis'));
    expect((await ask(world)).blocker.text).toBe('the build of 1.1-r0 for x86_64-gnu is queued');
  });

  test('running', async () => {
    const world = await proposed();
    const attempt = build('zlib', '1.1-r0', { purpose: 7 });
    await putBuild(world, attempt);
    const payload = { buildKey: attempt.buildKey, attempt: 1 };
    world.queue.show([{ queue: 'b', type: 'build', id: 'x', state: 'active', payload, at: before(1) }]);
    const { blocker, builds } = await ask(world);
    expect(blocker.kind).toBe('building');
    expect(builds[0]?.state).toBe('running');
  });

  test('failed: the step, the message and the end of the log', async () => {
    const world = await proposed();
    await putBuild(world, finished(build('zlib', '1.1-r0', { purpose: 7 }), failure));
    await putBuild(world, build('zlib', '1.1-r0', { purpose: 7, target: 'x86_64-musl' }));
    const { state, blocker, answer, next, actions } = await ask(world);
    expect(state).toBe('failing');
    expect(blocker).toMatchObject({ kind: 'build-failed', proposal: 7, since: before(5), tail: ['main.c:1: error'] });
    expect(answer).toBe(
      'zlib is published at 1.0-r0; 1.1-r0 is on its way: the build of 1.1-r0 for x86_64-gnu failed in step "make": the command ended with exit code 2',
    );
    expect(next.text).toContain('only when the recipe or its build environment changes');
    expect(actions).toContain('`regrow logs zlib` shows the whole log');
  });

  test.each([
    ['infrastructure', /tried again by itself/],
    ['dependency', /when the package that it builds with changes/],
    ['upstream', /tried again/],
    ['recipe', /only when the recipe/],
  ] as const)('a failure of class %s says what happens next', async (kind, next) => {
    const world = await proposed();
    await putBuild(world, finished(build('zlib', '1.1-r0', { purpose: 7 }), { ...failure, class: kind }));
    expect((await ask(world)).next.text).toMatch(next);
  });

  test('failed tests are a failure too', async () => {
    const world = await proposed();
    const attempt = finished(build('zlib', '1.1-r0', { purpose: 7 }));
    const tests = [
      {
        package: 'zlib-dev',
        outcome: 'failed' as const,
        failure: { ...failure, message: 'zlib --version printed 1.0' },
      },
    ];
    await putBuild(world, {
      ...attempt,
      state: 'failed',
      ...(attempt.result === undefined ? {} : { result: { ...attempt.result, outcome: 'failed', tests } }),
    });
    expect((await ask(world)).blocker.text).toBe(
      'the test of zlib-dev in the build of 1.1-r0 for x86_64-gnu failed in step "make": zlib --version printed 1.0',
    );
  });

  test('a newer attempt counts, not the one that failed before it', async () => {
    const world = await proposed();
    await putBuild(world, finished(build('zlib', '1.1-r0', { purpose: 7 }), failure));
    await putBuild(world, build('zlib', '1.1-r0', { purpose: 7, attempt: 2, queuedAt: before(1) }));
    expect((await ask(world)).blocker.kind).toBe('queued');
  });

  test('a build that failed for an older version does not count', async () => {
    const world = await proposed();
    await putBuild(world, finished(build('zlib', '1.0.9-r0', { purpose: 7 }), failure));
    expect((await ask(world)).blocker.kind).toBe('not-planned-yet');
  });

  test('passed and not judged yet', async () => {
    const world = await proposed();
    await putBuild(world, finished(build('zlib', '1.1-r0', { purpose: 7 })));
    expect((await ask(world)).blocker.kind).toBe('verifying');
  });

  test('refused by a gate: which gate, and why', async () => {
    const world = await proposed();
    const attempt = finished(build('zlib', '1.1-r0', { purpose: 7 }));
    await putBuild(world, attempt);
    await putVerdict(world, attempt, 'zlib --version printed 1.0');
    const { blocker, builds } = await ask(world);
    expect(blocker).toMatchObject({ kind: 'gate-failed', since: before(4) });
    expect(blocker.text).toContain('tests: zlib --version printed 1.0');
    expect(builds[0]?.state).toBe('refused');
  });

  test('green: it merges by itself, or waits for a person', async () => {
    const world = await proposed();
    const attempt = finished(build('zlib', '1.1-r0', { purpose: 7 }));
    await putBuild(world, attempt);
    await putVerdict(world, attempt);
    expect(await ask(world)).toMatchObject({ state: 'moving', blocker: { kind: 'waiting-for-merge' } });
    const byHand = await ask(world, 'zlib', { ...settings, mergeGreen: false });
    expect(byHand.state).toBe('waiting');
    expect(byHand.actions).toEqual(['review and merge http://127.0.0.1:1/acme/os/pull/7']);
  });

  test('green, and a person holds the package', async () => {
    const world = await proposed();
    const attempt = finished(build('zlib', '1.1-r0', { purpose: 7 }));
    await putBuild(world, attempt);
    await putVerdict(world, attempt);
    const held = decision('zlib', { action: 'hold', reason: 'held', because: 'the configuration holds its updates' });
    await world.ledger.put('decision', 'zlib', held, before(1), 'zlib');
    const { state, answer } = await ask(world);
    expect(state).toBe('held');
    expect(answer).toContain(
      "pull request #7 is green and merges by a person's hand alone: the configuration holds its updates",
    );
  });

  test('a package that only follows a soname change is explained by that pull request', async () => {
    const world = await decided(decision('hello'));
    const changes = [
      { package: 'zlib', path: 'zlib.yaml', from: '1.0-r0', to: '1.1-r0', why: 'newer' },
      { package: 'hello', path: 'hello.yaml', from: '1.0-r0', to: '1.0-r1', why: 'so:libz.so.1 is gone' },
    ];
    await world.ledger.put('proposal', '7', proposal('zlib', 7, '1.1-r0', { changes }), before(20), 'zlib');
    await putBuild(world, finished(build('zlib', '1.1-r0', { purpose: 7 }), failure));
    const { answer, versions, actions } = await ask(world, 'hello');
    expect(versions.proposal?.version).toBe('1.0-r1');
    expect(answer).toContain('the build of zlib 1.1-r0 for x86_64-gnu failed');
    expect(actions).toContain('`regrow logs zlib` shows the whole log');
  });

  test.each([
    ['dependency-pending', 'waiting-for-dependency'],
    ['transaction', 'waiting-for-dependency'],
    ['dependency-failed', 'dependency-failed'],
    ['environment-unsatisfiable', 'environment-unsatisfiable'],
    ['refused', 'build-refused'],
  ] as const)('a build that waits (%s) says for what', async (reason, kind) => {
    const world = await proposed();
    const wait: Wait = {
      package: 'zlib',
      version: '1.1-r0',
      target: 'x86_64-gnu',
      purpose: 7,
      reason,
      because: 'libgreet is being built',
      on: ['libgreet'],
    };
    await world.ledger.put('wait', '7/zlib/x86_64-gnu', wait, before(2), 'zlib');
    const { blocker, actions } = await ask(world);
    expect(blocker).toMatchObject({ kind, since: before(2), proposal: 7 });
    expect(blocker.text).toContain('libgreet is being built');
    const isDependency = kind === 'dependency-failed' || kind === 'waiting-for-dependency';
    expect(actions.includes('`regrow explain libgreet` says where that one is')).toBe(isDependency);
  });
});

describe('vulnerabilities', () => {
  const finding = {
    advisory: 'GHSA-aaaa-bbbb-cccc',
    aliases: ['CVE-2026-1'],
    package: 'zlib',
    version: '1.0',
    component: 'pkg:github/acme/zlib@1.0',
    fixedIn: ['1.1'],
  };

  test('what the open pull request fixes is said of it', async () => {
    const world = await proposed();
    const fixing = proposal('zlib', 7, '1.1-r0', { fixes: ['CVE-2026-1'] });
    await world.ledger.put('proposal', '7', fixing, before(20), 'zlib');
    await world.ledger.put('finding', 'GHSA-aaaa-bbbb-cccc/zlib', finding, before(25), 'zlib');
    expect((await ask(world)).vulnerabilities[0]?.remedy).toBe('1.1-r0 fixes it: pull request #7');
  });

  test('what nothing fixes yet', async () => {
    const world = await decided(decision('zlib'));
    await world.ledger.put('finding', 'x/zlib', { ...finding, fixedIn: [] }, before(25), 'zlib');
    expect((await ask(world)).vulnerabilities[0]?.remedy).toBe('no release fixes it yet');
  });
});

test('a package that nobody knows has no facts', async () => {
  const world = createWorld();
  const repository = createRepositoryView(world.objects);
  expect(await gatherFacts({ ledger: world.ledger, repository, queue: world.queue }, 'nothing')).toBeUndefined();
});

test.each(blockerKindSchema.options)('%s has a state, a next step and sentences', (kind) => {
  const blocker = { kind, text: '', tail: [] };
  const facts = {
    package: 'zlib',
    builds: [],
    verdicts: new Map(),
    findings: [],
    published: [],
    waits: [],
    problems: [],
    jobs: [],
  };
  expect(stateOf(kind, settings)).toBeTruthy();
  expect(nextStep(blocker, facts, settings).text).not.toBe('');
  for (const action of actionsFor(blocker, facts)) expect(action).not.toMatch(/undefined/);
});
