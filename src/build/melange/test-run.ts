import { toRegrowError } from '../../errors.ts';
import type { Apk } from '../../formats/apk.ts';
import type { TestResult } from '../../model/build.ts';
import type { ResolvedRecipe } from '../../model/recipe/resolved.ts';
import { parseTarget } from '../../model/target.ts';
import type { Signer } from '../../ports/signer.ts';
import { buildFailure, isPassing } from '../failure.ts';
import { readLocked } from '../locked.ts';
import { type ArgumentFacts, testArguments } from './arguments.ts';
import { directories } from './context.ts';
import { type MelangePosition, type MelangeRun, runMelange } from './melange-run.ts';
import { writeRepository } from './snapshot-folder.ts';

export interface TestsFacts {
  readonly resolved: ResolvedRecipe;
  readonly facts: ArgumentFacts;
  /** Milliseconds. */
  readonly timeout: number;
  /** The packages that were just made. */
  readonly built: readonly Apk[];
  readonly key: Signer;
}

/**
 * `melange test`: the tests of the origin and of its subpackages, each in an environment of its own with the package
 * installed. It ends with the first that fails; those after it were not run. Throws only what may pass by itself.
 */
export async function runTests(run: MelangeRun, tests: TestsFacts): Promise<readonly TestResult[]> {
  const { request, context, workspace, log } = run;
  const { resolved, built, key } = tests;
  const tested = resolved.packages.filter(({ test }) => test !== undefined && test.steps.length > 0);
  if (tested.length === 0) return resolved.packages.map(({ name }) => ({ package: name, outcome: 'none' }));
  const own = new Set(built.map(({ info }) => info.name));
  const locked = Object.values(request.testEnvironments).flatMap(({ packages }) => packages);
  const others = (await readLocked(context.objects, locked)).map(({ apk }) => apk);
  // What was just built stands in for what is published of it.
  const packages = [...built, ...others.filter(({ info }) => !own.has(info.name))];
  await writeRepository(workspace, directories.testRepository, { packages, request, key });
  log.say(`test of ${tested.map(({ name }) => name).join(', ')}`);
  if (parseTarget(request.target).libc === 'musl') {
    log.say('in tests of melange host.triplet.* is that of glibc, whatever the target');
  }
  const position: MelangePosition = { step: undefined, tested: undefined };
  try {
    await runMelange(run, testArguments(tests.facts, run.place), tests.timeout, position);
    log.say('tests: passed');
    return results(resolved, undefined);
  } catch (thrown) {
    const error = toRegrowError(thrown, { package: resolved.name });
    if (isPassing(error)) throw error;
    const name = position.tested ?? tested[0]?.name ?? resolved.name;
    log.say(`test of ${name}: failed: ${error.message}`);
    const failure = buildFailure(error, position.step, log.tail(30));
    return results(resolved, { package: name, outcome: 'failed', failure });
  }
}

/** In the order in which they run: those before the one that failed passed, those after it were not run. */
function results(resolved: ResolvedRecipe, failed: TestResult | undefined): readonly TestResult[] {
  let isOver = false;
  return resolved.packages.map(({ name, test }): TestResult => {
    if (failed?.package === name) {
      isOver = true;
      return failed;
    }
    const hasRun = !isOver && test !== undefined && test.steps.length > 0;
    return { package: name, outcome: hasRun ? 'passed' : 'none' };
  });
}
