import { RegrowError } from '../../errors.ts';
import type { SpdxSource } from '../../formats/spdx.ts';
import type { ResolvedStep } from '../../model/recipe/resolved.ts';
import type { Workspace } from '../../ports/workspace.ts';
import type { BuildLog } from './build-log.ts';
import type { HostEngineContext } from './context.ts';
import { stepFailed } from './failure.ts';
import { runNativeStep } from './native-steps.ts';

/** Shells with `pipefail`, which recipes rely on; the first that the root has is taken. */
const shells = ['/bin/bash', '/bin/sh'];
const scriptPath = '/run/regrow/step';

/** One place in which steps run: a root, a working directory, and what they have done so far. */
export interface StepRunner {
  run(steps: readonly ResolvedStep[], environment: Readonly<Record<string, string>>): Promise<void>;
  /** First line that a command prints; undefined when it fails. */
  ask(command: string): Promise<string | undefined>;
  /** The step that is running, or that failed. */
  current(): string | undefined;
  /** What native steps brought, in order. */
  sources(): readonly SpdxSource[];
}

export interface StepPlace {
  readonly workspace: Workspace;
  /** Relative to the workspace. */
  readonly root: string;
  readonly build: string;
  readonly script: string;
  readonly package: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
}

export async function createStepRunner(place: StepPlace, context: HostEngineContext): Promise<StepRunner> {
  const { workspace, log, signal } = place;
  const sources: SpdxSource[] = [];
  let current: string | undefined;
  const shell = await findShell();

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

  async function findShell(): Promise<string> {
    await workspace.makeDirectory(place.script);
    await workspace.makeDirectory(place.build);
    for (const candidate of shells) {
      if (!(await workspace.exists(`${place.root}/usr${candidate}`))) continue;
      const code = await sandboxed([candidate, '-c', 'set -eo pipefail'], {}, () => undefined, 4096);
      if (code === 0) return candidate;
    }
    throw new RegrowError('tool.missing', 'no shell of this machine knows pipefail', {
      retry: 'later',
      remedy: 'install bash',
    });
  }

  async function runScript(
    step: ResolvedStep,
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
    log.say(`${place.package}: ${step.label}`);
    const code = await sandboxed([shell, scriptPath], environment, log.add, log.left());
    const seconds = ((context.clock.now().getTime() - started) / 1000).toFixed(1);
    log.say(`${step.label}: ${code === 0 ? 'done' : `exit code ${code}`} after ${seconds} s`);
    if (code !== 0) throw stepFailed(step.label, code, { package: place.package });
  }

  async function run(steps: readonly ResolvedStep[], environment: Readonly<Record<string, string>>): Promise<void> {
    for (const step of steps) {
      if (signal.aborted) throw new RegrowError('aborted', `${place.package}: the build was stopped`, { retry: 'now' });
      const inner = { ...environment, ...step.environment };
      if (step.native !== undefined || step.runs !== undefined) current = step.label;
      if (step.native !== undefined) {
        const say = (line: string): void => log.say(`${place.package}: ${line}`);
        const native = { workspace, sources: context.sources, git: context.git, package: place.package, say, signal };
        sources.push(await runNativeStep(step, native));
      } else if (step.runs !== undefined) {
        await runScript(step, step.runs, inner);
      }
      await run(step.steps, inner);
    }
  }

  async function ask(command: string): Promise<string | undefined> {
    const output: Uint8Array[] = [];
    const code = await sandboxed([shell, '-c', command], {}, (chunk) => output.push(chunk), 64 * 1024);
    const line = Buffer.concat(output).toString('utf8').split('\n')[0]?.trim();
    return code === 0 && line !== '' ? line : undefined;
  }

  return { run, ask, current: () => current, sources: () => sources };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
