import { toRegrowError } from '../../errors.ts';
import { readApk } from '../../formats/apk.ts';
import type { Artifact } from '../../model/artifact.ts';
import { type BuildRequest, type TestResult } from '../../model/build.ts';
import { parseDependency } from '../../model/dependency.ts';
import type { ResolvedPackage, ResolvedTest } from '../../model/recipe/resolved.ts';
import { createPackageIndex, solve } from '../../model/solve.ts';
import { type Libc, parseTarget } from '../../model/target.ts';
import type { Workspace } from '../../ports/workspace.ts';
import type { BuildLog } from '../build-log.ts';
import { buildFailure, isPassing } from '../failure.ts';
import { type EnvironmentPackage, readLocked } from '../locked.ts';
import type { PackagedTree } from '../packaging.ts';
import { writeFiles } from '../recipe-files.ts';
import type { HostEngineContext } from './context.ts';
import { hostCommands } from './host-tools.ts';
import { baseEnvironment, makeRoot } from './root.ts';
import { createStepRunner, type StepRunner } from './step-runner.ts';

export interface TestRun {
  readonly request: BuildRequest;
  readonly package: ResolvedPackage;
  readonly test: ResolvedTest;
  /** What this build made. */
  readonly built: readonly PackagedTree[];
  readonly workspace: Workspace;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

/**
 * Runs the `test:` pipeline of one package in a root of its own: the package as it was just made, everything it depends on,
 * and the packages that the test asks for. Throws only what may pass by itself.
 */
export async function runTest(run: TestRun, context: HostEngineContext): Promise<TestResult> {
  const { request, log, workspace, test } = run;
  const { name } = run.package;
  const { libc } = parseTarget(request.target);
  const base = `test-${name}`;
  log.say(`test of ${name}`);
  let runner: StepRunner | undefined;
  try {
    const packages = await installed(run, context, libc);
    log.say(`installed: ${packages.map(({ apk }) => `${apk.info.name} ${apk.info.version}`).join(', ')}`);
    await makeRoot(workspace, `${base}/root`, packages, libc);
    await writeFiles(workspace, `${base}/build`, request);
    const environment = { ...baseEnvironment(libc, request.recorded.sourceDateEpoch), ...test.environment };
    const commands = hostCommands(context.hostTools, request.testEnvironments[name]?.host ?? [], libc);
    const place = { root: `${base}/root`, build: `${base}/build`, script: `${base}/script` };
    runner = await createStepRunner(
      {
        ...place,
        workspace,
        sourceDateEpoch: request.recorded.sourceDateEpoch,
        package: name,
        environment,
        commands,
        log,
        signal: run.signal,
      },
      context,
    );
    await runner.run(test.steps);
    log.say(`test of ${name}: passed`);
    return { package: name, outcome: 'passed' };
  } catch (thrown) {
    const error = toRegrowError(thrown, { package: name });
    if (isPassing(error)) throw error;
    log.say(`test of ${name}: failed: ${error.message}`);
    return { package: name, outcome: 'failed', failure: buildFailure(error, runner?.current(), log.tail(30)) };
  } finally {
    await workspace.remove(base);
  }
}

async function installed(run: TestRun, context: HostEngineContext, libc: Libc): Promise<readonly EnvironmentPackage[]> {
  const { request, test } = run;
  const { name } = run.package;
  const locked = await readLocked(context.objects, request.testEnvironments[name]?.packages ?? []);
  const own = run.built.map(({ artifact, bytes }) => ({ artifact, bytes }));
  const ownNames = new Set(own.map(({ artifact }) => artifact.info.name));
  // What was just built stands in for what is published of it.
  const others = locked.filter((one) => !ownNames.has(one.name));
  const index = createPackageIndex([
    ...own.map(({ artifact }) => artifact),
    ...others.map(
      ({ apk }): Artifact => ({ info: apk.info, target: request.target, digest: '', bytes: 0, checksum: apk.checksum }),
    ),
  ]);
  const wanted = test.packages.filter((text) => {
    const dependency = parseDependency(text);
    return dependency.conflict || index.byName.has(dependency.name);
  });
  const chosen = solve(index, [
    `${name}=${run.built.find((one) => one.artifact.info.name === name)?.artifact.info.version}`,
    ...wanted,
  ]);
  return chosen.map(({ info }) => {
    const built = own.find(({ artifact }) => artifact.info.name === info.name);
    const other = others.find((one) => one.name === info.name);
    if (built !== undefined) return { name: info.name, apk: readApk(built.bytes) };
    if (other !== undefined) return other;
    throw new Error(`${info.name} was chosen for a test in a ${libc} root and is not there`);
  });
}
