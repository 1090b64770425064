import { type ErrorCode, RegrowError, type RegrowErrorOptions } from '../../errors.ts';
import type { MelangeProgram } from '../../model/build.ts';

/** What is known when melange ends otherwise than with 0. */
export interface MelangeFailure {
  readonly package: string;
  readonly melange: Pick<MelangeProgram, 'runner' | 'network'>;
  /** What melange itself said last as an error. */
  readonly error: string;
  /** The last lines that programs printed, the newest last. */
  readonly output: readonly string[];
  readonly step: string | undefined;
  readonly exitCode: number;
  /** Whether the program of the last sandbox ran and ended: what is printed then is the program's word, not bwrap's. */
  readonly hasStepEnded: boolean;
  /** Whether the disk was, when a program said so: tests of programs print that too (`/dev/full`). */
  readonly wasDiskFull: boolean;
}

interface Rule {
  /** Which text it looks at: what melange says, or what programs printed. */
  readonly in: 'error' | 'output';
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly retry?: 'later';
  readonly remedy?: string;
  /** It holds only where this is so. */
  readonly when?: (failure: MelangeFailure) => boolean;
}

/** How programs say that the disk is full. */
export const full = /no space left on device|disk quota exceeded/i;
const noNetwork =
  /could not resolve host|temporary failure in name resolution|bad address '|unable to resolve host|network is unreachable|no address associated with hostname|lookup [^ ]+( on [^ ]+)?: (no such host|server misbehaving|dial )/i;
/** Every way in which melange says that it could not make the environment (apko `pkg/apk/apk/repo.go`). */
const unsolved =
  /nothing provides|could not find (package|constraint)|solving "|resolving apk packages|conflicts with|disqualified/;

/**
 * melange ends with 0 or 1 and nothing between, so a failure is known by what it says. The first rule that fits holds; the
 * texts are those of melange v0.59 and apko v1.2 (`pkg/build/build.go`, `pkg/build/test.go`, `pkg/container`, and the
 * pipelines `fetch` and `git-checkout`).
 */
const rules: readonly Rule[] = [
  {
    in: 'error',
    pattern: full,
    code: 'storage.full',
    retry: 'later',
    remedy: 'free space under the state directory; the work is tried again by itself',
  },
  { in: 'error', pattern: /exceeded its timeout|context deadline exceeded/, code: 'build.timeout' },
  { in: 'error', pattern: /context canceled/, code: 'aborted', retry: 'later' },
  { in: 'error', pattern: /^(open|read)[^:]*\.yaml: no such file/, code: 'internal' },
  { in: 'error', pattern: /unable to load pipeline|could not find 'uses' pipeline/, code: 'recipe.pipeline-unknown' },
  {
    in: 'error',
    pattern: /failed to load configuration|unable to decode|unable to parse version/,
    code: 'recipe.malformed',
  },
  { in: 'error', pattern: /compiling |validate with|undefined input|required input/, code: 'recipe.malformed' },
  { in: 'error', pattern: /signature verification failed|no signature with known key/, code: 'repository.corrupt' },
  { in: 'error', pattern: /(control|data|package) hash mismatch|checksum mismatch/i, code: 'repository.corrupt' },
  { in: 'error', pattern: unsolved, code: 'solve.unsatisfiable' },
  {
    in: 'output',
    pattern: /^bwrap: execvp \S*sh: no such file/i,
    code: 'build.step-failed',
    remedy:
      'name a package that has /bin/sh under environment.contents.packages; a test has its own, and nothing of the environment that the package is built in',
  },
  {
    in: 'error',
    pattern: /unable to run containers using|unable to start pod|failed to get runner|unknown runner/,
    code: 'sandbox.unavailable',
    retry: 'later',
    remedy: 'see docs/melange-engine.md for what each runner needs; `regrow doctor` looks for it',
  },
  {
    in: 'error',
    pattern: /docker daemon|docker\.sock|qemu: |ssh server never came up|virtiofsd/i,
    code: 'sandbox.unavailable',
    retry: 'later',
    remedy: 'see docs/melange-engine.md for what each runner needs; `regrow doctor` looks for it',
  },
  {
    in: 'output',
    pattern: /^bwrap: (?!execvp)/,
    when: ({ hasStepEnded }) => !hasStepEnded,
    code: 'sandbox.unavailable',
    retry: 'later',
    remedy: 'allow user namespaces; in a container see docs/operations.md',
  },
  {
    in: 'output',
    pattern: /^bwrap: execvp .*exec format error/i,
    when: ({ hasStepEnded }) => !hasStepEnded,
    code: 'sandbox.unavailable',
    retry: 'later',
    remedy:
      'this machine cannot run programs of that architecture: install qemu-user-static, or take it out of build.melange.arches',
  },
  { in: 'error', pattern: /unable to lint package/, code: 'build.lint-failed' },
  { in: 'error', pattern: /license check/, code: 'build.lint-failed' },
  { in: 'output', pattern: /^fetch: Expected sha(256|512) does not match/, code: 'source.hash-mismatch' },
  { in: 'output', pattern: /FAIL (Expected|expected) commit|FAIL expected-commit/, code: 'source.hash-mismatch' },
  {
    in: 'output',
    pattern: full,
    when: ({ melange, wasDiskFull }) => melange.runner === 'bubblewrap' && wasDiskFull,
    code: 'storage.full',
    retry: 'later',
    remedy: 'free space under the state directory; the work is tried again by itself',
  },
  {
    in: 'output',
    pattern: noNetwork,
    when: ({ melange }) => !melange.network,
    code: 'build.network-denied',
    remedy: 'let the recipe bring its sources with fetch or git-checkout, or set build.melange.network: true',
  },
  {
    in: 'output',
    pattern: noNetwork,
    when: ({ melange }) => melange.network,
    code: 'upstream.unreachable',
    retry: 'later',
    remedy: 'nothing: it is tried again. If it stays, check the name servers and the network of the builder',
  },
  {
    in: 'error',
    pattern: /signal: killed/,
    code: 'build.step-failed',
    remedy:
      'its programs were killed, most often for lack of memory: give it more (`resources.memory`), or a larger builder',
  },
  { in: 'error', pattern: /unable to build guest|unable to generate image/, code: 'solve.unsatisfiable' },
  { in: 'error', pattern: /unable to (get|emit) |generating SBOMs|retrieving workspace/, code: 'build.output-unsafe' },
];

/** How many of the last lines of programs are looked at: what went wrong is said last. */
export const lookedAt = 40;

/** The failure by what melange, and the programs that it ran, said. */
export function classify(failure: MelangeFailure): RegrowError {
  const lines = failure.output.slice(-lookedAt);
  for (const rule of rules) {
    if (rule.when?.(failure) === false) continue;
    const texts = rule.in === 'error' ? [failure.error] : lines;
    const hit = texts.findLast((text) => rule.pattern.test(text));
    if (hit === undefined) continue;
    return makeError(failure, rule.code, sentence(failure, hit, rule), {
      ...(rule.retry === undefined ? {} : { retry: rule.retry }),
      ...(rule.remedy === undefined ? {} : { remedy: rule.remedy }),
    });
  }
  return makeError(failure, 'build.step-failed', stepSentence(failure), {});
}

function makeError(
  failure: MelangeFailure,
  code: ErrorCode,
  message: string,
  options: RegrowErrorOptions,
): RegrowError {
  return new RegrowError(code, `${failure.package}: ${message}`, { ...options, package: failure.package });
}

function sentence(failure: MelangeFailure, hit: string, rule: Rule): string {
  const where = rule.in === 'output' && failure.step !== undefined ? `the step ${failure.step} ` : 'melange ';
  // Cut before it is looked through: a program may print a line of any length.
  const start = hit.trim().slice(0, 1000);
  return `${where}says: ${start.replaceAll(/\s*\n\s*/g, '; ').slice(0, 500)}`;
}

function stepSentence({ step, error, exitCode }: MelangeFailure): string {
  const status = /exit status (\d+)/.exec(error)?.[1];
  if (step !== undefined && status !== undefined) return `the step ${step} ended with exit code ${status}`;
  const what = error === '' ? `melange ended with exit code ${exitCode}` : `melange says: ${error.slice(0, 500)}`;
  return step === undefined ? what : `the step ${step}: ${what}`;
}
