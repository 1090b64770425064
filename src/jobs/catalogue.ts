import { z } from 'zod';
import { RegrowError } from '../errors.ts';
import { type TargetName, targetNameSchema } from '../model/target.ts';

/** Text that can stand in a job id: any but lone surrogates, which have no UTF-8. */
const text = z
  .string()
  .min(1)
  .max(2048)
  .refine((value) => !/\p{Surrogate}/u.test(value), 'is not well-formed Unicode');
const slot = z.number().int().nonnegative();
/** Counted by the ledger, from 1: a job that failed for good runs again only under another id. */
const attempt = z.number().int().positive();

/** What each type of job carries: keys and names, never blobs, never secrets. */
const payloads = {
  /** Ask upstream sources. `request`: object key. */
  'watch-releases': z.strictObject({ request: text }),
  /** Read one part of an advisory feed. `part`: of the slot's poll, from 0. `cursor`: object key of where to go on. */
  'watch-advisories': z.strictObject({ feed: text, slot, part: slot, cursor: text.optional() }),
  /** Compare what should be with what is. */
  reconcile: z.strictObject({ slot: text }),
  /** Ask the source of one package now, or all sources that are one repository, `github:OWNER/REPO`. `slot`: seconds. */
  poke: z.strictObject({ what: z.enum(['package', 'repository']), name: text, slot }),
  /** Let the version of one package that is stopped be proposed again. `slot`: seconds. */
  release: z.strictObject({ package: text, slot }),
  /** Bring one package's proposal to `version` (full, `1.2.4-r0`). */
  propose: z.strictObject({ package: text, version: text, attempt }),
  /**
   * Run one attempt at a build. `request`: digest of the build request. `delivery`: how often it went into the queue. `not`: name
   * of the builder that is to leave it to others, as long as there are any.
   */
  build: z.strictObject({
    buildKey: text,
    attempt,
    delivery: attempt,
    request: text,
    package: text,
    version: text,
    target: targetNameSchema,
    not: text.optional(),
  }),
  /** Assemble and run one image. `request`: object key. The builders of `target`, its first, take it. */
  image: z.strictObject({ name: text, target: targetNameSchema, request: text, attempt }),
  /** Judge builds that belong together. `request`: object key. */
  verify: z.strictObject({ request: text, attempt }),
  /** Sign and publish. `request`: object key of what to publish. */
  publish: z.strictObject({ request: text, attempt }),
  'publish-image': z.strictObject({ request: text, attempt }),
  /** Take a version out of the repository, for good. `name`: a recipe or one of its packages. `slot`: seconds. */
  withdraw: z.strictObject({ name: text, version: text, reason: text, force: z.boolean(), slot }),
  /** Go back to generation `to`; without, free what the last time held back. `slot`: seconds. */
  rollback: z.strictObject({ to: slot.optional(), slot }),
  /** Have what nothing uses any more removed from the object store, or only looked at. `slot`: seconds. */
  'order-collection': z.strictObject({ dry: z.boolean(), slot }),
  /** Remove what nothing uses. `request`: object key of what the ledger needs. */
  collect: z.strictObject({ request: text, attempt }),
  /** Bring a published image to a registry. `request`: object key. */
  'push-image': z.strictObject({ request: text, attempt }),
  /** Sign an image by an identity. `request`: object key. */
  'sign-image': z.strictObject({ request: text, attempt }),
  /** Sign by an identity where the packages of a generation came from. */
  'sign-packages': z.strictObject({ generation: slot, attempt }),
  /** Something came out. `key`: object key of the result document. `effect`: what it is the result of, unique. */
  result: z.strictObject({
    kind: z.enum([
      'watched',
      'observed',
      'built',
      'verified',
      'published',
      'image-built',
      'image-published',
      'image-pushed',
      'signed',
      'collected',
    ]),
    key: text,
    effect: text,
  }),
} as const;

export type JobType = keyof typeof payloads;
export type JobPayloads = { readonly [T in JobType]: z.infer<(typeof payloads)[T]> };
export type JobPayload<T extends JobType> = JobPayloads[T];

export interface JobDefinition<P> {
  /** Of the payload's shape. A job of another version is refused, not guessed at. */
  readonly version: number;
  readonly payload: z.ZodType<P>;
  readonly queue: (payload: P) => string;
  /** What makes two jobs of this type the same one. */
  readonly effect: (payload: P) => readonly (string | number)[];
  /** How often it is tried, where the error says that trying again helps. */
  readonly attempts: number;
  /** Milliseconds before the second try of a `later` error; doubled each time, at most `longestPause`. */
  readonly pause: number;
  /** How long its id is kept after it is done, so that the same job is not done again: seconds. */
  readonly remember: number;
}

export const longestPause = 15 * 60_000;
const minute = 60;
const hour = 60 * minute;

export function buildQueue(target: TargetName): string {
  return `build-${target}`;
}

/** The queues that are not of one target. */
export const fixedQueues = ['watch', 'control', 'verify', 'publish', 'push', 'sign', 'results'] as const;

export const catalogue: { readonly [T in JobType]: JobDefinition<JobPayload<T>> } = {
  'watch-releases': {
    version: 1,
    payload: payloads['watch-releases'],
    queue: () => 'watch',
    effect: (job) => [job.request],
    attempts: 3,
    pause: 10_000,
    remember: 2 * hour,
  },
  'watch-advisories': {
    version: 2,
    payload: payloads['watch-advisories'],
    queue: () => 'watch',
    effect: (job) => [job.feed, job.slot, job.part],
    attempts: 3,
    pause: 10_000,
    remember: 2 * hour,
  },
  reconcile: {
    version: 1,
    payload: payloads.reconcile,
    queue: () => 'control',
    effect: (job) => [job.slot],
    attempts: 3,
    pause: 5_000,
    remember: hour,
  },
  poke: {
    version: 1,
    payload: payloads.poke,
    queue: () => 'control',
    effect: (job) => [job.what, job.name, job.slot],
    attempts: 3,
    pause: 5_000,
    remember: hour,
  },
  release: {
    version: 1,
    payload: payloads.release,
    queue: () => 'control',
    effect: (job) => [job.package, job.slot],
    attempts: 3,
    pause: 5_000,
    remember: hour,
  },
  propose: {
    version: 1,
    payload: payloads.propose,
    queue: () => 'control',
    effect: (job) => [job.package, job.version, job.attempt],
    attempts: 5,
    pause: 15_000,
    remember: 24 * hour,
  },
  build: {
    version: 2,
    payload: payloads.build,
    queue: (job) => buildQueue(job.target),
    effect: (job) => [job.buildKey, job.attempt, job.delivery],
    attempts: 4,
    pause: 30_000,
    remember: 24 * hour,
  },
  image: {
    version: 1,
    payload: payloads.image,
    queue: (job) => buildQueue(job.target),
    effect: (job) => [job.request, job.attempt],
    attempts: 4,
    pause: 30_000,
    remember: 24 * hour,
  },
  // A queue of its own: what takes long to judge keeps nothing from being published.
  verify: {
    version: 1,
    payload: payloads.verify,
    queue: () => 'verify',
    effect: (job) => [job.request, job.attempt],
    attempts: 5,
    pause: 10_000,
    remember: 24 * hour,
  },
  publish: {
    version: 1,
    payload: payloads.publish,
    queue: () => 'publish',
    effect: (job) => [job.request, job.attempt],
    attempts: 8,
    pause: 5_000,
    remember: 24 * hour,
  },
  'publish-image': {
    version: 1,
    payload: payloads['publish-image'],
    queue: () => 'publish',
    effect: (job) => [job.request, job.attempt],
    attempts: 8,
    pause: 5_000,
    remember: 24 * hour,
  },
  // A queue of its own: a slow registry keeps no package from being published.
  'push-image': {
    version: 1,
    payload: payloads['push-image'],
    queue: () => 'push',
    effect: (job) => [job.request, job.attempt],
    attempts: 4,
    pause: 30_000,
    remember: 24 * hour,
  },
  // A queue of its own: when Sigstore does not answer, packages are published all the same.
  'sign-image': {
    version: 1,
    payload: payloads['sign-image'],
    queue: () => 'sign',
    effect: (job) => [job.request, job.attempt],
    attempts: 4,
    pause: 30_000,
    remember: 24 * hour,
  },
  'sign-packages': {
    version: 1,
    payload: payloads['sign-packages'],
    queue: () => 'sign',
    effect: (job) => [job.generation, job.attempt],
    attempts: 4,
    pause: 30_000,
    remember: 24 * hour,
  },
  withdraw: {
    version: 1,
    payload: payloads.withdraw,
    queue: () => 'publish',
    effect: (job) => [job.name, job.version, job.slot],
    attempts: 8,
    pause: 5_000,
    remember: 24 * hour,
  },
  rollback: {
    version: 1,
    payload: payloads.rollback,
    queue: () => 'publish',
    effect: (job) => [job.to ?? 'undo', job.slot],
    attempts: 8,
    pause: 5_000,
    remember: 24 * hour,
  },
  'order-collection': {
    version: 1,
    payload: payloads['order-collection'],
    queue: () => 'control',
    effect: (job) => [job.dry ? 'dry' : 'whole', job.slot],
    attempts: 3,
    pause: 5_000,
    remember: hour,
  },
  collect: {
    version: 1,
    payload: payloads.collect,
    queue: () => 'publish',
    effect: (job) => [job.request, job.attempt],
    attempts: 3,
    pause: 60_000,
    remember: 24 * hour,
  },
  result: {
    version: 1,
    payload: payloads.result,
    queue: () => 'results',
    effect: (job) => [job.kind, job.effect],
    // What came out must be written down, however long the disk is full.
    attempts: 100,
    pause: 2_000,
    remember: 24 * hour,
  },
};

export function isJobType(name: string): name is JobType {
  return Object.hasOwn(catalogue, name);
}

/**
 * The id of a job: its type and its effect, so that enqueueing it twice is one job. Each part is percent-encoded and `,`
 * stands between them: BullMQ takes no `:` and nothing that is all digits.
 */
export function jobId<T extends JobType>(type: T, payload: JobPayload<T>): string {
  return [type, ...catalogue[type].effect(payload).map((part) => encodeURIComponent(part))].join(',');
}

/** What is stored in Redis: the payload and the version of its shape. */
export interface JobEnvelope {
  readonly v: number;
  readonly payload: unknown;
}

function invalid(type: string, cause: z.ZodError): RegrowError {
  const issue = cause.issues[0];
  const field = issue?.path.join('.') ?? '';
  return new RegrowError('queue.payload-invalid', `a ${type} job cannot be read: ${field}: ${issue?.message ?? ''}`, {
    field,
    cause,
    remedy: 'run the same version of regrow everywhere; reconcile makes the job again',
  });
}

/** Checks a payload on its way into a queue. Errors: queue.payload-invalid. */
export function packJob<T extends JobType>(type: T, payload: JobPayload<T>): JobEnvelope {
  const definition = catalogue[type];
  const parsed = definition.payload.safeParse(payload);
  if (!parsed.success) throw invalid(type, parsed.error);
  return { v: definition.version, payload: parsed.data };
}

/** Checks what came out of a queue: another daemon, perhaps of another version, put it in. Errors: queue.payload-invalid. */
export function unpackJob<T extends JobType>(type: T, data: unknown): JobPayload<T> {
  const { version, payload } = catalogue[type];
  const parsed = z.strictObject({ v: z.literal(version), payload }).safeParse(data);
  if (!parsed.success) throw invalid(type, parsed.error);
  return parsed.data.payload;
}

export type Urgency = 'security' | 'normal' | 'low';

/** BullMQ takes lower numbers first, and jobs without any before all others: every job has one. */
export const priorities: Readonly<Record<Urgency, number>> = { security: 1, normal: 10, low: 100 };
