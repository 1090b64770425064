import type { BuildAttempt } from '../model/build.ts';
import type { BuildSummary } from '../model/explanation.ts';
import type { QueueJob } from '../model/queue.ts';
import type { Verdict } from '../model/verdict.ts';

/** The job that runs an attempt, where it is in the queue. */
export function jobOf(build: BuildAttempt, jobs: readonly QueueJob[]): QueueJob | undefined {
  return jobs.find(
    (job) =>
      job.type === 'build' &&
      job.payload['buildKey'] === build.buildKey &&
      (job.payload['attempt'] === undefined || job.payload['attempt'] === build.attempt),
  );
}

function stateOf(build: BuildAttempt, verdict: Verdict | undefined, job: QueueJob | undefined): BuildSummary['state'] {
  switch (build.state) {
    case 'queued':
      return job?.state === 'active' ? 'running' : 'waiting';
    case 'failed':
      return 'failed';
    case 'passed':
      if (verdict === undefined) return 'passed';
      return verdict.passed ? 'verified' : 'refused';
  }
}

/** A build attempt as a row. */
export function summariseBuild(
  build: BuildAttempt,
  verdicts: ReadonlyMap<string, Verdict>,
  jobs: readonly QueueJob[],
): BuildSummary {
  const job = build.state === 'queued' ? jobOf(build, jobs) : undefined;
  return {
    key: build.buildKey,
    attempt: build.attempt,
    package: build.package,
    version: build.version,
    target: build.target,
    state: stateOf(build, verdicts.get(build.buildKey), job),
    ...(job?.position === undefined ? {} : { position: job.position }),
    why: build.why,
    urgency: build.urgency,
    queuedAt: build.queuedAt,
    ...(build.finishedAt === undefined ? {} : { finishedAt: build.finishedAt }),
    ...(build.result === undefined ? {} : { milliseconds: build.result.milliseconds }),
  };
}

/** Newest first. */
export function newestFirst(builds: readonly BuildAttempt[]): BuildAttempt[] {
  return [...builds].sort((a, b) =>
    a.queuedAt === b.queuedAt ? b.attempt - a.attempt : a.queuedAt < b.queuedAt ? 1 : -1,
  );
}

/** Of each package and target the newest attempt, newest first; second builds, which are only compared, left out. */
export function latestBuilds(builds: readonly BuildAttempt[]): BuildAttempt[] {
  const latest = new Map<string, BuildAttempt>();
  for (const build of newestFirst(builds)) {
    if (build.repeats !== undefined) continue;
    const key = `${build.package} ${build.target}`;
    if (!latest.has(key)) latest.set(key, build);
  }
  return [...latest.values()];
}
