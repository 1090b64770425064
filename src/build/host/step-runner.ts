import { RegrowError } from '../../errors.ts';
import type { BuildSource } from '../../model/build.ts';
import type { ResolvedStep } from '../../model/recipe/resolved.ts';
import type { Workspace } from '../../ports/workspace.ts';
import type { BuildLog } from '../build-log.ts';
import { stepFailed } from '../failure.ts';
import type { HostEngineContext } from './context.ts';
import { runNativeStep } from './native-steps.ts';

/** Shells with `pipefail`, which recipes rely on; the first that the root has is taken. */
const shells = ['/bin/bash', '/bin/sh'];
const scriptPath = '/run/regrow/step';

/** One place in which steps run: a root, a working directory, and what they have done so far. */
export interface StepRunner {
  run(steps: readonly ResolvedStep[]): Promise<void>;
  /** First line of `cc --version`; undefined where there is no compiler. */
  readonly compiler: string | undefined;
  /** The step that is running, or that failed. */
  current(): string | undefined;
  /** What native steps brought, in order. */
  sources(): readonly BuildSource[];
}

export interface StepPlace {
  readonly workspace: Workspace;
  /** Relative to the workspace. */
  readonly root: string;
  readonly build: string;
  readonly script: string;
  readonly sourceDateEpoch: number;
  readonly package: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Commands that have to be there; tool.missing otherwise. */
  readonly commands: readonly string[];
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

interface HostFacts {
  readonly shell: string;
  readonly compiler: string | undefined;
  readonly missing: readonly string[];
}

export async function createStepRunner(place: StepPlace, context: HostEngineContext): Promise<StepRunner> {
  const { workspace, log, signal } = place;
  const sources: BuildSource[] = [];
  let current: string | undefined;
  const facts = await look();
  if (facts.missing.length > 0) throw commandsMissing(place.package, facts.missing);

  function sandboxed(
    argv: readonly [string, ...string[]],
    environment: Readonly<Record<string, string>>,
    onOutput: (chunk: Uint8Array) => void,
    outputLimit: number,
  ): Promise<number> {
    return context.sandbox.run({
      root: workspace.path(place.root),
      host: true,
      binds: [
        { from: workspace.path(place.build), to: '/home/build', writable: true },
        { from: workspace.path(place.script), to: '/run/regrow' },
      ],
      argv,
      cwd: '/home/build',
      env: { ...place.environment, ...environment },
      timeout: context.limits.stepTimeout,
      outputLimit,
      processLimit: context.limits.processLimit,
      onOutput,
      signal,
    });
  }

  /** Output of a script of ours; undefined when it failed. */
  async function capture(candidate: string, script: string): Promise<string | undefined> {
    const output: Uint8Array[] = [];
    const code = await sandboxed([candidate, '-c', script], {}, (chunk) => output.push(chunk), 256 * 1024);
    return code === 0 ? Buffer.concat(output).toString('utf8') : undefined;
  }

  /** One run says all: whether the shell will do, what the compiler is, and which commands are not there. */
  async function look(): Promise<HostFacts> {
    await workspace.makeDirectory(place.script);
    await workspace.makeDirectory(place.build);
    const commands = place.commands.map(quote).join(' ');
    const script = `set -eo pipefail
      for command in ${commands}; do command -v "$command" > /dev/null || echo "missing $command"; done
      if command -v cc > /dev/null; then cc --version 2>&1 | sed -n '1s/^/compiler /p'; fi`;
    for (const candidate of shells) {
      const text = await capture(candidate, script);
      if (text === undefined) continue;
      const lines = text.split('\n');
      const after = (word: string) =>
        lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length));
      return { shell: candidate, compiler: after('compiler ')[0], missing: after('missing ') };
    }
    throw new RegrowError('tool.missing', 'no shell of this machine knows pipefail', {
      retry: 'later',
      remedy: 'install bash',
    });
  }

  async function runScript(
    step: ResolvedStep,
    label: string,
    script: string,
    environment: Readonly<Record<string, string>>,
  ): Promise<void> {
    // From a file: an argument may not be as long as some scripts are.
    const directory = quote(step.workingDirectory);
    await workspace.write(
      `${place.script}/step`,
      `set -eo pipefail\nmkdir -p ${directory}\ncd ${directory}\n${script}\nexit 0\n`,
    );
    const started = context.clock.now().getTime();
    log.say(`${place.package}: ${label}`);
    const code = await sandboxed([facts.shell, scriptPath], environment, log.add, log.left());
    const seconds = ((context.clock.now().getTime() - started) / 1000).toFixed(1);
    log.say(`${label}: ${code === 0 ? 'done' : `exit code ${code}`} after ${seconds} s`);
    if (code !== 0) throw stepFailed(label, code, { package: place.package });
  }

  /** A step without a name of its own goes by that of the pipeline that it stands in. */
  async function runAll(
    steps: readonly ResolvedStep[],
    environment: Readonly<Record<string, string>>,
    outer: string | undefined,
  ): Promise<void> {
    for (const step of steps) {
      if (signal.aborted) throw new RegrowError('aborted', `${place.package}: the build was stopped`, { retry: 'now' });
      const inner = { ...environment, ...step.environment };
      const label = step.label === 'runs' && outer !== undefined ? outer : step.label;
      if (step.native !== undefined || step.runs !== undefined) current = label;
      if (step.native !== undefined) {
        const say = (line: string): void => log.say(`${place.package}: ${line}`);
        const { sources: cache, git } = context;
        const { build, sourceDateEpoch } = place;
        const native = { workspace, build, sourceDateEpoch, sources: cache, git, package: place.package, say, signal };
        sources.push(await runNativeStep(step, native));
      } else if (step.runs !== undefined) {
        await runScript(step, label, step.runs, inner);
      }
      await runAll(step.steps, inner, label);
    }
  }

  return {
    run: (steps) => runAll(steps, {}, undefined),
    compiler: facts.compiler,
    current: () => current,
    sources: () => sources,
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function commandsMissing(name: string, commands: readonly string[]): RegrowError {
  return new RegrowError('tool.missing', `${name} needs commands that this machine lacks: ${commands.join(', ')}`, {
    package: name,
    field: 'environment.contents.packages',
    retry: 'later',
    remedy: 'install them on the builder (apt install build-essential covers most, musl-tools the musl compiler)',
  });
}
