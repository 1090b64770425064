import { RegrowError } from '../../errors.ts';
import type { BuildRequest, MelangeProgram } from '../../model/build.ts';
import type { Workspace } from '../../ports/workspace.ts';
import type { BuildLog } from '../build-log.ts';
import { melangeEnvironment } from './arguments.ts';
import { directories, type MelangeEngineContext, type MelangePlace, sandboxBegins, statusFile } from './context.ts';
import { classify, full, lookedAt } from './failure-rules.ts';
import { createLineCutter, readLine } from './log-lines.ts';

/** Milliseconds that melange has to tidy up after SIGINT, the only signal that it heeds. */
const grace = 20_000;
/** Milliseconds that melange has beyond its own time limit. */
const slack = 15_000;
/** How much longer than a program's line melange's is, for one of usual length: short lines without end cost too. */
const rawFactor = 10;

export interface MelangeRun {
  readonly request: BuildRequest;
  readonly context: MelangeEngineContext;
  readonly workspace: Workspace;
  readonly place: MelangePlace;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

/** What melange is at, as its log says. */
export interface MelangePosition {
  step: string | undefined;
  /** With `test`: the package that is tested. */
  tested: string | undefined;
}

/**
 * Runs melange, and puts what it says into the log of the build: lines of programs as they are, its own with `==>` in front.
 * Errors: what its failure comes to, build.log-limit, build.process-limit, build.timeout, aborted.
 */
export async function runMelange(
  { request, context, workspace, place, log, signal }: MelangeRun,
  args: readonly string[],
  timeout: number,
  position: MelangePosition,
): Promise<void> {
  const tooMuch = new AbortController();
  const rawLimit = rawFactor * context.limits.outputLimit;
  let raw = 0;
  const output: string[] = [];
  let error = '';
  let wasDiskFull = false;
  let looking: Promise<void> | undefined;
  const lookAtDisk = async (): Promise<void> => {
    wasDiskFull ||= await workspace.isDiskFull().catch(() => false);
    looking = undefined;
  };
  const lines = createLineCutter((line) => {
    const { severity, text, fromProgram } = readLine(line);
    if (fromProgram) {
      log.add(Buffer.from(`${text}\n`));
      output.push(text);
      if (output.length > 2 * lookedAt) output.splice(0, lookedAt);
      if (log.left() === 0) tooMuch.abort();
      // Now: melange tidies up before it ends.
      if (full.test(text)) looking ??= lookAtDisk();
      return;
    }
    follow(text, position);
    if (severity === 'error') error = text;
    if (severity !== 'debug') log.say(severity === 'info' ? `melange: ${text}` : `melange: ${severity}: ${text}`);
  });
  const started = context.clock.now().getTime();
  const { processLimit } = context.limits;
  const tooMany = new AbortController();
  const endWatch = context.stepWatch.watch(workspace.path(statusFile), processLimit, () => tooMany.abort());
  try {
    const result = await context.exec.run({
      argv: [await context.program(), ...args],
      cwd: workspace.path(directories.recipe),
      env: melangeEnvironment(place, request.recorded.sourceDateEpoch, context.environment),
      // Its steps have that of the daemon, and what they make gets into packages.
      umask: 0o022,
      timeout: timeout + slack,
      limit: 0,
      signal: AbortSignal.any([signal, tooMuch.signal, tooMany.signal]),
      stop: { signal: 'SIGINT', grace },
      onOutput(chunk) {
        if (tooMuch.signal.aborted) return;
        lines.add(chunk);
        raw += chunk.length;
        if (raw > rawLimit) tooMuch.abort();
      },
    });
    lines.end();
    if (result.exitCode === 0 && !result.timedOut) return;
    // When the recipe's own time is up, melange kills what runs and says no more than that.
    const isOver = /signal: killed/.test(error) && context.clock.now().getTime() - started >= timeout;
    if (result.timedOut || isOver) throw timedOut(request.package, position.step, timeout);
    await looking;
    throw classify({
      package: request.package,
      melange: place.melange,
      error,
      output,
      step: position.step,
      exitCode: result.exitCode,
      hasStepEnded: await hasStepEnded(workspace),
      wasDiskFull,
    });
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    if (tooMany.signal.aborted) throw processesExceeded(request.package, position.step, processLimit);
    if (!tooMuch.signal.aborted) throw thrown;
    throw new RegrowError(
      'build.log-limit',
      `${request.package} printed more than ${context.limits.outputLimit} bytes`,
      {
        package: request.package,
        remedy: 'make it say less, or raise build.outputLimit',
      },
    );
  } finally {
    endWatch();
  }
}

/** By what the `bwrap` of this build says of its sandboxes: how the last one that begun ended. */
async function hasStepEnded(workspace: Workspace): Promise<boolean> {
  if (!(await workspace.exists(statusFile))) return false;
  const said = Buffer.from(await workspace.read(statusFile)).toString('utf8');
  return said.slice(said.lastIndexOf(sandboxBegins)).includes('"exit-code"');
}

function processesExceeded(name: string, step: string | undefined, limit: number): RegrowError {
  const who = step === undefined ? name : `${name}: the step ${step}`;
  return new RegrowError('build.process-limit', `${who} had more than ${limit} processes at a time`, {
    package: name,
    remedy: 'start fewer processes at a time in the step (make -j), or raise build.processLimit in the configuration',
  });
}

/** The lines by which melange tells where it is (`pkg/build/pipeline.go`, `pkg/build/test.go`). */
function follow(text: string, position: MelangePosition): void {
  const step = /^running step "(.*)"$/.exec(text)?.[1];
  if (step !== undefined) position.step = step;
  const tested = /^running test pipeline for subpackage (\S+)$/.exec(text)?.[1];
  if (tested !== undefined) position.tested = tested;
  if (tested !== undefined || text === 'running the main test pipeline') position.step = undefined;
}

function timedOut(name: string, step: string | undefined, timeout: number): RegrowError {
  const at = step === undefined ? '' : `, in the step ${step}`;
  return new RegrowError('build.timeout', `${name} took longer than ${Math.round(timeout / 1000)} s${at}`, {
    package: name,
    remedy: 'make it shorter, raise package.timeout of the recipe, or build.melange.timeout',
  });
}

/** Milliseconds of a duration as Go writes it (`1h30m`, `90s`); undefined for what is none. */
export function goDuration(text: string | undefined): number | undefined {
  if (text === undefined || !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let sum = 0;
  for (const [, number, , unit = ''] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h)/g)) {
    sum += Number(number) * (units[unit] ?? 0);
  }
  return sum;
}

/** Throws tool.missing where the melange that is here is not the one that the build is planned for. */
export async function checkProgram(
  { exec, program }: Pick<MelangeEngineContext, 'exec' | 'program'>,
  wanted: MelangeProgram,
  signal?: AbortSignal,
): Promise<void> {
  const path = await program();
  const result = await exec.run({
    argv: [path, 'version', '--json'],
    env: { PATH: '/usr/bin:/bin', HOME: '/' },
    timeout: 30_000,
    ...(signal === undefined ? {} : { signal }),
  });
  const version = /"gitVersion":\s*"([^"]*)"/.exec(new TextDecoder().decode(result.stdout))?.[1];
  if (version === wanted.version) return;
  throw new RegrowError(
    'tool.missing',
    `${path} is melange ${version ?? 'of no known version'}, and the build is planned for ${wanted.version}`,
    {
      retry: 'later',
      remedy: `install melange ${wanted.version} (scripts/setup --engines builds the one that regrow is tested with), or set build.melange.version to what the builders have`,
    },
  );
}
