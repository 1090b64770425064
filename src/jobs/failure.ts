import { UnrecoverableError } from 'bullmq';
import { z } from 'zod';
import { type ErrorReport, type RegrowError, reportError } from '../errors.ts';
import { catalogue, isJobType, longestPause } from './catalogue.ts';

/** A failure that is tried again; carries what the pause is worked out from. */
class JobFailure extends Error {
  readonly error: RegrowError;

  constructor(message: string, error: RegrowError) {
    super(message, { cause: error });
    this.name = 'JobFailure';
    this.error = error;
  }
}

/**
 * The one place where our errors become BullMQ's control flow: `never` fails the job for good, the others are tried again
 * as often as the catalogue says. What is kept as the job's failed reason is the error's report as JSON.
 */
export function toBullError(error: RegrowError): Error {
  const report = JSON.stringify(reportError(error));
  return error.retry === 'never' ? new UnrecoverableError(report) : new JobFailure(report, error);
}

/**
 * Milliseconds before a job is tried again: none for `now`, as long as the other side said where it did, otherwise
 * doubling. Every tenth try of `now` waits too, so that an error that is wrong about itself does not spin.
 */
export function pauseAfter(jobName: string, triesMade: number, failure: unknown, factor = 1): number {
  const base = isJobType(jobName) ? catalogue[jobName].pause : 10_000;
  const error = failure instanceof JobFailure ? failure.error : undefined;
  if (error?.retryAfter !== undefined) return Math.min(error.retryAfter * 1000, 4 * longestPause) * factor;
  if (error?.retry === 'now' && triesMade % 10 !== 0) return 0;
  return Math.min(base * 2 ** Math.max(0, Math.min(triesMade - 1, 20)), longestPause) * factor;
}

const reportSchema = z.object({
  code: z.string(),
  message: z.string(),
  retry: z.enum(['now', 'later', 'never']),
  remedy: z.string().optional(),
  package: z.string().optional(),
  file: z.string().optional(),
  line: z.number().optional(),
  field: z.string().optional(),
});

/** The report that `toBullError` wrote; BullMQ's own reasons (a job whose worker died too often) are `internal`. */
export function readFailure(reason: string | undefined): ErrorReport {
  let parsed: unknown;
  try {
    parsed = JSON.parse(reason ?? '');
  } catch {
    parsed = undefined;
  }
  const report = reportSchema.safeParse(parsed);
  if (report.success) return report.data as ErrorReport;
  return { code: 'internal', message: reason ?? 'failed for no known reason', retry: 'never' };
}
