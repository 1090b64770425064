import { isDeepStrictEqual } from 'node:util';
import type { Artifact } from '../../model/artifact.ts';
import type { Wait } from '../../model/plan.ts';
import type { PublishRequest, VerifyRequest } from '../../model/request.ts';
import type { TargetName } from '../../model/target.ts';
import type { PlannedBuild } from '../../plan/lock-build.ts';
import { planPublication, tieCandidates } from '../../plan/ties.ts';
import { type Candidate, planTransaction, type Transaction } from '../../plan/transaction.ts';
import { readCurrent } from '../../publish/manifest.ts';
import { readResult, requestDigest, resultKey, storeRequest } from '../effects.ts';
import { type PurposePlan, stagedKey } from './building.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { hasPassed, judge } from './judging.ts';
import { isRefused, recordRefusals } from './refusals.ts';
import type { World } from './world.ts';

type Builds = readonly PlannedBuild[];

/** How long what could not be published rests before it is asked for again: a person may have mended the store. Milliseconds. */
const restAfterFailure = 10 * 60_000;
/** Cursor that holds the effect of the newest publication and its request. */
const newest = 'publication/newest';

/**
 * Publishes what main asks for and what can be published: recipes built on every target that they are for, together as far
 * as they need each other, each with a verdict for it. What belongs together is judged together; what is refused or not
 * judged yet keeps back only what cannot be there without it.
 */
export async function publishReady(
  context: ConductorContext,
  world: World,
  plan: PurposePlan,
  findingsOf: (origins: readonly string[]) => VerifyRequest['findings'],
): Promise<void> {
  const byOrigin = completeBuilds(plan);
  for (const [origin, builds] of byOrigin) {
    const verdicts = builds.map(({ buildKey }) => context.book.get('verdict', buildKey)?.value);
    if (isRefused(context, world, origin, artifactsOf(builds), verdicts)) byOrigin.delete(origin);
  }
  const candidates = [...byOrigin].map(([origin, builds]) => candidate(origin, builds));
  const possible = planTransaction(world.published, candidates);
  const ties = tieCandidates(world.published, possible.publish);
  const buildsOf = (origins: readonly string[]) => origins.flatMap((origin) => byOrigin.get(origin) ?? []);
  const ready = new Set<string>();
  for (const group of ties.groups) {
    const findings = findingsOf(group);
    await judge(context, world, 'main', buildsOf(group), findings);
    for (const origin of group) {
      if (buildsOf([origin]).every((build) => hasPassed(context, build, findings))) ready.add(origin);
    }
  }
  const final = planPublication(world.published, possible.publish, ties, (origin) => ready.has(origin));
  await recordHeld(context, byOrigin, [...possible.held, ...final.held]);
  const builds = buildsOf(final.publish.map(({ origin }) => origin));
  if (builds.length > 0) await ensurePublication(context, world, builds);
}

/** The builds of each origin that passed on every target that has a build of it, where nothing of it waits. */
function completeBuilds(plan: PurposePlan): Map<string, Builds> {
  const waiting = new Set(plan.waits.map((wait) => wait.package));
  const byOrigin = new Map<string, PlannedBuild[]>();
  for (const build of plan.builds) {
    const { name } = build.need.resolved;
    const own = byOrigin.get(name);
    if (own === undefined) byOrigin.set(name, [build]);
    else own.push(build);
  }
  for (const [origin, builds] of byOrigin) {
    if (waiting.has(origin) || builds.some((build) => build.attempt?.state !== 'passed')) byOrigin.delete(origin);
  }
  return byOrigin;
}

function artifactsOf(builds: Builds): readonly Artifact[] {
  return builds.flatMap((build) => build.attempt?.result?.artifacts ?? []);
}

function candidate(origin: string, builds: Builds): Candidate {
  const artifacts = new Map<TargetName, readonly Artifact[]>();
  for (const build of builds) artifacts.set(build.need.target, artifactsOf([build]));
  return { origin, artifacts };
}

async function recordHeld(
  context: ConductorContext,
  builds: ReadonlyMap<string, Builds>,
  held: Transaction['held'],
): Promise<void> {
  for (const { candidate: one, because, on } of held) {
    for (const build of builds.get(one.origin) ?? []) {
      const { target, resolved } = build.need;
      const wait: Wait = {
        package: resolved.name,
        version: resolved.fullVersion,
        target,
        purpose: 'main',
        reason: 'transaction',
        because: `it is built, and is published together with others: ${because}`,
        on: [...on],
      };
      await context.book.put('wait', `main/${resolved.name}/${target}`, wait, resolved.name);
    }
  }
}

async function ensurePublication(context: ConductorContext, world: World, builds: Builds): Promise<void> {
  const { objects, book, clock } = context;
  const add = builds
    .flatMap((build) =>
      artifactsOf([build]).map((artifact) => ({
        key: stagedKey(build.buildKey, artifact),
        artifact,
        ...(build.attempt?.request === undefined ? {} : { request: build.attempt.request }),
      })),
    )
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const verdicts = builds.flatMap(({ buildKey }) => book.get('verdict', buildKey)?.value ?? []);
  verdicts.sort((a, b) => (a.buildKey < b.buildKey ? -1 : 1));
  const request: PublishRequest = { kind: 'publish', add, verdicts };
  const key = await storeRequest(objects, request);
  const effect = `publish-${requestDigest(key)}`;
  const urgent = builds.some((build) => build.need.urgency === 'security');
  const result = await readResult(objects, effect, 'published');
  if (result !== undefined) {
    await recordRefusals(context, result);
    const rests = clock.now().getTime() - Date.parse(result.at) < restAfterFailure;
    if (result.failure !== undefined && rests) {
      const { code, message } = result.failure;
      for (const name of new Set(builds.map((build) => build.need.resolved.name))) {
        world.problems.set(`publish/${name}`, { area: 'publish', name, code, message });
      }
      return;
    }
    if (result.refused !== undefined && rests) return;
    const failed = result.failure !== undefined || result.refused !== undefined;
    if (!failed && !(await isUndone(context, world, result.generation))) return;
    // Publishing is idempotent: what came of it once is forgotten, and it is asked again.
    await objects.remove(resultKey(effect));
  } else if (!urgent && (await isUnderway(context, effect))) return;
  await book.put('cursor', newest, { cursor: effect, etag: key });
  await ensureJob(context, 'publish', effect, (attempt) => ({ request: key, attempt }), urgent ? 'security' : 'normal');
}

/**
 * Whether what was published once is not there any more: the pointer was put back. It may also be there since a moment, after
 * the world was looked at; then the pointer is no longer as it was seen.
 */
async function isUndone(context: ConductorContext, world: World, done: World['generation']): Promise<boolean> {
  if (isDeepStrictEqual(done, world.generation)) return false;
  const current = await readCurrent(context.objects);
  return isDeepStrictEqual(current?.generation, world.generation);
}

/**
 * Whether another publication is still to come. What is ready meanwhile goes with the next one: a generation for each package
 * would write the whole index as often as there are packages.
 */
async function isUnderway({ book, queues, objects }: ConductorContext, effect: string): Promise<boolean> {
  const { cursor: other, etag: request } = book.get('cursor', newest)?.value ?? {};
  if (other === undefined || request === undefined || other === effect) return false;
  const attempt = Number(book.get('cursor', `job/${other}`)?.value.cursor ?? 1);
  const state = await queues.find('publish', { request, attempt });
  const isThere = state === 'waiting' || state === 'active' || state === 'delayed';
  return isThere && !(await objects.has(resultKey(other)));
}
