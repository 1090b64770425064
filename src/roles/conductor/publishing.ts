import { compareApkVersions } from '../../model/apk-version.ts';
import type { Artifact } from '../../model/artifact.ts';
import type { Finding } from '../../model/finding.ts';
import type { Wait } from '../../model/plan.ts';
import type { PublishRequest } from '../../model/request.ts';
import type { TargetName } from '../../model/target.ts';
import type { PlannedBuild } from '../../plan/build-plan.ts';
import { type Candidate, planTransaction } from '../../plan/transaction.ts';
import { readResult, requestDigest, storeRequest } from '../effects.ts';
import { type PurposePlan, stagedKey } from './building.ts';
import type { ConductorContext } from './context.ts';
import { ensureJob } from './ensure.ts';
import { judge } from './judging.ts';
import type { World } from './world.ts';

/**
 * Publishes what main asks for and what can be published: recipes built on every target that they are for, together as far
 * as they need each other, each with a verdict for it.
 */
export async function publishReady(
  context: ConductorContext,
  world: World,
  plan: PurposePlan,
  findingsOf: (origins: readonly string[]) => {
    readonly before: readonly Finding[];
    readonly after: readonly Finding[];
  },
): Promise<void> {
  const byOrigin = completeBuilds(plan);
  const refused = new Set<string>();
  for (const [origin, builds] of byOrigin) {
    const verdicts = builds.map((build) => context.book.get('verdict', build.buildKey)?.value);
    const stale = verdicts.some((verdict) => verdict?.passed === false);
    if (stale && (await judge(context, world, 'main', builds, findingsOf([origin]))) === undefined) refused.add(origin);
    if (builds.some((build) => context.book.get('verdict', build.buildKey)?.value.passed === false))
      refused.add(origin);
  }
  const candidates = [...byOrigin]
    .filter(([origin]) => !refused.has(origin))
    .map(([origin, builds]) => candidate(origin, builds));
  const transaction = planTransaction(world.published, candidates);
  await recordHeld(context, byOrigin, transaction.held);
  if (transaction.publish.length === 0) return;

  const builds = transaction.publish.flatMap(({ origin }) => byOrigin.get(origin) ?? []);
  const verdicts = await judge(
    context,
    world,
    'main',
    builds,
    findingsOf(transaction.publish.map(({ origin }) => origin)),
  );
  if (verdicts === undefined || verdicts.some((verdict) => !verdict.passed)) return;
  await ensurePublication(context, world, builds);
}

/** The builds of each origin that passed on every target that has a build of it, where nothing of it waits. */
function completeBuilds(plan: PurposePlan): ReadonlyMap<string, readonly PlannedBuild[]> {
  const waiting = new Set(plan.waits.map((wait) => wait.package));
  const byOrigin = new Map<string, PlannedBuild[]>();
  for (const build of plan.builds) {
    const { name } = build.need.resolved;
    byOrigin.set(name, [...(byOrigin.get(name) ?? []), build]);
  }
  for (const [origin, builds] of byOrigin) {
    if (waiting.has(origin) || builds.some((build) => build.attempt?.state !== 'passed')) byOrigin.delete(origin);
  }
  return byOrigin;
}

function candidate(origin: string, builds: readonly PlannedBuild[]): Candidate {
  const artifacts = new Map<TargetName, readonly Artifact[]>();
  for (const build of builds) artifacts.set(build.need.target, build.attempt?.result?.artifacts ?? []);
  return { origin, artifacts };
}

async function recordHeld(
  context: ConductorContext,
  builds: ReadonlyMap<string, readonly PlannedBuild[]>,
  held: ReturnType<typeof planTransaction>['held'],
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

async function ensurePublication(
  context: ConductorContext,
  world: World,
  builds: readonly PlannedBuild[],
): Promise<void> {
  const add = builds
    .flatMap((build) =>
      (build.attempt?.result?.artifacts ?? []).map((artifact) => ({
        key: stagedKey(build.buildKey, artifact),
        artifact,
      })),
    )
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const request: PublishRequest = { kind: 'publish', add };
  const key = await storeRequest(context.objects, request);
  const effect = `publish-${requestDigest(key)}`;
  const result = await readResult(context.objects, effect, 'published');
  if (result?.failure !== undefined) {
    const { code, message } = result.failure;
    for (const name of new Set(builds.map((build) => build.need.resolved.name))) {
      world.problems.set(`publish/${name}`, { area: 'publish', name, code, message });
    }
    return;
  }
  // A result without a failure and packages that are not there: the pointer was put back. Publishing is idempotent, ask again.
  const urgent = builds.some((build) => build.need.urgency === 'security');
  await ensureJob(context, 'publish', effect, (attempt) => ({ request: key, attempt }), urgent ? 'security' : 'normal');
}

/** Writes down a generation that the ledger does not know yet, with what it added. */
export async function recordGeneration(context: ConductorContext, world: World): Promise<void> {
  const { generation } = world;
  if (generation === undefined) return;
  const key = String(generation.generation);
  if (context.book.holds('publication', key, generation)) return;
  const added = new Map<string, { version: string; targets: string[] }>();
  for (const [target, artifacts] of world.published) {
    for (const { info } of artifacts) {
      if (info.name !== info.origin || !generation.added.includes(`${info.name}-${info.version} ${target}`)) continue;
      const known = added.get(info.name);
      if (known === undefined || compareApkVersions(info.version, known.version) > 0) {
        added.set(info.name, { version: info.version, targets: [target] });
      } else if (known.version === info.version) known.targets.push(target);
    }
  }
  for (const [name, { version, targets }] of added) {
    await context.book.tell({
      id: `published/${key}/${name}`,
      kind: 'published',
      package: name,
      text: `${name} ${version} is published for ${targets.join(', ')} in generation ${key}`,
      facts: { version, generation: generation.generation },
    });
  }
  await context.book.put('publication', key, generation);
}
