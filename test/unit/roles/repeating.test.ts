import { beforeEach, describe, expect, test } from 'vitest';
import { type JobPayload, type JobType, jobId } from '../../../src/jobs/catalogue.ts';
import type { JobState, Queues } from '../../../src/jobs/queues.ts';
import type { BuildAttempt, BuildFailure, BuildResult } from '../../../src/model/build.ts';
import { sha256 } from '../../../src/model/canonical.ts';
import type { Problem } from '../../../src/model/plan.ts';
import type { DifferencePolicy, Verdict } from '../../../src/model/verdict.ts';
import type { PlannedBuild } from '../../../src/plan/lock-build.ts';
import { type Objects, stagingKey } from '../../../src/ports/objects.ts';
import { startBuilds } from '../../../src/roles/conductor/attempts.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import type { ConductorContext, ConductorSettings } from '../../../src/roles/conductor/context.ts';
import { hasPassed, judge } from '../../../src/roles/conductor/judging.ts';
import {
  differenceOf,
  isCompared,
  rebuildSettings,
  secondAttempt,
  secondBuildKey,
} from '../../../src/roles/conductor/repeating.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { buildEffect, readRequest, storeResult } from '../../../src/roles/effects.ts';
import { artifactsStamp, gateSetVersion } from '../../../src/verify/verify.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { testLog } from '../../support/log.ts';
import { artifactOf, resolvedRecipeOf } from '../../support/packages.ts';

const target = 'x86_64-gnu';
const none = { before: [], after: [] };
const buildKey = sha256('tool');
const again = secondBuildKey(buildKey);

const secondFile = stagingKey(again, 'tool-1.0-r0.apk');

let jobs: Map<string, { readonly type: JobType; readonly payload: Record<string, unknown>; state: JobState }>;
let clock: ManualClock;
let objects: Objects;
let book: Book;
let context: ConductorContext & { settings: ConductorSettings };
beforeEach(async () => {
  jobs = new Map();
  const queues: Pick<Queues, 'find' | 'enqueue' | 'forget'> = {
    find: async <T extends JobType>(type: T, payload: JobPayload<T>) => jobs.get(jobId(type, payload))?.state,
    async enqueue(type, payload) {
      const id = jobId(type, payload);
      if (!jobs.has(id)) jobs.set(id, { type, payload, state: 'waiting' });
      return id;
    },
    async forget(type, payload) {
      jobs.delete(jobId(type, payload));
    },
  };
  clock = createManualClock('2026-06-01T09:00:00Z');
  objects = createMemoryObjects();
  book = await openBook(createMemoryLedger(), clock);
  context = {
    book,
    objects,
    queues,
    clock,
    log: testLog('silent').log,
    settings: { targets: [target], rebuild: { part: 1, difference: 'fail' } },
  } as unknown as ConductorContext;
});

function resultOf(key: string, more: Partial<BuildResult> = {}): BuildResult {
  return {
    schema: 1,
    buildKey: key,
    request: 'the-inputs-of-the-first',
    outcome: 'passed',
    artifacts: [artifactOf({ name: 'tool', version: '1.0-r0' })],
    tests: [],
    log: 'log',
    milliseconds: 1,
    builder: 'one',
    ...more,
  };
}

/** A build that passed, as it is planned. */
function built(): PlannedBuild {
  const attempt: BuildAttempt = {
    buildKey,
    attempt: 1,
    package: 'tool',
    version: '1.0-r0',
    target,
    // What main would ask for now; the packages came from the request that the result names.
    request: 'what-is-asked-now',
    state: 'passed',
    purpose: 'main',
    why: 'main has it',
    urgency: 'security',
    queuedAt: '2026-06-01T08:00:00.000Z',
    finishedAt: '2026-06-01T08:10:00.000Z',
    result: resultOf(buildKey),
  };
  const need = { target, urgency: 'security', resolved: { ...resolvedRecipeOf('tool'), fullVersion: '1.0-r0' } };
  return { need, buildKey, attempt } as unknown as PlannedBuild;
}

function builds(): readonly Record<string, unknown>[] {
  return [...jobs.values()].filter(({ type }) => type === 'build').map(({ payload }) => payload);
}

async function round(): Promise<void> {
  await objects.put(stagingKey(buildKey, 'tool-1.0-r0.apk'), Buffer.from('the first'));
  const problems = new Map<string, Problem>();
  await startBuilds(context, [built()], problems);
  expect([...problems.values()]).toEqual([]);
}

/** What comes of the newest second build. */
async function endSecond(more: Partial<BuildResult> = {}): Promise<void> {
  const attempt = secondAttempt(context, buildKey)?.attempt ?? 0;
  const effect = buildEffect({ buildKey: again, attempt });
  const build = resultOf(again, { builder: 'two', ...more });
  await storeResult(objects, { kind: 'built', effect, at: clock.now().toISOString(), attempt, build });
  await objects.put(secondFile, Buffer.from('the second'));
  for (const job of jobs.values()) if (job.payload['buildKey'] === again) job.state = 'completed';
}

function ask(): ReturnType<typeof judge> {
  const world = { generation: undefined, published: new Map(), problems: new Map() } as unknown as World;
  return judge(context, world, 'main', [built()], none);
}

async function judgedWith() {
  const [job] = [...jobs.values()].filter(({ type }) => type === 'verify').slice(-1);
  if (job === undefined) return undefined;
  return (await readRequest(objects, String(job.payload['request']), 'verify')).builds[0]?.rebuild;
}

describe('a build that passed', () => {
  test('is built once more, from its own inputs, not by the same builder; and is not judged before', async () => {
    await round();
    await round();
    expect(builds()).toEqual([
      {
        buildKey: again,
        attempt: 1,
        delivery: 1,
        request: 'the-inputs-of-the-first',
        package: 'tool',
        version: '1.0-r0',
        target,
        not: 'one',
      },
    ]);
    expect(await ask()).toBeUndefined();
    expect([...jobs.values()].map(({ type }) => type)).toEqual(['build']);
    await endSecond();
    await round();
    expect(secondAttempt(context, buildKey)).toMatchObject({ state: 'passed', repeats: buildKey, urgency: 'security' });
    expect(await ask()).toBeUndefined();
    expect(await judgedWith()).toEqual({ buildKey: again, attempt: 1, difference: 'fail' });
    await round();
    expect(builds()).toHaveLength(1);
  });

  test('has its second build tried again when a machine failed, and judged when the package did', async () => {
    const failure = (kind: BuildFailure['class']) => ({
      outcome: 'failed' as const,
      failure: { class: kind, code: 'build.step-failed', message: 'no', tail: [] },
    });
    await round();
    await endSecond(failure('infrastructure'));
    await round();
    await round();
    expect(secondAttempt(context, buildKey)).toMatchObject({ attempt: 2, state: 'queued' });
    expect(await ask()).toBeUndefined();
    expect(await judgedWith()).toBeUndefined();
    await endSecond(failure('package'));
    await round();
    await round();
    expect(secondAttempt(context, buildKey)).toMatchObject({ attempt: 2, state: 'failed' });
    await ask();
    expect(await judgedWith()).toEqual({ buildKey: again, attempt: 2, difference: 'fail' });
  });

  test('has its second build made again when its packages were removed as unused', async () => {
    await round();
    await endSecond();
    await round();
    await objects.remove(secondFile);
    await round();
    expect(secondAttempt(context, buildKey)).toMatchObject({ attempt: 2, state: 'queued' });
    expect(await ask()).toBeUndefined();
  });

  test('is judged at once where nothing is repeated', async () => {
    context.settings = { ...context.settings, rebuild: undefined };
    await round();
    await ask();
    expect([...jobs.values()].map(({ type }) => type)).toEqual(['verify']);
    expect(await judgedWith()).toBeUndefined();
  });

  test('is judged again once it is to be compared, or a difference comes to more than before', async () => {
    const passed = async (rebuild?: DifferencePolicy) => {
      const { artifacts } = resultOf(buildKey);
      const verdict = {
        passed: true,
        gateSet: gateSetVersion,
        package: 'tool',
        gates: [],
        at: '',
        seal: 'c2VhbA==',
        rebuild,
      };
      await book.put('verdict', buildKey, { ...verdict, artifacts: artifactsStamp(artifacts) } as unknown as Verdict);
      return hasPassed(context, built(), none);
    };
    expect([await passed(), await passed('report'), await passed('fail')]).toEqual([false, false, true]);
    context.settings = { ...context.settings, rebuild: { part: 1, difference: 'report' } };
    expect([await passed(), await passed('report'), await passed('fail')]).toEqual([false, true, true]);
    context.settings = { ...context.settings, rebuild: undefined };
    expect([await passed(), await passed('report'), await passed('fail')]).toEqual([true, true, true]);
  });
});

describe('which builds are repeated', () => {
  const settings = (part: number) => ({ rebuild: { part, difference: 'fail' } }) as ConductorSettings;

  test('is decided by their key, about as many as the sample says', () => {
    const keys = Array.from({ length: 4000 }, (_, number) => sha256(String(number)));
    const share = (part: number) => keys.filter((key) => differenceOf(settings(part), key) !== undefined);
    expect(share(1)).toHaveLength(4000);
    expect(share(0.1).length).toBeGreaterThan(300);
    expect(share(0.1).length).toBeLessThan(500);
    expect(share(0.1)).toEqual(share(0.1));
    expect(share(0.5)).toEqual(expect.arrayContaining(share(0.1)));
  });

  test('follows the configuration', () => {
    const common = { sample: 0.25, difference: 'report' } as const;
    expect(rebuildSettings({ rebuild: 'never', ...common })).toEqual({});
    expect(rebuildSettings({ rebuild: 'sample', ...common })).toEqual({
      rebuild: { part: 0.25, difference: 'report' },
    });
    expect(rebuildSettings({ rebuild: 'always', ...common })).toEqual({ rebuild: { part: 1, difference: 'report' } });
    expect(isCompared({} as Verdict, undefined)).toBe(true);
  });
});
