import { type ErrorCode, RegrowError, toRegrowError } from '../errors.ts';
import type { BuildFailure, FailureClass } from '../model/build.ts';

const lines = 30;

/** Whose fault a code is, as far as a code can say it. */
export function failureClass(code: ErrorCode): FailureClass {
  switch (code.split('.')[0]) {
    case 'recipe':
      return 'recipe';
    case 'upstream':
    case 'source':
      return 'upstream';
    case 'solve':
    case 'package':
    case 'repository':
      return 'dependency';
    case 'build':
      return code === 'build.refused' || code === 'build.network-denied' ? 'recipe' : 'package';
    default:
      return 'infrastructure';
  }
}

/**
 * Whether trying again in a moment may help: then the error is not what the build came to, and is thrown on. A server that
 * answers, but not with what it should, is a result: somebody has to look at it.
 */
export function isPassing(error: RegrowError): boolean {
  if (error.code === 'upstream.answer-invalid') return false;
  return error.retry !== 'never' || error.code === 'internal';
}

export function buildFailure(thrown: unknown, step: string | undefined, tail: readonly string[]): BuildFailure {
  const error = toRegrowError(thrown);
  return {
    class: failureClass(error.code),
    code: error.code,
    message: error.remedy === undefined ? error.message : `${error.message}; ${error.remedy}`,
    ...(step === undefined ? {} : { step }),
    tail: [...tail].slice(-lines),
  };
}

export function stepFailed(label: string, exitCode: number, where: { readonly package: string }): RegrowError {
  const what =
    exitCode > 128 && exitCode < 160 ? `was ended by signal ${exitCode - 128}` : `ended with exit code ${exitCode}`;
  return new RegrowError('build.step-failed', `${where.package}: the step ${label} ${what}`, where);
}
