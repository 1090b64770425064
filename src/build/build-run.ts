import { toRegrowError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import {
  type BuildFailure,
  type BuildResult,
  type BuildSource,
  buildResultSchema,
  type TestResult,
} from '../model/build.ts';
import type { Clock } from '../ports/clock.ts';
import { type Objects, stagingKey } from '../ports/objects.ts';
import { type BuildLog, createBuildLog } from './build-log.ts';
import { buildFailure, isPassing } from './failure.ts';
import type { PackagedTree } from './packaging.ts';

/** What a build is known by. */
export interface BuildNames {
  readonly buildKey: string;
  /** Digest of the build request. */
  readonly request: string;
  /** What its steps take for the time, where an engine can have them do that. */
  readonly clock?: StepClock;
}

/** A clock that is ahead of the machine's, by way of libfaketime. */
export interface StepClock {
  /** The library as the machine has it, below `/usr`. */
  readonly library: string;
  readonly secondsAhead: number;
}

/** What every engine needs around a build. */
export interface BuildRunContext {
  readonly objects: Objects;
  readonly clock: Clock;
  readonly limits: { readonly outputLimit: number };
  /** Name of this builder. */
  readonly builder: string;
  /** Takes the log as it grows; `end` resolves when it writes nothing of it any more. */
  readonly liveLog?: { add(buildKey: string, text: string): void; end(buildKey: string): Promise<void> };
}

export interface BuildOutcome {
  readonly packages: readonly PackagedTree[];
  readonly tests: readonly TestResult[];
}

/** What is known of a build that runs, also when it fails. */
export interface BuildProgress {
  readonly log: BuildLog;
  /** The step that is running; for the failure. */
  step: () => string | undefined;
  /** What was fetched until now. */
  sources: () => readonly BuildSource[];
}

/**
 * Runs the work of an engine and leaves packages (unsigned), log and, last, `result.json` in staging. A build that fails is a
 * result; a build that passed before is not run again. Throws what may pass by itself.
 */
export async function runBuild(
  context: BuildRunContext,
  about: { readonly package: string; readonly names: BuildNames },
  work: (progress: BuildProgress) => Promise<BuildOutcome>,
): Promise<BuildResult> {
  const { buildKey, request, clock } = about.names;
  const earlier = await readPassed(context.objects, buildKey);
  if (earlier !== undefined) return earlier;
  const started = context.clock.now();
  const log = createBuildLog(context.limits.outputLimit, (text) => context.liveLog?.add(buildKey, text));
  const progress: BuildProgress = { log, step: () => undefined, sources: () => [] };
  let outcome: BuildOutcome = { packages: [], tests: [] };
  let failure: BuildFailure | undefined;
  try {
    outcome = await work(progress);
    failure = outcome.tests.find((test) => test.outcome === 'failed')?.failure;
  } catch (thrown) {
    const error = toRegrowError(thrown, { package: about.package });
    log.say(`failed: ${error.message}${error.remedy === undefined ? '' : `; ${error.remedy}`}`);
    if (isPassing(error)) throw error;
    failure = buildFailure(error, progress.step(), log.tail(30));
  } finally {
    await context.liveLog?.end(buildKey);
  }
  const kept = failure === undefined ? outcome.packages : [];
  const result: BuildResult = {
    schema: 1,
    buildKey,
    request,
    outcome: failure === undefined ? 'passed' : 'failed',
    artifacts: kept.map(({ artifact }) => artifact),
    tests: [...outcome.tests],
    ...(failure === undefined ? {} : { failure }),
    log: stagingKey(buildKey, 'log'),
    startedAt: started.toISOString(),
    milliseconds: context.clock.now().getTime() - started.getTime(),
    builder: context.builder,
    sources: [...progress.sources()],
    ...(clock === undefined ? {} : { secondsAhead: clock.secondsAhead }),
  };
  await leave(context.objects, result, kept, log);
  return result;
}

/** What came of it before, where it passed and its packages are still there. */
async function readPassed(objects: Objects, buildKey: string): Promise<BuildResult | undefined> {
  const object = await objects.get(stagingKey(buildKey, 'result.json'));
  if (object === undefined) return undefined;
  const parsed = buildResultSchema.safeParse(JSON.parse(new TextDecoder().decode(object.bytes)));
  if (!parsed.success || parsed.data.outcome !== 'passed') return undefined;
  for (const artifact of parsed.data.artifacts) {
    if (!(await objects.has(packageKey(buildKey, artifact)))) return undefined;
  }
  return parsed.data;
}

function packageKey(buildKey: string, { info }: Artifact): string {
  return stagingKey(buildKey, `${info.name}-${info.version}.apk`);
}

/** Packages and log first; `result.json` says that all the rest is there. */
async function leave(
  objects: Objects,
  result: BuildResult,
  packages: readonly PackagedTree[],
  log: BuildLog,
): Promise<void> {
  for (const { artifact, bytes } of packages) {
    await objects.put(packageKey(result.buildKey, artifact), bytes);
  }
  await objects.put(result.log, log.bytes());
  await objects.put(stagingKey(result.buildKey, 'result.json'), Buffer.from(JSON.stringify(result)));
}
