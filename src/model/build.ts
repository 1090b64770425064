import { z } from 'zod';
import { artifactSchema } from './artifact.ts';
import { targetNameSchema } from './target.ts';

/** A package of our own repository that a build environment contains, pinned by digest. */
export const lockedPackageSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  /** `Q1…` of its control member: the same for the unsigned and the signed file. Part of the build key. */
  checksum: z.string(),
  /** Where its file is in the object store, and the file's sha256. Not part of the build key. */
  key: z.string(),
  digest: z.string(),
});

export const engines = ['host', 'melange'] as const;
export const runners = ['bubblewrap', 'docker', 'qemu'] as const;

/** The melange that builds, and how it runs steps. Part of the build key. */
export const melangeProgramSchema = z.strictObject({
  /** As `melange version` says it: `v0.59.1`. */
  version: z.string(),
  runner: z.enum(runners),
  /** Whether steps have the network. */
  network: z.boolean(),
});

/**
 * Everything that a builder needs, and nothing else: stored as one object, named by its digest. `recorded` is not part of
 * the build key, but of the bytes: the first build of a key fixes it, a rebuild uses it again.
 */
export const buildRequestSchema = z.strictObject({
  schema: z.literal(1),
  package: z.string(),
  version: z.string(),
  epoch: z.number().int().nonnegative(),
  target: targetNameSchema,
  engine: z.enum(engines),
  engineVersion: z.number().int(),
  /** With the melange engine. */
  melange: melangeProgramSchema.optional(),
  recipe: z.strictObject({ path: z.string(), text: z.string() }),
  /** The pipelines that the recipe uses, by name, as text; what the distribution ships stands before the built-in ones. */
  pipelines: z.record(z.string(), z.string()),
  /** Files beside the recipe (`PACKAGE/…`: patches, configuration), base64. */
  files: z.record(z.string(), z.string()),
  /** Packages asked for that the host gives, and those of our own repository with everything that they pull in. */
  environment: z.strictObject({ host: z.array(z.string()), packages: z.array(lockedPackageSchema) }),
  /** The same for the recipe's `test:` pipelines, by the name of the package that is tested. */
  testEnvironments: z.record(
    z.string(),
    z.strictObject({ host: z.array(z.string()), packages: z.array(lockedPackageSchema) }),
  ),
  recorded: z.strictObject({
    commit: z.string(),
    sourceDateEpoch: z.number().int(),
    /** Address of the repository of recipes, where it has one that others can reach. */
    repository: z.string().optional(),
  }),
});

/** infrastructure: ours, try again. dependency: something it builds with. upstream: the source. recipe: what it says. package: its build fails. */
export const failureClassSchema = z.enum(['infrastructure', 'dependency', 'upstream', 'recipe', 'package']);

export const buildFailureSchema = z.strictObject({
  class: failureClassSchema,
  code: z.string(),
  message: z.string(),
  /** The step that failed, as the log names it. */
  step: z.string().optional(),
  /** The last lines of the log. */
  tail: z.array(z.string()).default([]),
});

/** One run of a package's `test:` pipeline in a clean sandbox with the package installed. */
export const testResultSchema = z.strictObject({
  package: z.string(),
  outcome: z.enum(['passed', 'failed', 'none']),
  failure: buildFailureSchema.optional(),
});

/** A source that a build fetched, with the hash that it was checked against. */
export const buildSourceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('git'),
    repository: z.string(),
    tag: z.string().optional(),
    commit: z.string(),
  }),
  z.strictObject({
    kind: z.literal('archive'),
    url: z.string(),
    sha256: z.string().optional(),
    sha512: z.string().optional(),
  }),
]);

/** What a builder leaves in staging when it is done: `staging/BUILDKEY/result.json`. */
export const buildResultSchema = z.strictObject({
  schema: z.literal(1),
  buildKey: z.string(),
  /** Digest of the build request, so that the inputs of these bytes can be found again. */
  request: z.string(),
  outcome: z.enum(['passed', 'failed']),
  artifacts: z.array(artifactSchema),
  tests: z.array(testResultSchema),
  failure: buildFailureSchema.optional(),
  /** Key of the log in the object store. */
  log: z.string(),
  /** ISO 8601: when it began. */
  startedAt: z.iso.datetime().optional(),
  milliseconds: z.number(),
  builder: z.string(),
  /** By how much the clock that its steps saw was ahead of the machine's; absent: not at all. */
  secondsAhead: z.number().optional(),
  /** What it fetched, in the order of its steps. */
  sources: z.array(buildSourceSchema).optional(),
});

/** The ledger's row of one attempt. Key: `BUILDKEY.ATTEMPT`. */
export const buildAttemptSchema = z.strictObject({
  buildKey: z.string(),
  attempt: z.number().int().positive(),
  package: z.string(),
  version: z.string(),
  target: targetNameSchema,
  request: z.string(),
  state: z.enum(['queued', 'passed', 'failed']),
  /** `main`, or the number of the proposal that it is for. */
  purpose: z.union([z.literal('main'), z.number().int()]),
  why: z.string(),
  urgency: z.enum(['security', 'normal', 'low']),
  /** Build key of the build that this one repeats, with the same inputs, to compare what comes of it. */
  repeats: z.string().optional(),
  queuedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
  result: buildResultSchema.optional(),
});

export type LockedPackage = z.infer<typeof lockedPackageSchema>;
export type Engine = (typeof engines)[number];
export type MelangeProgram = z.infer<typeof melangeProgramSchema>;
export type BuildRequest = z.infer<typeof buildRequestSchema>;
export type FailureClass = z.infer<typeof failureClassSchema>;
export type BuildFailure = z.infer<typeof buildFailureSchema>;
export type TestResult = z.infer<typeof testResultSchema>;
export type BuildSource = z.infer<typeof buildSourceSchema>;
export type BuildResult = z.infer<typeof buildResultSchema>;
export type BuildAttempt = z.infer<typeof buildAttemptSchema>;
