/** The closed set of things that can go wrong. `AREA.WHAT`; docs/errors.md says the remedy of each. */
export type ErrorCode =
  // recipes
  | 'recipe.malformed' // not YAML, or a key of the wrong type
  | 'recipe.version-invalid' // a version that apk cannot parse
  | 'recipe.include-cycle' // a pipeline that uses itself
  | 'recipe.pipeline-unknown' // `uses:` names a pipeline that does not exist
  | 'recipe.variable-unknown' // `${{x}}` that nothing defines
  | 'recipe.condition-invalid' // an `if:` that cannot be read
  | 'recipe.pattern-invalid' // a pattern that is not RE2
  | 'recipe.edit-impossible' // the node to edit is not there
  | 'recipe.annotation-invalid' // a `dev.regrow.` annotation that cannot be read
  | 'recipe.key-unknown' // a key that melange does not know
  | 'recipe.source-invalid' // `update:` names no place that can be watched
  | 'recipe.epoch-not-raised' // it says something else than what is published under its version
  | 'recipe.update-ineffective' // an `update:` block that can never lead to an update
  // upstream and feeds
  | 'upstream.unreachable'
  | 'upstream.not-found'
  | 'upstream.answer-invalid' // HTML where JSON or an archive is due, a shape that does not parse
  | 'upstream.rate-limited'
  | 'upstream.too-large'
  | 'upstream.address-refused' // an address of a private network, named by a recipe or an answer
  | 'upstream.redirect-refused' // to another host where that is not right, or from https to http
  | 'source.hash-mismatch' // the tarball or commit is not the one that the recipe pins
  | 'source.moved' // a tag or an address that has other content than when it was pinned
  // forge
  | 'forge.unauthorized'
  | 'forge.conflict' // someone else moved the branch
  | 'forge.refused'
  // building
  | 'build.refused' // the engine cannot do this; found before anything ran
  | 'build.step-failed'
  | 'build.timeout'
  | 'build.log-limit'
  | 'build.process-limit' // more processes at a time than allowed
  | 'build.network-denied' // a step wants the network, which it does not get
  | 'build.lint-failed' // what was built is not as melange wants packages to be
  | 'build.output-missing'
  | 'build.output-unsafe' // a file outside its destination, a setuid file, a name that is not ours
  // packages, repository, images
  | 'package.malformed'
  | 'package.signature-invalid'
  | 'package.conflict' // another digest is published under this NAME-VERSION-rN
  | 'package.version-lowered' // main asks for less than is published
  | 'package.name-taken' // another recipe makes a package of that name
  | 'package.withdrawn' // a version that is not to be published any more
  | 'plan.too-many-followers' // an update whose recipe says `shared: true` would rebuild more than is allowed
  | 'solve.unsatisfiable'
  | 'repository.moved' // the pointer was swapped by someone else
  | 'repository.corrupt'
  | 'verify.gate-failed' // a build is not what may be published
  | 'verify.verdict-unproven' // no publisher stands for the verdict of a build
  | 'verify.inputs-gone' // what a published package was built from is no longer kept
  | 'verify.engine-other' // another version of the engine built it
  | 'image.invalid'
  | 'image.failed' // the image did not run
  // registries that images are pushed to
  | 'registry.unreachable'
  | 'registry.unauthorized'
  | 'registry.refused'
  | 'registry.digest-mismatch' // what it says that it has is not what it was given
  // Sigstore
  | 'sigstore.identity' // no token says who signs
  | 'sigstore.unreachable'
  | 'sigstore.refused'
  // the machine
  | 'storage.full'
  | 'storage.failed'
  | 'ledger.failed'
  | 'queue.unreachable'
  | 'queue.payload-invalid' // a job that this version cannot read
  | 'sandbox.unavailable'
  | 'tool.missing'
  | 'config.invalid'
  // asking the daemon
  | 'request.invalid'
  | 'request.not-found' // no such package, build or path
  | 'request.refused' // not allowed to ask for this, or from here
  | 'daemon.unreachable' // nothing answers at the address of the daemon
  | 'daemon.other' // another distribution's daemon answers there
  | 'daemon.address-taken' // the api cannot listen where it should
  | 'aborted'
  | 'internal';

/** `now`: try again at once. `later`: try again after a pause. `never`: the same input gives the same answer. */
export type Retry = 'now' | 'later' | 'never';

/** Where in the input the error is, for people and for `--json`. */
export interface ErrorWhere {
  readonly package?: string;
  readonly file?: string;
  readonly line?: number;
  readonly field?: string;
}

export interface RegrowErrorOptions extends ErrorWhere {
  readonly retry?: Retry;
  readonly cause?: unknown;
  /** What the reader can do about it, one sentence. */
  readonly remedy?: string;
  /** Seconds to wait before trying again, where the other side said so. */
  readonly retryAfter?: number;
}

/** The one error of regrow. Compare `code`, never `message`. */
export class RegrowError extends Error {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly where: ErrorWhere;
  readonly remedy: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string, options: RegrowErrorOptions = {}) {
    const { retry = 'never', cause, remedy, retryAfter, ...where } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RegrowError';
    this.code = code;
    this.retry = retry;
    this.where = where;
    this.remedy = remedy;
    this.retryAfter = retryAfter;
  }
}

/** What of an error goes over a queue, into the ledger and into `--json`. */
export interface ErrorReport extends ErrorWhere {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retry: Retry;
  readonly remedy?: string;
}

/** Any thrown thing as a RegrowError: system errors get their code, the rest is `internal`. */
export function toRegrowError(thrown: unknown, where: ErrorWhere = {}): RegrowError {
  if (thrown instanceof RegrowError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const system = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const name = thrown instanceof Error ? thrown.name : '';
  const options = { ...where, cause: thrown };
  if (name === 'AbortError' || system === 'ABORT_ERR') {
    return new RegrowError('aborted', 'stopped before it was done', { ...options, retry: 'now' });
  }
  if (system === 'ENOSPC' || system === 'EDQUOT' || system === 'SQLITE_FULL') {
    return new RegrowError('storage.full', `no space left: ${message}`, {
      ...options,
      retry: 'later',
      remedy: 'free space under the state directory; the work is tried again by itself',
    });
  }
  return new RegrowError('internal', message, options);
}

export function reportError(thrown: unknown, where: ErrorWhere = {}): ErrorReport {
  const error = toRegrowError(thrown, where);
  return {
    code: error.code,
    message: error.message,
    retry: error.retry,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...where,
    ...error.where,
  };
}
