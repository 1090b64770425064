import { beforeEach, expect, test } from 'vitest';
import { type JobPayload, type JobType, jobId } from '../../../src/jobs/catalogue.ts';
import type { JobState, Queues } from '../../../src/jobs/queues.ts';
import type { Artifact } from '../../../src/model/artifact.ts';
import { sha256 } from '../../../src/model/canonical.ts';
import type { Finding } from '../../../src/model/finding.ts';
import type { Generation } from '../../../src/model/publication.ts';
import type { PublishRequest, VerifyRequest } from '../../../src/model/request.ts';
import type { Result } from '../../../src/model/result.ts';
import { unproven, type Verdict } from '../../../src/model/verdict.ts';
import { blobKey, type Objects } from '../../../src/ports/objects.ts';
import { currentKey, encodeJson, generationKey } from '../../../src/publish/manifest.ts';
import { type Book, openBook } from '../../../src/roles/conductor/book.ts';
import type { PurposePlan } from '../../../src/roles/conductor/building.ts';
import type { ConductorContext } from '../../../src/roles/conductor/context.ts';
import { recordGenerations } from '../../../src/roles/conductor/generations.ts';
import { hasPassed, recordVerdicts } from '../../../src/roles/conductor/judging.ts';
import { publishReady } from '../../../src/roles/conductor/publishing.ts';
import { recordRefusals } from '../../../src/roles/conductor/refusals.ts';
import type { World } from '../../../src/roles/conductor/world.ts';
import { readRequest, requestDigest, storeResult } from '../../../src/roles/effects.ts';
import { verdictDigest } from '../../../src/roles/sealing.ts';
import { findingsStamp, gateSetVersion } from '../../../src/verify/verify.ts';
import { createManualClock, type ManualClock } from '../../fakes/manual-clock.ts';
import { createMemoryLedger } from '../../fakes/memory-ledger.ts';
import { createMemoryObjects } from '../../fakes/memory-objects.ts';
import { artifactOf, resolvedRecipeOf } from '../../support/packages.ts';

const target = 'x86_64-gnu';
const none = { before: [], after: [] };

let jobs: Map<string, { state: JobState; type: JobType; request: string }>;
let clock: ManualClock;
let objects: Objects;
let book: Book;
let context: ConductorContext;
beforeEach(async () => {
  jobs = new Map();
  const queues: Pick<Queues, 'find' | 'enqueue' | 'forget'> = {
    find: async <T extends JobType>(type: T, payload: JobPayload<T>) => jobs.get(jobId(type, payload))?.state,
    async enqueue(type, payload) {
      const id = jobId(type, payload);
      const { request } = payload as { request: string };
      if (!jobs.has(id)) jobs.set(id, { state: 'waiting', type, request });
      return id;
    },
    async forget(type, payload) {
      jobs.delete(jobId(type, payload));
    },
  };
  clock = createManualClock('2026-06-01T09:00:00Z');
  objects = createMemoryObjects();
  book = await openBook(createMemoryLedger(), clock);
  context = { book, objects, queues, clock, settings: { targets: [target] } } as unknown as ConductorContext;
});

function planOf(...artifacts: readonly Artifact[]): PurposePlan {
  const builds = artifacts.map((artifact) => ({
    need: {
      target,
      urgency: 'normal',
      resolved: { ...resolvedRecipeOf(artifact.info.origin), fullVersion: artifact.info.version },
    },
    buildKey: `key-${artifact.info.name}-${artifact.info.version}`,
    attempt: {
      state: 'passed',
      attempt: 1,
      request: `request-${artifact.info.name}`,
      result: { artifacts: [artifact] },
    },
  }));
  return { purpose: 'main', builds, waits: [] } as unknown as PurposePlan;
}

function generationOf(number: number, added: readonly string[] = []): Generation {
  const at = clock.now().toISOString();
  return { schema: 1, generation: number, token: 1, at, targets: {}, added: [...added], removed: [] };
}

function worldOf(generation: Generation | undefined, ...published: readonly Artifact[]): World {
  return { generation, published: new Map([[target, published]]), problems: new Map() } as unknown as World;
}

/** The requests of the jobs that wait, by the packages that they are about. */
async function waiting<K extends 'verify' | 'publish'>(type: K) {
  const keys = [...jobs.values()].filter((job) => job.type === type && job.state === 'waiting');
  return Promise.all(keys.map(async ({ request: key }) => ({ key, request: await readRequest(objects, key, type) })));
}

function verdictsOf(request: VerifyRequest, refused: readonly string[] = []): Verdict[] {
  return request.builds.map(({ buildKey, package: name, version, artifacts = '' }) => ({
    buildKey,
    package: name,
    version,
    gateSet: gateSetVersion,
    passed: !refused.includes(name),
    gates: refused.includes(name) ? [{ gate: 'datahash', outcome: 'failed' as const, because: 'no' }] : [],
    at: clock.now().toISOString(),
    findings: findingsStamp(request.findings, name),
    artifacts,
    seal: 'c2VhbGVk',
  }));
}

async function finish(result: Result): Promise<void> {
  await storeResult(objects, result);
  for (const job of jobs.values()) {
    if (result.effect === `${job.type}-${requestDigest(job.request)}`) job.state = 'completed';
  }
}

/** Answers every verify job that waits. */
async function answerVerify(generation: number, refused: readonly string[] = []): Promise<string[][]> {
  const asked = await waiting('verify');
  for (const { key, request } of asked) {
    const effect = `verify-${requestDigest(key)}`;
    const at = clock.now().toISOString();
    await finish({ kind: 'verified', effect, at, generation, verdicts: verdictsOf(request, refused) });
  }
  return asked.map(({ request }) => request.packages);
}

const namesOf = (request: PublishRequest) => request.add.map(({ artifact }) => artifact.info.name);
const lib = artifactOf({ name: 'lib', version: '1-r0', provides: ['so:lib.so.1=1'] });
const user = artifactOf({ name: 'user', version: '1-r0', depends: ['so:lib.so.1'] });
const data = artifactOf({ name: 'data', version: '1-r0' });

test('what needs each other is judged together, the rest alone; more builds make nothing be judged again', async () => {
  await publishReady(context, worldOf(undefined), planOf(lib, user), () => none);
  expect(await answerVerify(0)).toEqual([['lib', 'user']]);
  await publishReady(context, worldOf(undefined), planOf(lib, user, data), () => none);
  expect(await answerVerify(0)).toEqual([['data']]);
  const [first] = await waiting('publish');
  expect(first === undefined ? [] : namesOf(first.request)).toEqual(['lib', 'user']);
});

test('what is refused keeps back what needs it alone, and is judged again when the repository has changed', async () => {
  const plan = planOf(lib, user, data);
  await publishReady(context, worldOf(undefined), plan, () => none);
  await answerVerify(0, ['lib']);
  await publishReady(context, worldOf(undefined), plan, () => none);
  const [asked] = await waiting('publish');
  expect(asked === undefined ? [] : namesOf(asked.request)).toEqual(['data']);
  // Beside what passed, it is asked once more in this generation, and then no more.
  await publishReady(context, worldOf(undefined), plan, () => none);
  expect(await answerVerify(0, ['lib'])).toEqual([['lib']]);
  await publishReady(context, worldOf(undefined), plan, () => none);
  expect(await waiting('verify')).toEqual([]);
  expect(book.get('wait', `main/user/${target}`)?.value.on).toEqual(['lib']);
  await publishReady(context, worldOf(generationOf(1), data), planOf(lib, user), () => none);
  expect(await answerVerify(1)).toEqual([['lib']]);
  await publishReady(context, worldOf(generationOf(1), data), planOf(lib, user), () => none);
  expect((await waiting('verify')).length).toBe(0);
});

test('a verdict is kept when it comes, whatever is asked by then; other findings make it be asked again', async () => {
  const flaw = { advisory: 'X-1', aliases: [], package: 'data', version: '1', component: '', fixedIn: [] } as Finding;
  const [build] = planOf(data).builds;
  if (build === undefined) throw new Error('no build');
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  const [asked] = await waiting('verify');
  if (asked === undefined) throw new Error('nothing was asked');
  const at = clock.now().toISOString();
  await recordVerdicts(context, { kind: 'verified', effect: 'old', at, verdicts: verdictsOf(asked.request) });
  expect(hasPassed(context, build, none)).toBe(true);
  expect(hasPassed(context, build, { before: [], after: [{ ...flaw, package: 'other' }] })).toBe(true);
  expect(hasPassed(context, build, { before: [], after: [flaw] })).toBe(false);
  const older = verdictsOf(asked.request, ['data']).map((one) => ({ ...one, at: '2020-01-01T00:00:00.000Z' }));
  await recordVerdicts(context, { kind: 'verified', effect: 'older', at, verdicts: older });
  expect(hasPassed(context, build, none)).toBe(true);
});

test('a verdict holds for the packages that were judged, and for no others under the same build key', async () => {
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  await answerVerify(0);
  const plan = planOf(data);
  // Of another attempt, or left there by a builder after the first was judged.
  const other = { ...data, digest: 'f'.repeat(64) };
  const builds = plan.builds.map((build) => ({
    ...build,
    attempt: { ...build.attempt, result: { artifacts: [other] } },
  }));
  const changed = { ...plan, builds } as unknown as PurposePlan;
  await publishReady(context, worldOf(undefined), changed, () => none);
  expect(await waiting('publish')).toEqual([]);
  const [judged] = await waiting('verify');
  expect(judged?.request.builds).toMatchObject([
    { request: 'request-data', makes: [{ name: 'data', claims: { provides: [], replaces: [] } }] },
  ]);
  await answerVerify(0);
  await publishReady(context, worldOf(undefined), changed, () => none);
  const [asked] = await waiting('publish');
  expect(asked?.request.add).toMatchObject([{ request: 'request-data', artifact: { digest: other.digest } }]);
});

test('what the publisher refused is a problem and is left out while it is the same; the rest goes on', async () => {
  await publishReady(context, worldOf(undefined), planOf(lib, data), () => none);
  await answerVerify(0);
  await publishReady(context, worldOf(undefined), planOf(lib, data), () => none);
  const [asked] = await waiting('publish');
  if (asked === undefined) throw new Error('nothing is to be published');
  const effect = `publish-${requestDigest(asked.key)}`;
  const refused = [{ package: 'data', code: 'package.conflict', message: 'no', digests: [data.digest] }];
  await finish({ kind: 'published', effect, at: clock.now().toISOString(), generation: generationOf(1), refused });
  await publishReady(context, worldOf(undefined), planOf(lib, data), () => none);
  const world = worldOf(generationOf(1), lib);
  await publishReady(context, world, planOf(data), () => none);
  expect(world.problems.get('publish/data')).toMatchObject({ code: 'package.conflict' });
  expect(await waiting('publish')).toEqual([]);
  const other = artifactOf({ name: 'data', version: '1-r1' });
  await publishReady(context, world, planOf(other), () => none);
  await answerVerify(1);
  await publishReady(context, world, planOf(other), () => none);
  expect((await waiting('publish')).map(({ request }) => namesOf(request))).toEqual([['data']]);
});

/** Has data asked for, judged as `forge` leaves it, and refused by the publisher for its verdict. */
async function refuseVerdict(forge: (verdict: Verdict) => Verdict): Promise<string> {
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  const [asked] = await waiting('verify');
  if (asked === undefined) throw new Error('nothing was asked');
  const at = clock.now().toISOString();
  const verdicts = verdictsOf(asked.request).map(forge);
  await finish({ kind: 'verified', effect: `verify-${requestDigest(asked.key)}`, at, generation: 0, verdicts });
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  const [publication] = await waiting('publish');
  if (publication === undefined) throw new Error('nothing is to be published');
  expect(publication.request.verdicts).toEqual(verdicts);
  const effect = `publish-${requestDigest(publication.key)}`;
  const doubted = verdicts.map((verdict) => ({ buildKey: verdict.buildKey, verdict: verdictDigest(verdict) }));
  const refused = [{ package: 'data', code: unproven, message: 'no', digests: [data.digest], doubted }];
  const result = { kind: 'published' as const, effect, at, refused };
  await finish(result);
  await recordRefusals(context, result);
  return asked.key;
}

test('a verdict that the publisher does not believe is not believed again: it is judged anew, at once and then rarely', async () => {
  const world = worldOf(undefined);
  const key = await refuseVerdict((verdict) => ({ ...verdict, seal: 'Zm9yZ2Vk' }));
  await publishReady(context, world, planOf(data), () => none);
  expect(world.problems.get('publish/data')).toMatchObject({ code: unproven });
  // The job was done a moment ago; its result is away already, and it is done again when it has rested.
  expect(await objects.has(`results/verify-${requestDigest(key)}.json`)).toBe(false);
  expect(await waiting('verify')).toEqual([]);
  clock.advance(61_000);
  // Somebody puts a false one there once more.
  await refuseVerdict((verdict) => ({ ...verdict, seal: 'YWdhaW4=' }));
  clock.advance(9 * 60_000);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  expect(await waiting('verify')).toEqual([]);
  clock.advance(61_000);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  expect(await answerVerify(0)).toEqual([['data']]);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  expect((await waiting('publish')).map(({ request }) => namesOf(request))).toEqual([['data']]);
});

test('a verdict of before publishers signed what they judged is judged again once', async () => {
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  const [asked] = await waiting('verify');
  if (asked === undefined) throw new Error('nothing was asked');
  const at = clock.now().toISOString();
  const verdicts = verdictsOf(asked.request).map((verdict) => ({ ...verdict, seal: undefined }));
  const old: Result = { kind: 'verified', effect: `verify-${requestDigest(asked.key)}`, at, generation: 0, verdicts };
  await finish(old);
  await recordVerdicts(context, old);
  for (const verdict of verdicts) await book.put('verdict', verdict.buildKey, verdict, 'data');
  clock.advance(61_000);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  expect(await waiting('publish')).toEqual([]);
  expect(await answerVerify(0)).toEqual([['data']]);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  expect(await waiting('verify')).toEqual([]);
  expect((await waiting('publish')).map(({ request }) => namesOf(request))).toEqual([['data']]);
});

test('what was published and is there no more, because the pointer was put back, is published again', async () => {
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  await answerVerify(0);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  const [asked] = await waiting('publish');
  if (asked === undefined) throw new Error('nothing is to be published');
  const effect = `publish-${requestDigest(asked.key)}`;
  const done = generationOf(1);
  await finish({ kind: 'published', effect, at: clock.now().toISOString(), generation: done });
  // The world was looked at before it was published: the pointer is another one by now.
  await objects.put(currentKey, encodeJson(done));
  clock.advance(120_000);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  expect(await waiting('publish')).toEqual([]);
  await objects.remove(currentKey);
  await publishReady(context, worldOf(undefined), planOf(data), () => none);
  expect((await waiting('publish')).map(({ request }) => namesOf(request))).toEqual([['data']]);
});

test('generations that came while nobody looked are told, oldest first', async () => {
  await recordGenerations(context, worldOf(generationOf(1, [`lib-1-r0 ${target}`]), lib));
  const packages = encodeJson([lib, user]);
  const digest = sha256(packages);
  await objects.put(blobKey(digest), packages);
  const second = {
    ...generationOf(2, [`user-1-r0 ${target}`]),
    targets: { [target]: { index: 'ab', packages: digest } },
  };
  await objects.put(generationKey(2), encodeJson(second));
  await recordGenerations(context, worldOf(generationOf(3, [`data-1-r0 ${target}`]), lib, user, data));
  expect([...book.all('publication')].map(({ key }) => key)).toEqual(['1', '2', '3']);
  expect(await book.tell({ id: 'published/2/user', kind: 'published', text: '' })).toBe(false);
});
